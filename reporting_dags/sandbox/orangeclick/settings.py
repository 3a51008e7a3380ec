"""The settings of the emulated OrangeClickMedia API."""

from dataclasses import dataclass

from reporting_dags.sandbox.provider_settings import ProviderSettings, setting


@dataclass(frozen=True)
class OrangeClickSettings(ProviderSettings):
    """The behavior of the API. Each description begins with the rule, or A for an assumption.

    Raises:
        ValueError: a value is out of range or not one of the choices.
    """

    disabled_api_tokens: tuple[str, ...] = setting((), "OC1: API tokens that are not accepted")
    requests_per_minute: int = setting(5, "OC2: requests of one user in 60 seconds")
    refused_requests_count: bool = setting(True, "OC2 A: an invalid request counts against the limit; a 429 never does")
    retry_after: str = setting(
        "seconds",
        "OC2 A: a 429 has Retry-After in seconds, as an HTTP date, or not at all",
        choices=("seconds", "date", "absent"),
    )
    extra_keys: bool = setting(False, "OC3 A: undocumented keys are ignored")
    max_months: int = setting(3, "OC3: maximum number of months in a date range")
    future_allowed: bool = setting(True, "OC3 A: a range can end after today; future days have no rows")
    numbers: str = setting(
        "number", "OC5 A: metrics are JSON numbers, or strings of them", choices=("number", "string")
    )
    null_metrics: int = setting(300, "OC5 A: one row of about this many has null as a metric; 0: no such rows")
    lost_domains: tuple[str, ...] = setting((), "OC6 A: domains that are silently missing in every response")
    out_hour: int = setting(6, "OC7 A: hour, UTC, of the next day at which a day is published")
    late_days: tuple[str, ...] = setting((), "OC7 A: days, YYYY-MM-DD, that are published late_hours later")
    late_hours: float = setting(6.0, "OC7 A: delay of late days in hours")
    early: str = setting(
        "partial",
        "OC7 A: before its publication, a day (also today) has some of its rows (partial) or no rows (none)",
        choices=("partial", "none"),
    )
    restate_days: int = setting(
        0, "OC7 A: age in days until which a day changes; 0: it does not change after publication"
    )
    empty_day_one_in: int = setting(40, "A: one day of about this many has no rows; 0: no such days")
    empty_days: tuple[str, ...] = setting((), "A: further days, YYYY-MM-DD, without rows")
    huge: bool = setting(True, "A: every day has a row with counts over 2**53")
    rows_factor: float = setting(1.0, "A: factor for the number of rows")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.out_hour > 23:
            raise ValueError("out_hour must be an hour of the day, 0 to 23")
