"""The report tables: pages of rows, newest first, with cursors (IN3)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from starlette.responses import JSONResponse, Response

from reporting_dags.sandbox.endpoint import Call, Endpoint, Subject
from reporting_dags.sandbox.faults import Fault
from reporting_dags.sandbox.integr8 import parameters
from reporting_dags.sandbox.integr8.accounts import Account
from reporting_dags.sandbox.integr8.dataset import APPROVED, REJECTED
from reporting_dags.sandbox.integr8.logs import LOGS, Log, LogRow, damaged_objects, rows
from reporting_dags.sandbox.integr8.parameters import MAX_PAGE_SIZE, RefusedError
from reporting_dags.sandbox.integr8.settings import Integr8Settings
from reporting_dags.sandbox.integr8.values import Value

Authorized = Callable[[Callable[[Call, Account], Response]], Any]
FileFaults = Callable[[str, date, date], Sequence[Fault]]
PATH = "/api/v2/reports/v2/"
SINGULAR = {"clicks": "click", "conversions": "conversion", "impressions": "impression"}
FILTERS = ("status", "offer_id", "publisher", "advertiser")
PARAMETERS = frozenset(
    {
        *("integration_id", "start_time", "end_time", "timezone", "page[size]", "page[after]", "page[before]"),
        *(f"filter[{name}]" for name in FILTERS),
    }
)
FAULTS = frozenset({"page_again", "empty_page", "cursor_loop", "count"})

Numbered = tuple[int, LogRow]
"""A row and its index in all rows of the range."""


class Tables:
    """The report tables of one sandbox."""

    def __init__(self, *, seed: int, settings: Callable[[], Integr8Settings], file_faults: FileFaults) -> None:
        self._seed = seed
        self._settings = settings
        self._file_faults = file_faults

    def endpoints(self, authorized: Authorized) -> list[Endpoint]:
        """Return an endpoint for each log with a table. A: clicks and impressions have one."""
        return [
            Endpoint(
                f"integr8.{SINGULAR[log.name]}_table",
                ("GET",),
                f"{PATH}{SINGULAR[log.name]}-table",
                authorized(self._handler(log)),
                subject=self._subject(log),
                handler_faults=FAULTS,
            )
            for log in LOGS
            if log.name in SINGULAR
        ]

    def _subject(self, log: Log) -> Callable[[Call], Subject | None]:
        def subject(call: Call) -> Subject | None:
            try:
                return Subject(log.name, *parameters.time_range(dict(call.query)).days)
            except RefusedError:
                return None

        return subject

    def _handler(self, log: Log) -> Callable[[Call, Account], Response]:
        def respond(call: Call, account: Account) -> Response:
            return JSONResponse({"data": self._page(log, call, account)})

        return respond

    def _page(self, log: Log, call: Call, account: Account) -> dict[str, Any]:
        settings = self._settings()
        given = parameters.parse(call.query, PARAMETERS, settings)
        integration, span = parameters.required(given, "integration_id"), parameters.time_range(given)
        parameters.required(given, "page[size]")
        size = parameters.number(given, "page[size]", MAX_PAGE_SIZE, MAX_PAGE_SIZE)
        filters = _filters(given)
        if integration != account.integration_id:
            raise RefusedError(404, "The requested integration doesn't exist.")
        every = rows(self._seed, account, log, span, at=call.now, settings=settings)[::-1]
        matching = [(n, row) for n, row in enumerate(every) if all(row[1][name] == filters[name] for name in filters)]
        page = _page_rows(every, matching, given, size, call=call, split=settings.split_events)
        info = _page_info(page, matching, given, call)
        if call.fault_is("empty_page"):
            page = []
        count = len(matching) if settings.count == "total" else len(page)
        if call.fault is not None and call.fault_is("count"):
            count = call.fault["count"]
        faults = self._file_faults(log.name, *span.days)
        objects = damaged_objects(log.fields, [values for _, (_, values) in page], faults, log.time)
        result = [_without_null(one) for one in objects] if settings.omit_empty else objects
        return {"count": count, "data": result, "pageInfo": info}


def _filters(given: Mapping[str, str]) -> dict[str, str]:
    filters = {name: given[f"filter[{name}]"] for name in FILTERS if f"filter[{name}]" in given}
    if filters.get("status", APPROVED) not in {APPROVED, REJECTED}:
        raise RefusedError(400, "filter[status] must be Approved or Rejected")
    return filters


def _page_rows(
    every: Sequence[LogRow], matching: list[Numbered], given: Mapping[str, str], size: int, *, call: Call, split: bool
) -> list[Numbered]:
    """Return the rows after or before the cursor, without the rows that have its real_tx_id."""
    after, before = given.get("page[after]"), given.get("page[before]")
    if after is not None and before is not None:
        raise RefusedError(400, "page[after] and page[before] are mutually exclusive")
    cursor = after if after is not None else before
    if cursor is None:
        return _first_rows(matching, size, split=split)
    at = [n for n, (key, _) in enumerate(every) if key == cursor]
    if not at:
        raise RefusedError(400, "the cursor is not an existing transaction ID")
    if before is not None:
        return _first_rows([row for row in matching if row[0] < at[0]][::-1], size, split=split)[::-1]
    begin = at[-1] + 1
    if call.fault_is("page_again"):
        begin = max((n for n, _ in matching if n < begin), default=begin)
    return _first_rows([row for row in matching if row[0] >= begin], size, split=split)


def _first_rows(items: list[Numbered], size: int, *, split: bool) -> list[Numbered]:
    """Return the first `size` rows. Rows with one real_tx_id stay on one page, which can be longer, unless `split`."""
    if split or len(items) <= size:
        return items[:size]
    split_key = items[size][1][0]
    if items[0][1][0] == split_key:
        return [row for row in items if row[1][0] == split_key]
    return [row for row in items[:size] if row[1][0] != split_key]


def _page_info(
    page: list[Numbered], matching: list[Numbered], given: Mapping[str, str], call: Call
) -> dict[str, str | bool]:
    stays = given.get("page[after]", "")
    if call.fault_is("empty_page") or (call.fault_is("cursor_loop") and not page):
        return {"startCursor": "", "endCursor": stays, "hasNextPage": True, "hasPreviousPage": bool(stays)}
    if not page:
        return {"startCursor": "", "endCursor": "", "hasNextPage": False, "hasPreviousPage": bool(stays)}
    info: dict[str, str | bool] = {
        "startCursor": page[0][1][0],
        "endCursor": page[-1][1][0],
        "hasNextPage": matching[-1][0] > page[-1][0],
        "hasPreviousPage": matching[0][0] < page[0][0],
    }
    if call.fault_is("cursor_loop"):
        return {**info, "endCursor": stays, "hasNextPage": True}
    return info


def _without_null(one: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in one.items() if value is not None}
