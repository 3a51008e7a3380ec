"""Integr8's switches: every finding (F) and assumption (A) about what its document leaves open has one."""

from dataclasses import dataclass

from reporting_dags.sandbox.switches import Switches, switch


@dataclass(frozen=True)
class Integr8Settings(Switches):
    """How Integr8 behaves; every field's description names its rule, or A for an assumption.

    Raises:
        ValueError: A value is out of range or not among a setting's choices.
    """

    error_shape: str = switch(
        "object",
        "IN1 A: an error body is {error: {message}} (object) or {error: message} (text)",
        choices=("object", "text"),
    )
    requests_per_minute: int = switch(60, "IN10 A: requests in any 60 seconds, for each account; files not counted")
    retry_after: bool = switch(False, "IN10 A: a 429 tells in Retry-After how many seconds to wait")
    unknown_parameters: bool = switch(False, "A: parameters that the document does not name are passed over")
    list_page_size: int = switch(25, "IN2 A: objects on a page of a list when page[size] is left out")
    count: str = switch(
        "total",
        "IN3 A: data.count counts the rows of the range and filters (total) or of the page (page)",
        choices=("total", "page"),
    )
    omit_empty: bool = switch(False, "IN3 A: a row of a report table leaves out the keys that are null")
    split_events: bool = switch(
        False, "IN3 A: a page can end between rows of one real_tx_id, and the cursor then passes over the rest"
    )
    end_counts: bool = switch(False, "IN10 A: a row at end_time itself is in the range")
    export_params: str = switch(
        "either",
        "IN4 A: an export's parameters are read from the query, the form body, or either",
        choices=("either", "query", "form"),
    )
    export_times: str = switch(
        "iso",
        "IN4 A: an export's times are as in the document's rows (iso), or local to its timezone without offset (local)",
        choices=("iso", "local"),
    )
    extra_parameters_may_be_empty: bool = switch(False, "IN4 A: extra_parameters may be given with no value")
    wrap_export: bool = switch(True, "IN5 A: GET of an export wraps it in data")
    signed_url_seconds: int = switch(900, "IN8 A: how long a signed URL is valid, sandbox seconds")
    completed_status: str = switch("COMPLETED", "IN6 F: the status of an export whose file is there")
    fill_seconds: float = switch(0.0, "IN6: sandbox seconds until an export is completed")
    fill_polls: int = switch(1, "IN6: how many questions for an export's status are answered unfinished first")
    rows_limit: int = switch(5_000_000, "IN8 F: an export with more rows holds the first so many, range_truncated")
    exports_per_day: int = switch(10, "IN8 F: exports a UTC day, for each account; refused ones are not counted")
    quota_status: int = switch(429, "IN8 A: the status of an export over that")
    keep_days: int = switch(90, "IN8 F: days that an export's file is kept")
    shared_keys: int = switch(
        0, "IN10 A: about one row in so many has the key of the row before it on the same UTC day; 0: none"
    )
    unknown_fields: tuple[str, ...] = switch((), "IN4 A: fields that it does not know by these names: they come empty")
    unknown_fields_shown: bool = switch(True, "IN4 A: an export has a column for such a field, which is empty")
    restate_days: int = switch(30, "IN9 A: conversions turn to Rejected until they are this old")
    mask_personal: bool = switch(False, "IN9 F: IP addresses are masked and e-mails hashed")
    null_texts: bool = switch(True, "A: some texts are null; else they are empty")
    delay_seconds: float = switch(0.0, "A: sandbox seconds after its own time that a row is known")
    rows_factor: float = switch(1.0, "A: so many times the usual rows a day")
    empty_day_one_in: int = switch(40, "A: about one day in so many has no traffic, hence no rows; 0: none")
    empty_days: tuple[str, ...] = switch((), "A: further days, YYYY-MM-DD in UTC, with no rows")

    lost_offers: tuple[str, ...] = switch((), "A: ids of offers that the list no longer has: they were deleted")
    offer_currencies: tuple[str, ...] = switch((), "A: offers whose currency was edited, each as id=currency")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 400 <= self.quota_status <= 599:
            raise ValueError("quota_status is the status of an error, 400 to 599")
        if not 1 <= self.list_page_size <= 100:
            raise ValueError("list_page_size is 1 to 100")
