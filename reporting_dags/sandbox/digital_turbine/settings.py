"""Digital Turbine's switches: every assumption (A) about what its documents leave open has one."""

from dataclasses import dataclass
from datetime import date, timedelta

from reporting_dags.sandbox.switches import Switches, switch


@dataclass(frozen=True)
class DtSettings(Switches):
    """How Digital Turbine's Offer Wall and User Level behave.

    Every field's description names its rule, or A for an assumption.

    Raises:
        ValueError: A value is out of range or not among a setting's choices.
    """

    token_seconds: int = switch(3600, "DT1: how long a token lives, sandbox seconds, and what expiresIn says")
    disabled_client_ids: tuple[str, ...] = switch((), "DT2, DT3: accounts that are disabled now, tokens included")
    describe_errors: bool = switch(True, "A: an error body also has error_description, in the document's words")
    format_required: bool = switch(True, "A: a report request with no format parameter at all is invalid_format")
    extra_keys: bool = switch(False, "A: keys in a query that the document does not name are passed over")
    found_names: bool = switch(True, "OW3 F: metrics and dimensions that only public sources name are known too")
    max_days: int = switch(90, "OW4: days in one query, first and last both counted")
    max_dimensions: int = switch(5, "OW4: dimensions in one query")
    date_is_a_dimension: bool = switch(False, "OW4 A: Date counts among the dimensions of a query")
    daily_queries: int = switch(50, "OW4: queries a UTC day, for each account and API")
    refused_queries_count: bool = switch(True, "OW6 A: a query that was refused has used up quota")
    quota_error: str = switch("quota_exceeded", "OW6 A: the error code of a 429")
    quota_retry_after: bool = switch(False, "OW6 A: a 429 tells in Retry-After how long it is to 00:00 UTC")
    fill_seconds: float = switch(0.0, "DT5, DT6: sandbox seconds until a report's file is filled")
    fill_polls: int = switch(0, "DT5, DT6: how many polls of a file are answered pending first")
    pending: str = switch(
        "empty", "DT6 F: a pending file is an empty 200 (empty) or a 404 (404)", choices=("empty", "404")
    )
    signature: str = switch(
        "amz", "DT6 F: the file's URL is signed with X-Amz-… (amz) or AWSAccessKeyId (aws2)", choices=("amz", "aws2")
    )
    url_seconds: int = switch(10800, "DT5: how long a file's URL is valid, sandbox seconds")
    restate_days: int = switch(10, "OW7 A: performance changes until a day is this old")
    out_hour: int = switch(12, "OW7 A: a day's data is out at this hour, UTC, of the next day")
    late_days: tuple[str, ...] = switch((), "OW7 A: days, YYYY-MM-DD, that are out only late_hours after that hour")
    late_hours: float = switch(6.0, "OW7 A: how many hours a late day is late")
    late: str = switch(
        "pending",
        "DT5 A: a file with a late day in it is filled when the day is out (pending), or with what is there (partial)",
        choices=("pending", "partial"),
    )
    early: str = switch(
        "partial",
        "OW7 A: before that the day has some of its rows (partial) or no row (none)",
        choices=("partial", "none"),
    )
    empty_day_one_in: int = switch(40, "DT8 A: about one day in so many has no traffic, hence no rows; 0: none")
    empty_days: tuple[str, ...] = switch((), "DT8 A: further days, YYYY-MM-DD, with no rows")
    missing_one_in: int = switch(300, "DT8 A: about one row in so many lacks a metric; 0: none")
    huge_one_in: int = switch(20000, "A: about one row in so many has impressions over 2**53; 0: none")
    row_order: str = switch(
        "question",
        "DT8 A: rows are shuffled alike for a question, or anew for each request",
        choices=("question", "request"),
    )
    floats: str = switch(
        "python",
        "DT8 A: floats print as Python's repr (3.63e-05) or JavaScript's (0.0000363)",
        choices=("python", "javascript"),
    )
    line_end: str = switch("\n", "DT8 A: how a line of the file ends", choices=("\n", "\r\n"))
    user_level_reach_days: int = switch(10, "UL2: how many days before today can be had")
    user_level_old: str = switch(
        "refused",
        "UL2 A: an older day is invalid_query (refused), or a file with no rows (empty)",
        choices=("refused", "empty"),
    )
    user_level_out_hour: int = switch(12, "UL2: a day's data is out at this hour, UTC, of the next day")
    user_level_restate_days: int = switch(3, "UL2 A: a day changes until it is this old")
    user_level_disabled_apps: tuple[str, ...] = switch((), "UL3: apps that the report is not enabled for now")
    user_level_disabled: str = switch(
        "refused",
        "UL3 A: a query for such an app, or an unknown one, is invalid_query (refused) or a 403 (forbidden)",
        choices=("refused", "forbidden"),
    )
    user_level_extra_keys: bool = switch(False, "UL1 A: keys in a query that the document does not name pass")
    user_level_daily_queries: int = switch(0, "UL2 A: queries a UTC day, for each account; 0: any number")
    user_level_headers: str = switch(
        "plain",
        "UL4 A: the columns are App ID and Revenue (plain), or Fyber App ID and Revenue (USD) (fyber)",
        choices=("plain", "fyber"),
    )
    user_level_masked: str = switch(
        "empty",
        "UL4 A: the Advertising ID of a row of masked users is empty, all zeros (bare: without dashes), or such a word",
        choices=("empty", "zeros", "bare zeros", "NULL", "None", "Unknown", "n/a"),
    )
    user_level_masked_app: str = switch(
        "kept", "UL4 A: a row of masked users has its App ID (kept), or an empty one", choices=("kept", "empty")
    )
    user_level_masked_apart: bool = switch(
        False, "UL4 A: masked users of one country and placement have a row each, and are not aggregated"
    )
    user_level_huge: bool = switch(True, "A: every day has a row of masked users with impressions over 2**53")
    user_level_rows_factor: float = switch(1.0, "A: how many times the usual users an app has")

    def late_by(self, day: date) -> timedelta:
        """How much later than its hour `day` is out."""
        return timedelta(hours=self.late_hours if day.isoformat() in self.late_days else 0)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("out_hour", "user_level_out_hour"):
            if getattr(self, name) > 23:
                raise ValueError(f"{name} is an hour of the day, 0 to 23")
