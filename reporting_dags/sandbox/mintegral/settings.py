"""The settings of the emulated Mintegral API: one for every assumption (A) about undocumented behavior."""

from dataclasses import dataclass

from reporting_dags.sandbox.provider_settings import ProviderSettings, setting


@dataclass(frozen=True)
class MintegralSettings(ProviderSettings):
    """The behavior of the API. Each description begins with the rule, or A for an assumption.

    Raises:
        ValueError: a value is out of range or not one of the choices.
    """

    token_seconds: int = setting(
        300, "MT1 A: maximum difference in seconds between the timestamp of a token and the current time"
    )
    disabled_access_keys: tuple[str, ...] = setting((), "A: access keys of disabled accounts")
    fill_seconds: float = setting(0.0, "MT2: seconds until requested data is generated")
    fill_polls: int = setting(1, "MT2: number of type=1 calls with response 202 after the first call")
    ready_at_once: bool = setting(False, "MT2 A: the first type=1 call returns 200")
    data_missing: bool = setting(True, "MT8 F: a response whose code is not 200 has no data")
    keep_days: int = setting(30, "MT3: days for which generated data is kept (A: a month has 30)")
    max_days: int = setting(7, "MT4: maximum number of days in one request")
    history_months: int = setting(6, "MT4: number of months for which data is available")
    plus_is_space_error: bool = setting(True, "MT4 A: an unescaped + is read as a space, which is an invalid timezone")
    extra_parameters: bool = setting(False, "A: undocumented parameters are ignored")
    hour_form: str = setting(
        "unix",
        "MT6 A: Timestamp of an hourly report is in Unix seconds (unix), YYYYMMDDHH in the report's zone (digits), or "
        "a local time without an offset (text)",
        choices=("unix", "digits", "text"),
    )
    out_minutes: int = setting(
        90, "MT7: minutes after its end, in the time zone of the report, until a day is complete"
    )
    late_days: tuple[str, ...] = setting((), "MT7 F: days, YYYY-MM-DD, that are complete only after late_minutes")
    late_minutes: int = setting(240, "MT7 F: minutes after its end until a late day is complete")
    restate_days: int = setting(0, "A: age in days until which a complete day changes; 0: it never changes")
    empty_day_one_in: int = setting(40, "A: one UTC day of about this many has no rows; 0: no such days")
    empty_days: tuple[str, ...] = setting((), "A: further UTC days, YYYY-MM-DD, without rows")
    rows_factor: float = setting(1.0, "A: factor for the number of ordinary rows")
    no_ratio: str = setting("0.0", "A: text of a ratio whose denominator is 0")
    huge: bool = setting(True, "A: every day has a row with impressions over 2**53")
    corrections: bool = setting(True, "A: every day has a row with a negative spend")
