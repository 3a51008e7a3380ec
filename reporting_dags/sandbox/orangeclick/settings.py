"""OrangeClickMedia's reporting API: its switches."""

from dataclasses import dataclass

from reporting_dags.sandbox.switches import Switches, switch


@dataclass(frozen=True)
class OrangeClickSettings(Switches):
    """How it behaves; every field's description names its rule, or A for an assumption.

    Raises:
        ValueError: A value is out of range or not among a setting's choices.
    """

    disabled_api_tokens: tuple[str, ...] = switch((), "OC1: API tokens that are not accepted now")
    requests_per_minute: int = switch(5, "OC2: requests of one user within any 60 sandbox seconds")
    refused_requests_count: bool = switch(True, "OC2 A: a request refused for what it says has counted; a 429 never")
    retry_after: str = switch(
        "seconds",
        "OC2 A: a 429 says when to come back in seconds, as an HTTP date, or not at all",
        choices=("seconds", "date", "absent"),
    )
    extra_keys: bool = switch(False, "OC3 A: keys that the document does not name are passed over")
    max_months: int = switch(3, "OC3: months from a range's first day to its last")
    future_allowed: bool = switch(True, "OC3 A: a range may end after today, and has no rows there")
    numbers: str = switch(
        "number", "OC5 A: metrics are JSON numbers, or strings that hold them", choices=("number", "string")
    )
    null_metrics: int = switch(300, "OC5 A: about one row in so many has null as a metric; 0: none")
    lost_domains: tuple[str, ...] = switch((), "OC6 A: domains that are silently missing from every answer")
    out_hour: int = switch(6, "OC7 A: a day's data is out at this hour, UTC, of the next day")
    late_days: tuple[str, ...] = switch((), "OC7 A: days, YYYY-MM-DD, that are out only late_hours after that hour")
    late_hours: float = switch(6.0, "OC7 A: how many hours a late day is late")
    early: str = switch(
        "partial",
        "OC7 A: before that, today included, a day has some of its rows (partial) or no row (none)",
        choices=("partial", "none"),
    )
    restate_days: int = switch(0, "OC7 A: a day changes until it is this old; 0: never once it is out")
    empty_day_one_in: int = switch(40, "A: about one day in so many has no traffic, hence no rows; 0: none")
    empty_days: tuple[str, ...] = switch((), "A: further days, YYYY-MM-DD, with no rows")
    huge: bool = switch(True, "A: every day has a row whose counts are over 2**53")
    rows_factor: float = switch(1.0, "A: how many times the usual rows a day has")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.out_hour > 23:
            raise ValueError("out_hour is an hour of the day, 0 to 23")
