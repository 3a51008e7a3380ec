"""Mintegral's Advanced Performance reporting: its switches; every assumption (A) has one."""

from dataclasses import dataclass

from reporting_dags.sandbox.switches import Switches, switch


@dataclass(frozen=True)
class MintegralSettings(Switches):
    """How it behaves; every field's description names its rule, or A for an assumption.

    Raises:
        ValueError: A value is out of range or not among a setting's choices.
    """

    token_seconds: int = switch(300, "MT1 A: how far a token's timestamp may be from the sandbox's time")
    disabled_access_keys: tuple[str, ...] = switch((), "A: accounts that are disabled now")
    fill_seconds: float = switch(0.0, "MT2: sandbox seconds until requested data is generated")
    fill_polls: int = switch(1, "MT2: how many type=1 calls after the one that began it are answered 202 first")
    ready_at_once: bool = switch(False, "MT2 A: the very first type=1 call answers 200")
    data_missing: bool = switch(True, "MT8 F: an answer whose code is not 200 has no data")
    keep_days: int = switch(30, "MT3: how many days generated data is kept; a month is taken to be so many (A)")
    max_days: int = switch(7, "MT4: days in one request, first and last both counted")
    history_months: int = switch(6, "MT4: how many months ago the first day may be")
    plus_is_space_error: bool = switch(True, "MT4 A: a + sent as it is arrives as a space, which is no timezone")
    extra_parameters: bool = switch(False, "A: parameters that the document does not name are passed over")
    hour_form: str = switch(
        "unix",
        "MT6 A: Timestamp of an hourly report is in Unix seconds (unix), YYYYMMDDHH in the report's zone (digits), or "
        "a local time without an offset (text)",
        choices=("unix", "digits", "text"),
    )
    out_minutes: int = switch(90, "MT7: minutes after its end in the report's zone when a day is complete")
    late_days: tuple[str, ...] = switch((), "MT7 F: days, YYYY-MM-DD, that are complete only late_minutes after")
    late_minutes: int = switch(240, "MT7 F: minutes after its end in the report's zone when a late day is complete")
    restate_days: int = switch(0, "A: a complete day changes until it is this old; 0: never")
    empty_day_one_in: int = switch(40, "A: about one UTC day in so many has no traffic, hence no rows; 0: none")
    empty_days: tuple[str, ...] = switch((), "A: further UTC days, YYYY-MM-DD, with no rows")
    rows_factor: float = switch(1.0, "A: how many times the ordinary rows there are")
    no_ratio: str = switch("0.0", "A: what stands for a ratio where there is nothing to divide by")
    huge: bool = switch(True, "A: every day has a row with impressions over 2**53")
    corrections: bool = switch(True, "A: every day has a row with a negative spend")
