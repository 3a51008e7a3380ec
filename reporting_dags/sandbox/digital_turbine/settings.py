"""The settings of the emulated Digital Turbine API: one for every assumption (A) about undocumented behavior."""

from dataclasses import dataclass
from datetime import date, timedelta

from reporting_dags.sandbox.provider_settings import ProviderSettings, setting


@dataclass(frozen=True)
class DtSettings(ProviderSettings):
    """The behavior of the Offer Wall and User Level APIs. Each description begins with a rule, or A for an assumption.

    Raises:
        ValueError: a value is out of range or not one of the choices.
    """

    token_seconds: int = setting(3600, "DT1: seconds for which a token is valid, and the value of expiresIn")
    disabled_client_ids: tuple[str, ...] = setting((), "DT2, DT3: disabled accounts; their tokens are invalid too")
    describe_errors: bool = setting(True, "A: an error body also has error_description, with the documented text")
    format_required: bool = setting(True, "A: a report request without a format parameter is invalid_format")
    extra_keys: bool = setting(False, "A: undocumented keys in a request are ignored")
    found_names: bool = setting(True, "OW3 F: metrics and dimensions that are known only from public sources are valid")
    max_days: int = setting(90, "OW4: maximum number of days in one request")
    max_dimensions: int = setting(5, "OW4: maximum number of dimensions in one request")
    date_is_a_dimension: bool = setting(False, "OW4 A: Date counts as a dimension")
    daily_queries: int = setting(50, "OW4: requests per UTC day, account and API")
    refused_queries_count: bool = setting(True, "OW6 A: a refused request counts against the quota")
    quota_error: str = setting("quota_exceeded", "OW6 A: the error code of a 429")
    quota_retry_after: bool = setting(False, "OW6 A: a 429 response has Retry-After with the seconds until 00:00 UTC")
    fill_seconds: float = setting(0.0, "DT5, DT6: seconds until the file of a report is filled")
    fill_polls: int = setting(0, "DT5, DT6: number of polls for which a file is still pending")
    pending: str = setting(
        "empty", "DT6 F: a pending file is an empty 200 (empty) or a 404 (404)", choices=("empty", "404")
    )
    signature: str = setting(
        "amz", "DT6 F: the file's URL is signed with X-Amz-… (amz) or AWSAccessKeyId (aws2)", choices=("amz", "aws2")
    )
    url_seconds: int = setting(10800, "DT5: seconds for which the URL of a file is valid")
    restate_days: int = setting(10, "OW7 A: age in days until which performance data changes")
    out_hour: int = setting(12, "OW7 A: hour, UTC, of the next day at which a day is published")
    late_days: tuple[str, ...] = setting((), "OW7 A: days, YYYY-MM-DD, that are published late_hours later")
    late_hours: float = setting(6.0, "OW7 A: delay of late days in hours")
    late: str = setting(
        "pending",
        "DT5 A: a file with a late day is filled when the day is published (pending), or at once in part (partial)",
        choices=("pending", "partial"),
    )
    early: str = setting(
        "partial",
        "OW7 A: before its publication, a day has some of its rows (partial) or no rows (none)",
        choices=("partial", "none"),
    )
    empty_day_one_in: int = setting(40, "DT8 A: one day of about this many has no rows; 0: no such days")
    empty_days: tuple[str, ...] = setting((), "DT8 A: further days, YYYY-MM-DD, without rows")
    missing_one_in: int = setting(300, "DT8 A: one row of about this many has a missing metric; 0: no such rows")
    huge_one_in: int = setting(20000, "A: one row of about this many has more than 2**53 impressions; 0: no such rows")
    row_order: str = setting(
        "fixed",
        "DT8 A: the random row order is the same for equal requests (fixed), or new for each request (request)",
        choices=("fixed", "request"),
    )
    floats: str = setting(
        "python",
        "DT8 A: floats are formatted as in Python (3.63e-05) or JavaScript (0.0000363)",
        choices=("python", "javascript"),
    )
    line_end: str = setting("\n", "DT8 A: line terminator of the file", choices=("\n", "\r\n"))
    user_level_reach_days: int = setting(10, "UL2: number of days before today that are available")
    user_level_old: str = setting(
        "refused",
        "UL2 A: an older day is invalid_query (refused), or a file with no rows (empty)",
        choices=("refused", "empty"),
    )
    user_level_out_hour: int = setting(12, "UL2: hour, UTC, of the next day at which a day is published")
    user_level_restate_days: int = setting(3, "UL2 A: age in days until which a day changes")
    user_level_disabled_apps: tuple[str, ...] = setting((), "UL3: apps for which the report is not enabled")
    user_level_disabled: str = setting(
        "refused",
        "UL3 A: a request for such an app, or an unknown one, is invalid_query (refused) or a 403 (forbidden)",
        choices=("refused", "forbidden"),
    )
    user_level_extra_keys: bool = setting(False, "UL1 A: undocumented keys in a request are ignored")
    user_level_daily_queries: int = setting(0, "UL2 A: requests per UTC day and account; 0: unlimited")
    user_level_headers: str = setting(
        "plain",
        "UL4 A: the columns are App ID and Revenue (plain), or Fyber App ID and Revenue (USD) (fyber)",
        choices=("plain", "fyber"),
    )
    user_level_masked: str = setting(
        "empty",
        "UL4 A: the Advertising ID of masked users is empty, all zeros (bare: without dashes), or one of these words",
        choices=("empty", "zeros", "bare zeros", "NULL", "None", "Unknown", "n/a"),
    )
    user_level_masked_app: str = setting(
        "kept", "UL4 A: a row of masked users has its App ID (kept), or an empty one (empty)", choices=("kept", "empty")
    )
    user_level_masked_apart: bool = setting(
        False, "UL4 A: masked users of one country and placement have several rows, and are not aggregated"
    )
    user_level_huge: bool = setting(True, "A: every day has a row of masked users with impressions over 2**53")
    user_level_rows_factor: float = setting(1.0, "A: factor for the number of users of an app")

    def late_by(self, day: date) -> timedelta:
        """Return the delay of `day` after its hour of publication."""
        return timedelta(hours=self.late_hours if day.isoformat() in self.late_days else 0)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("out_hour", "user_level_out_hour"):
            if getattr(self, name) > 23:
                raise ValueError(f"{name} must be an hour of the day, 0 to 23")
