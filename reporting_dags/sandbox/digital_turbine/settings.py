"""Digital Turbine's switches: every assumption (A) about what its documents leave open has one."""

from dataclasses import dataclass

from reporting_dags.sandbox.switches import Switches, switch


@dataclass(frozen=True)
class DtSettings(Switches):
    """How Digital Turbine's Offer Wall behaves; every field's description names its rule, or A for an assumption.

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

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.out_hour > 23:
            raise ValueError("out_hour is an hour of the day, 0 to 23")
