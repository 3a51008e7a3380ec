"""The lists of offers, publishers and advertisers: numbered pages with filters and sorting (IN2)."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from starlette.responses import JSONResponse, Response

from reporting_dags.sandbox.data_owner import DataOwner
from reporting_dags.sandbox.endpoint import Call, Endpoint, Subject
from reporting_dags.sandbox.integr8 import parameters
from reporting_dags.sandbox.integr8.accounts import Account
from reporting_dags.sandbox.integr8.entities import KINDS, Kind
from reporting_dags.sandbox.integr8.logs import damaged_objects
from reporting_dags.sandbox.integr8.parameters import MAX_PAGE_SIZE, RefusedError
from reporting_dags.sandbox.integr8.settings import Integr8Settings
from reporting_dags.sandbox.integr8.tables import Authorized, FileFaults
from reporting_dags.sandbox.integr8.values import Value, cell_text

PAGE = ("page[number]", "page[size]")
OPERATORS = ("eq", "gte", "lte")
"""A: only the operators in the documented examples are valid."""
_FILTER = re.compile(r"filter\[([^\[\]]+)\]\[([^\[\]]+)\]")

Object = Mapping[str, Any]


class Lists:
    """The lists of one sandbox."""

    def __init__(self, *, seed: int, settings: Callable[[], Integr8Settings], file_faults: FileFaults) -> None:
        self._seed = seed
        self._settings = settings
        self._file_faults = file_faults

    def endpoints(self, authorized: Authorized) -> list[Endpoint]:
        """Return an endpoint for each list. A: the path of offers contains the integration."""
        return [
            Endpoint(
                f"integr8.{kind.name}",
                ("GET",),
                ("/api/v2/integrations/{integration}/" if kind.name == "offers" else "/api/v2/") + kind.name,
                authorized(self._handler(kind)),
                subject=_subject(kind.name),
            )
            for kind in KINDS
        ]

    def _handler(self, kind: Kind) -> Callable[[Call, Account], Response]:
        def respond(call: Call, account: Account) -> Response:
            settings = self._settings()
            if kind.name == "offers" and call.path.split("/")[-2] != account.integration_id:
                raise RefusedError(404, "The requested integration doesn't exist.")
            every = kind.objects(DataOwner.of(self._seed, account.name).seed, call.now, null_texts=settings.null_texts)
            if kind.name == "offers":
                every = _edited(every, settings)
            filters = [pair for pair in call.query if _FILTER.fullmatch(pair[0])]
            rest = [pair for pair in call.query if pair not in filters]
            given = parameters.parse(rest, {*PAGE, "sort"}, settings)
            objects = sort_objects(apply_filters(every, filters, kind), given.get("sort"), kind.fields)
            data, meta = page(objects, given, settings)
            today = call.now.date()
            return JSONResponse(
                {
                    "data": damaged_objects(kind.fields, data, self._file_faults(kind.name, today, today), ""),
                    "meta": meta,
                }
            )

        return respond


def _edited(offers: Sequence[dict[str, Value]], settings: Integr8Settings) -> list[dict[str, Value]]:
    """Return the offers that are not deleted, with their changed currencies."""
    edits = dict(edit.split("=", 1) for edit in settings.offer_currencies)
    left = [offer for offer in offers if offer["id"] not in settings.lost_offers]
    return [{**offer, "currency": edits.get(str(offer["id"]), offer["currency"])} for offer in left]


def _subject(source: str) -> Callable[[Call], Subject]:
    def subject(call: Call) -> Subject:
        today: date = call.now.date()
        return Subject(source, today, today)

    return subject


def page(
    objects: Sequence[Object], given: Mapping[str, str], settings: Integr8Settings
) -> tuple[Sequence[Object], dict[str, Any]]:
    """Return the requested page of `objects`, and its metadata. A: a page after the last one is empty.

    Raises:
        RefusedError: the number or the size of the page is not valid.
    """
    size = parameters.number(given, "page[size]", settings.list_page_size, MAX_PAGE_SIZE)
    number = parameters.number(given, "page[number]", 1)
    pages = -(-len(objects) // size)

    def link(to: int) -> dict[str, Any] | None:
        blank = {"page[after]": "", "page[before]": ""}
        return {**blank, "page[number]": to, "page[size]": size} if 1 <= to <= pages else None

    links = {"next": link(number + 1), "prev": link(number - 1)}
    meta = {"links": links, "total_count": len(objects), "total_page": pages}
    return objects[(number - 1) * size : number * size], meta


def apply_filters(
    objects: list[dict[str, Value]], filters: Sequence[tuple[str, str]], kind: Kind
) -> list[dict[str, Value]]:
    """Return the objects that match all filters.

    Raises:
        RefusedError: the field or the operator of a filter is unknown, or its value is not valid for the field.
    """
    for parameter, operand in filters:
        name, operator = cast("re.Match[str]", _FILTER.fullmatch(parameter)).groups()
        outer, _, inner = name.partition(".")
        known = inner in kind.nested.get(outer, ()) if inner else outer in kind.fields and outer not in kind.nested
        if not known or operator not in OPERATORS:
            raise RefusedError(400, f"unknown parameter {parameter}")
        objects = [item for item in objects if matches(_at(item, outer, inner), operator, operand)]
    return objects


def _at(one: Object, outer: str, inner: str) -> Value:
    return one[outer][inner] if inner else one[outer]


def matches(value: Value, operator: str, operand: str) -> bool:
    """Return whether a value matches a filter. An array matches if one of its elements is equal.

    Raises:
        RefusedError: the type of the value does not allow the comparison.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number, bound = Decimal(repr(value)), Decimal(operand)
            return {"eq": number == bound, "gte": number >= bound, "lte": number <= bound}[operator]
        except InvalidOperation:
            raise RefusedError(400, f"{operand!r} is not a number") from None
    if operator == "eq":
        return operand in value if isinstance(value, list) else cell_text(value) == operand
    if value is not None and not isinstance(value, str):
        raise RefusedError(400, f"{operator} is not valid for the field")
    return value is not None and (value >= operand if operator == "gte" else value <= operand)


def sort_objects(objects: list[dict[str, Any]], sort: str | None, known: Sequence[str]) -> list[dict[str, Any]]:
    """Return the objects sorted by `sort`, such as -type,name; null is less than all other values.

    Raises:
        RefusedError: a field does not exist or cannot be sorted.
    """
    # Sorting is stable: sort by the last key first.
    for term in reversed(sort.split(",")) if sort is not None else ():
        name = term.removeprefix("-")
        if name not in known or any(isinstance(item[name], list | dict) for item in objects):
            raise RefusedError(400, f"cannot sort by {term!r}")
        objects = sorted(objects, key=lambda item: (item[name] is not None, item[name]), reverse=term.startswith("-"))
    return objects
