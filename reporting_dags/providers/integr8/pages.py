"""Pages of rows: entity lists by page number (IN2), report tables by cursor (IN3). Pages are returned unchanged."""

import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from reporting_dags.model.days import Window
from reporting_dags.model.errors import Failed, Partial
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Meter, Quota, Request
from reporting_dags.providers.http.errors import RETRY_LATER
from reporting_dags.providers.http.response import json_integer, json_object
from reporting_dags.providers.integr8.exports import time_range
from reporting_dags.providers.integr8.report import CountQuery
from reporting_dags.providers.integr8.session import MAX_PAGES, NAME, PAGE_SIZE, Integr8Session

PAGES = Quota(bucket="integr8 pages")
_TABLE_CHANGED = "the table changed while it was read"


class Pages:
    """Reads the entity lists and report tables of one integration."""

    def __init__(self, session: Integr8Session) -> None:
        self._session = session

    @contextmanager
    def table(self, report: Report, request: Request, meter: Meter) -> Generator[Iterator[bytes]]:
        """Return all pages of a report table, latest rows first.

        Raises:
            Partial: pages overlap, are empty before the end, or repeat: the table changed while it was read.
        """
        start, end = time_range(request)
        params = {
            "integration_id": self._session.integration,
            "start_time": start.strftime("%Y-%m-%d %H:%M:%S"),
            "end_time": end.strftime("%Y-%m-%d %H:%M:%S"),
            "timezone": report.query.timezone,
            "page[size]": str(PAGE_SIZE),
            **{f"filter[{name}]": value for name, value in report.query.filters},
        }
        yield self._table_pages(report.query.table, params, meter)

    def _table_pages(self, table: str, params: dict[str, str], meter: Meter) -> Iterator[bytes]:
        cursors: set[str] = set()
        previous_rows: set[str] = set()
        is_repeated, row_count, counts = False, 0, set[object]()
        for _ in range(MAX_PAGES):
            meter(PAGES)
            response = self._session.get(self._session.paths.table, params, table=table)
            data = json_object(json_object(response.json()).get("data"))
            if not data:
                self._session.raise_if_refused(response, f"GET {table}")
            info, rows = json_object(data.get("pageInfo")), _rows(data.get("data"))
            is_repeated = is_repeated or bool(previous_rows & set(rows))
            previous_rows, row_count = set(rows), row_count + len(rows)
            counts.add(data.get("count"))
            if not isinstance(info.get("hasNextPage"), bool):
                raise Partial(
                    f"a page of {NAME}'s {table} does not say whether it is the last page (IN3)", advice=RETRY_LATER
                )
            yield response.body + b"\n"
            if not info["hasNextPage"]:
                # Rows may be equal (IN10). If their number equals the table's count, none was read twice.
                if is_repeated and counts != {row_count}:
                    raise Partial(
                        f"two pages of {NAME}'s {table} have the same row: {_TABLE_CHANGED}",
                        advice=RETRY_LATER,
                    )
                return
            cursor = info.get("endCursor")
            if cursor in cursors or not rows:
                problem = "is empty" if not rows else "points to an earlier page"
                raise Partial(
                    f"a page of {NAME}'s {table} {problem} before the last page: {_TABLE_CHANGED}",
                    advice=RETRY_LATER,
                )
            if not isinstance(cursor, str) or not cursor:
                raise Failed(f"a page of {NAME}'s {table} has a next page but no endCursor (IN3)")
            cursors.add(cursor)
            params = {**params, "page[after]": cursor}
        raise Failed(f"{NAME}'s {table} has more than {MAX_PAGES} pages", advice="Fix: declare method='export'.")

    @contextmanager
    def counts(self, report: Report, request: Request, meter: Meter) -> Generator[Iterator[bytes]]:
        """Return the number of rows of each day of a report table, as CSV: `Date,rows` (IN3)."""
        yield self._row_counts(report.query, request, meter)

    def _row_counts(self, query: CountQuery, request: Request, meter: Meter) -> Iterator[bytes]:
        yield b"Date,rows\n"
        for day in request.window.days:
            start, end = time_range(Request(Window(day, day)))
            params = {
                "integration_id": self._session.integration,
                "start_time": start.strftime("%Y-%m-%d %H:%M:%S"),
                "end_time": end.strftime("%Y-%m-%d %H:%M:%S"),
                "timezone": query.timezone,
                "page[size]": "1",
            }
            meter(PAGES)
            response = self._session.get(self._session.paths.table, params, table=query.table)
            data = json_object(json_object(response.json()).get("data"))
            if not data:
                self._session.raise_if_refused(response, f"GET {query.table}")
            count, rows = json_integer(data.get("count")), data.get("data")
            page_rows = len(cast("list[object]", rows)) if isinstance(rows, list) else 0
            has_next = json_object(data.get("pageInfo")).get("hasNextPage")
            if count is None or (has_next and count <= page_rows):
                raise Failed(f"{NAME}'s {query.table} does not return the number of rows of a day (IN3)")
            yield f"{day},{count}\n".encode()

    @contextmanager
    def entities(self, report: Report, meter: Meter) -> Generator[Iterator[bytes]]:
        """Return all pages of an entity list."""
        path = getattr(self._session.paths, report.query.entity)
        yield (response.body + b"\n" for response, _ in self._session.pages(path, before=lambda: meter(PAGES)))


def _rows(rows: Any) -> Sequence[str]:
    """Return the rows of a page as texts, to compare them: no key is documented to be unique (IN10)."""
    if not isinstance(rows, list):
        return ()
    return [json.dumps(row, sort_keys=True) for row in rows]
