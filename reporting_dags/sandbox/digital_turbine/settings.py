"""Digital Turbine's switches: every assumption (A) about what its documents leave open has one."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

CHOICES: Mapping[str, tuple[str, ...]] = {
    "pending": ("empty", "404"),
    "signature": ("amz", "aws2"),
    "early": ("partial", "none"),
    "row_order": ("question", "request"),
    "floats": ("python", "javascript"),
    "line_end": ("\n", "\r\n"),
}


def _setting(default: Any, description: str) -> Any:
    return field(default=default, metadata={"description": description})


@dataclass(frozen=True)
class DtSettings:
    """How Digital Turbine's Offer Wall behaves; every field's description names its rule, or A for an assumption.

    Raises:
        ValueError: A value is out of range or not among a setting's choices.
    """

    token_seconds: int = _setting(3600, "DT1: how long a token lives, sandbox seconds, and what expiresIn says")
    disabled_client_ids: tuple[str, ...] = _setting((), "DT2, DT3: accounts that are disabled now, tokens included")
    describe_errors: bool = _setting(True, "A: an error body also has error_description, in the document's words")
    format_required: bool = _setting(True, "A: a report request with no format parameter at all is invalid_format")
    extra_keys: bool = _setting(False, "A: keys in a query that the document does not name are passed over")
    found_names: bool = _setting(True, "OW3 F: metrics and dimensions that only public sources name are known too")
    max_days: int = _setting(90, "OW4: days in one query, first and last both counted")
    max_dimensions: int = _setting(5, "OW4: dimensions in one query")
    date_is_a_dimension: bool = _setting(False, "OW4 A: Date counts among the dimensions of a query")
    daily_queries: int = _setting(50, "OW4: queries a UTC day, for each account and API")
    refused_queries_count: bool = _setting(True, "OW6 A: a query that was refused has used up quota")
    quota_error: str = _setting("quota_exceeded", "OW6 A: the error code of a 429")
    quota_retry_after: bool = _setting(False, "OW6 A: a 429 tells in Retry-After how long it is to 00:00 UTC")
    fill_seconds: float = _setting(0.0, "DT5, DT6: sandbox seconds until a report's file is filled")
    fill_polls: int = _setting(0, "DT5, DT6: how many polls of a file are answered pending first")
    pending: str = _setting("empty", "DT6 F: a pending file is an empty 200 (empty) or a 404 (404)")
    signature: str = _setting("amz", "DT6 F: the file's URL is signed with X-Amz-… (amz) or AWSAccessKeyId (aws2)")
    url_seconds: int = _setting(10800, "DT5: how long a file's URL is valid, sandbox seconds")
    restate_days: int = _setting(10, "OW7 A: performance changes until a day is this old")
    out_hour: int = _setting(12, "OW7 A: a day's data is out at this hour, UTC, of the next day")
    early: str = _setting("partial", "OW7 A: before that the day has some of its rows (partial) or no row (none)")
    empty_day_one_in: int = _setting(40, "DT8 A: about one day in so many has no traffic, hence no rows; 0: none")
    empty_days: tuple[str, ...] = _setting((), "DT8 A: further days, YYYY-MM-DD, with no rows")
    missing_one_in: int = _setting(300, "DT8 A: about one row in so many lacks a metric; 0: none")
    huge_one_in: int = _setting(20000, "A: about one row in so many has impressions over 2**53; 0: none")
    row_order: str = _setting("question", "DT8 A: rows are shuffled alike for a question, or anew for each request")
    floats: str = _setting("python", "DT8 A: floats print as Python's repr (3.63e-05) or JavaScript's (0.0000363)")
    line_end: str = _setting("\n", "DT8 A: how a line of the file ends")

    def __post_init__(self) -> None:
        for one in fields(self):
            value, kind = getattr(self, one.name), type(one.default)
            allowed = (int, float) if kind is float else (kind,)
            # A bool is an int to isinstance, but no number of anything.
            if not isinstance(value, allowed) or isinstance(value, bool) is not (kind is bool):
                raise ValueError(f"{one.name} is {kind.__name__}, not {value!r}")
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is one of {choices}, not {getattr(self, name)!r}")
        for name, value in self.__dict__.items():
            if isinstance(value, int | float) and value < 0:
                raise ValueError(f"{name} cannot be negative")
        if self.out_hour > 23:
            raise ValueError("out_hour is an hour of the day, 0 to 23")
