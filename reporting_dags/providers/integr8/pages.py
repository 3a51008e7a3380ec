"""Pages of rows: entity lists by number (IN2), report tables by cursor (IN3). Each page is handed on as it came."""

import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from reporting_dags.model.days import Window
from reporting_dags.model.errors import Failed, Partial
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Meter, Quota, Request
from reporting_dags.providers.http.errors import RETRY_LATER
from reporting_dags.providers.http.response import json_object, row_count_in
from reporting_dags.providers.integr8.exports import span
from reporting_dags.providers.integr8.report import CountQuery
from reporting_dags.providers.integr8.session import MAX_PAGES, NAME, PAGE_SIZE, Integr8Session

PAGES = Quota(bucket="integr8 pages")


class Pages:
    """Entity lists and report tables of one integration, as `Integr8` uses them."""

    def __init__(self, session: Integr8Session) -> None:
        self._session = session

    @contextmanager
    def table(self, report: Report, request: Request, meter: Meter) -> Generator[Iterator[bytes]]:
        """Every page of a report table, latest rows first.

        Raises:
            Partial: pages overlap, are empty before the end, or go round in circles: the table moved while it was read.
        """
        first, last = span(request)
        params = {
            "integration_id": self._session.integration,
            "start_time": first.strftime("%Y-%m-%d %H:%M:%S"),
            "end_time": last.strftime("%Y-%m-%d %H:%M:%S"),
            "timezone": report.query.timezone,
            "page[size]": str(PAGE_SIZE),
            **{f"filter[{name}]": value for name, value in report.query.filters},
        }
        yield self._by_cursor(report.query.table, params, meter)

    def _by_cursor(self, table: str, params: dict[str, str], meter: Meter) -> Iterator[bytes]:
        seen: set[str] = set()
        before: set[str] = set()
        again, held, counts = False, 0, set[object]()
        for _ in range(MAX_PAGES):
            meter(PAGES)
            answer = self._session.get(self._session.paths.table, params, table=table)
            data = json_object(json_object(answer.json()).get("data"))
            if not data:
                self._session.refuse(answer, f"GET {table}")
            info, rows = json_object(data.get("pageInfo")), _rows(data.get("data"))
            again = again or bool(before & set(rows))
            before, held = set(rows), held + len(rows)
            counts.add(data.get("count"))
            if not isinstance(info.get("hasNextPage"), bool):
                raise Partial(
                    f"a page of {NAME}'s {table} does not say whether it is the last (IN3)", advice=RETRY_LATER
                )
            yield answer.body + b"\n"
            if not info["hasNextPage"]:
                # Rows may be alike (IN10); those of a count of all rows are no two readings of one.
                if again and counts != {held}:
                    raise Partial(
                        f"two pages of {NAME}'s {table} hold the same row: the table moved", advice=RETRY_LATER
                    )
                return
            cursor = info.get("endCursor")
            if cursor in seen or not rows:
                kind = "is empty" if not rows else "points back"
                raise Partial(
                    f"a page of {NAME}'s {table} {kind} though there are more: the table moved", advice=RETRY_LATER
                )
            if not isinstance(cursor, str) or not cursor:
                raise Failed(f"a page of {NAME}'s {table} has a next one and no endCursor (IN3)")
            seen.add(cursor)
            params = {**params, "page[after]": cursor}
        raise Failed(f"{NAME}'s {table} has more than {MAX_PAGES} pages: use an export")

    @contextmanager
    def counts(self, report: Report, request: Request, meter: Meter) -> Generator[Iterator[bytes]]:
        """How many rows each day of a report table has, as a table of our own: `Date,rows` (IN3)."""
        yield self._counted(report.query, request, meter)

    def _counted(self, query: CountQuery, request: Request, meter: Meter) -> Iterator[bytes]:
        yield b"Date,rows\n"
        for day in request.window.days:
            first, last = span(Request(Window(day, day)))
            params = {
                "integration_id": self._session.integration,
                "start_time": first.strftime("%Y-%m-%d %H:%M:%S"),
                "end_time": last.strftime("%Y-%m-%d %H:%M:%S"),
                "timezone": query.timezone,
                "page[size]": "1",
            }
            meter(PAGES)
            answer = self._session.get(self._session.paths.table, params, table=query.table)
            data = json_object(json_object(answer.json()).get("data"))
            if not data:
                self._session.refuse(answer, f"GET {query.table}")
            count, rows = row_count_in(data.get("count")), data.get("data")
            shown = len(cast("list[object]", rows)) if isinstance(rows, list) else 0
            more = json_object(data.get("pageInfo")).get("hasNextPage")
            if count is None or (more and count <= shown):
                raise Failed(f"{NAME}'s {query.table} does not count the rows of a day (IN3)")
            yield f"{day},{count}\n".encode()

    @contextmanager
    def entities(self, report: Report, meter: Meter) -> Generator[Iterator[bytes]]:
        """Every page of an entity list."""
        path = getattr(self._session.paths, report.query.entity)
        yield (answer.body + b"\n" for answer, _ in self._session.pages(path, before=lambda: meter(PAGES)))


def _rows(rows: Any) -> Sequence[str]:
    """The rows of a page as texts that can be compared: no key of them is promised to be unique (IN10)."""
    if not isinstance(rows, list):
        return ()
    return [json.dumps(row, sort_keys=True) for row in rows]
