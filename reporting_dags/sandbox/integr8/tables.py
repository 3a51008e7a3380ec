"""The report tables: pages of rows, newest first, behind cursors (IN3)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from starlette.responses import JSONResponse, Response

from reporting_dags.sandbox.endpoint import Call, Endpoint, Subject
from reporting_dags.sandbox.faults import Fault
from reporting_dags.sandbox.integr8 import asked
from reporting_dags.sandbox.integr8.accounts import Account
from reporting_dags.sandbox.integr8.answer import LOGS, Log, Shown, harmed, rows
from reporting_dags.sandbox.integr8.asked import LARGEST_PAGE, RefusedError
from reporting_dags.sandbox.integr8.settings import Integr8Settings
from reporting_dags.sandbox.integr8.values import Value
from reporting_dags.sandbox.integr8.world import APPROVED, REJECTED

Guard = Callable[[Callable[[Call, Account], Response]], Any]
Struck = Callable[[str, date, date], Sequence[Fault]]
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

Numbered = tuple[int, Shown]
"""A row and its place among all rows of the range."""


class Tables:
    """The report tables of one sandbox."""

    def __init__(self, *, seed: int, settings: Callable[[], Integr8Settings], struck: Struck) -> None:
        self._seed = seed
        self._settings = settings
        self._struck = struck

    def endpoints(self, guarded: Guard) -> list[Endpoint]:
        """A table for each log that has one; that clicks and impressions have is assumed (A)."""
        return [
            Endpoint(
                f"integr8.{SINGULAR[log.name]}_table",
                ("GET",),
                f"{PATH}{SINGULAR[log.name]}-table",
                guarded(self._handler(log)),
                subject=self._subject(log),
                carries_out=FAULTS,
            )
            for log in LOGS
            if log.name in SINGULAR
        ]

    def _subject(self, log: Log) -> Callable[[Call], Subject | None]:
        def subject(call: Call) -> Subject | None:
            try:
                return Subject(log.name, *asked.span(dict(call.query)).days)
            except RefusedError:
                return None

        return subject

    def _handler(self, log: Log) -> Callable[[Call, Account], Response]:
        def answer(call: Call, account: Account) -> Response:
            return JSONResponse({"data": self._page(log, call, account)})

        return answer

    def _page(self, log: Log, call: Call, account: Account) -> dict[str, Any]:
        settings = self._settings()
        given = asked.named(call.query, PARAMETERS, settings)
        integration, span = asked.required(given, "integration_id"), asked.span(given)
        asked.required(given, "page[size]")
        size = asked.number(given, "page[size]", LARGEST_PAGE, LARGEST_PAGE)
        filters = _filters(given)
        if integration != account.integration_id:
            raise RefusedError(404, "The requested integration doesn't exist.")
        every = rows(self._seed, account, log, span, at=call.now, settings=settings)[::-1]
        wanted = [(n, row) for n, row in enumerate(every) if all(row[1][name] == filters[name] for name in filters)]
        page = _cut(every, wanted, given, size, call=call, split=settings.split_events)
        info = _page_info(page, wanted, given, call)
        if call.fault_is("empty_page"):
            page = []
        count = len(wanted) if settings.count == "total" else len(page)
        if call.fault is not None and call.fault_is("count"):
            count = call.fault["count"]
        faults = self._struck(log.name, *span.days)
        objects = harmed(log.fields, [values for _, (_, values) in page], faults, log.time)
        shown = [_without_null(one) for one in objects] if settings.omit_empty else objects
        return {"count": count, "data": shown, "pageInfo": info}


def _filters(given: Mapping[str, str]) -> dict[str, str]:
    filters = {name: given[f"filter[{name}]"] for name in FILTERS if f"filter[{name}]" in given}
    if filters.get("status", APPROVED) not in {APPROVED, REJECTED}:
        raise RefusedError(400, "filter[status] is Approved or Rejected")
    return filters


def _cut(
    every: Sequence[Shown], wanted: list[Numbered], given: Mapping[str, str], size: int, *, call: Call, split: bool
) -> list[Numbered]:
    """The page after or before the cursor; both exclude every row of its real_tx_id."""
    after, before = given.get("page[after]"), given.get("page[before]")
    if after is not None and before is not None:
        raise RefusedError(400, "page[after] and page[before] are mutually exclusive")
    cursor = after if after is not None else before
    if cursor is None:
        return _first(wanted, size, split=split)
    at = [n for n, (key, _) in enumerate(every) if key == cursor]
    if not at:
        raise RefusedError(400, "the cursor is no existing transaction ID")
    if before is not None:
        return _first([row for row in wanted if row[0] < at[0]][::-1], size, split=split)[::-1]
    begin = at[-1] + 1
    if call.fault_is("page_again"):
        begin = max((n for n, _ in wanted if n < begin), default=begin)
    return _first([row for row in wanted if row[0] >= begin], size, split=split)


def _first(found: list[Numbered], size: int, *, split: bool) -> list[Numbered]:
    """The first `size` rows; those of one real_tx_id stay together, on a longer page if need be, unless `split`."""
    if split or len(found) <= size:
        return found[:size]
    parted = found[size][1][0]
    if found[0][1][0] == parted:
        return [row for row in found if row[1][0] == parted]
    return [row for row in found[:size] if row[1][0] != parted]


def _page_info(
    page: list[Numbered], wanted: list[Numbered], given: Mapping[str, str], call: Call
) -> dict[str, str | bool]:
    stays = given.get("page[after]", "")
    if call.fault_is("empty_page") or (call.fault_is("cursor_loop") and not page):
        return {"startCursor": "", "endCursor": stays, "hasNextPage": True, "hasPreviousPage": bool(stays)}
    if not page:
        return {"startCursor": "", "endCursor": "", "hasNextPage": False, "hasPreviousPage": bool(stays)}
    info: dict[str, str | bool] = {
        "startCursor": page[0][1][0],
        "endCursor": page[-1][1][0],
        "hasNextPage": wanted[-1][0] > page[-1][0],
        "hasPreviousPage": wanted[0][0] < page[0][0],
    }
    if call.fault_is("cursor_loop"):
        return {**info, "endCursor": stays, "hasNextPage": True}
    return info


def _without_null(one: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in one.items() if value is not None}
