"""The settings of the emulated Integr8 API: one for every finding (F) and assumption (A)."""

from dataclasses import dataclass

from reporting_dags.sandbox.provider_settings import ProviderSettings, setting


@dataclass(frozen=True)
class Integr8Settings(ProviderSettings):
    """The behavior of the API. Each description begins with the rule, or A for an assumption.

    Raises:
        ValueError: a value is out of range or not one of the choices.
    """

    error_shape: str = setting(
        "object",
        "IN1 A: an error body is {error: {message}} (object) or {error: message} (text)",
        choices=("object", "text"),
    )
    requests_per_minute: int = setting(
        60, "IN10 A: requests of an account in 60 seconds; downloads of files do not count"
    )
    retry_after: bool = setting(False, "IN10 A: a 429 has Retry-After with the seconds to wait")
    unknown_parameters: bool = setting(False, "A: undocumented parameters are ignored")
    list_page_size: int = setting(25, "IN2 A: default page size of lists")
    count: str = setting(
        "total",
        "IN3 A: data.count is the number of rows of the range and filters (total), or of the page (page)",
        choices=("total", "page"),
    )
    omit_empty: bool = setting(False, "IN3 A: a row of a report table omits keys whose value is null")
    split_events: bool = setting(
        False, "IN3 A: a page can end between rows with the same real_tx_id, and the cursor then skips the other rows"
    )
    end_counts: bool = setting(False, "IN10 A: end_time is included in the range")
    export_params: str = setting(
        "either",
        "IN4 A: the parameters of an export are read from the query, the form body, or either",
        choices=("either", "query", "form"),
    )
    export_times: str = setting(
        "iso",
        "IN4 A: times in an export are as in the documented rows (iso), or local times without an offset (local)",
        choices=("iso", "local"),
    )
    extra_parameters_may_be_empty: bool = setting(False, "IN4 A: extra_parameters can be empty")
    wrap_export: bool = setting(True, "IN5 A: GET of an export returns it in the key data")
    signed_url_seconds: int = setting(900, "IN8 A: seconds for which a signed URL is valid")
    completed_status: str = setting("COMPLETED", "IN6 F: the status of a completed export")
    fill_seconds: float = setting(0.0, "IN6: seconds until an export is completed")
    fill_polls: int = setting(1, "IN6: number of polls for which an export is not completed")
    rows_limit: int = setting(
        5_000_000,
        "IN8 F: maximum number of rows of an export; a longer one has only the first rows and range_truncated",
    )
    exports_per_day: int = setting(10, "IN8 F: exports per UTC day and account; refused ones do not count")
    quota_status: int = setting(429, "IN8 A: HTTP status of a request over that quota")
    keep_days: int = setting(90, "IN8 F: days for which the file of an export is kept")
    shared_keys: int = setting(
        0, "IN10 A: one row of about this many has the key of the row before it on the same UTC day; 0: no such rows"
    )
    unknown_fields: tuple[str, ...] = setting((), "IN4 A: fields that the API does not know; their values are empty")
    unknown_fields_shown: bool = setting(True, "IN4 A: an export has an empty column for such a field")
    restate_days: int = setting(30, "IN9 A: age in days until which conversions can become Rejected")
    mask_personal: bool = setting(False, "IN9 F: IP addresses are masked and e-mail addresses are hashed")
    null_texts: bool = setting(True, "A: some texts are null; otherwise they are empty")
    delay_seconds: float = setting(0.0, "A: seconds after its time until a row is available")
    rows_factor: float = setting(1.0, "A: factor for the number of rows")
    empty_day_one_in: int = setting(40, "A: one day of about this many has no rows; 0: no such days")
    empty_days: tuple[str, ...] = setting((), "A: further UTC days, YYYY-MM-DD, without rows")

    lost_offers: tuple[str, ...] = setting((), "A: ids of deleted offers, which the list does not have")
    offer_currencies: tuple[str, ...] = setting((), "A: offers with a changed currency, each as id=currency")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 400 <= self.quota_status <= 599:
            raise ValueError("quota_status must be an error status, 400 to 599")
        if not 1 <= self.list_page_size <= 100:
            raise ValueError("list_page_size must be 1 to 100")
