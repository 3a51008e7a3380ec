"""Lists on numbered pages: offers, publishers, advertisers; filtered and sorted (IN2)."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from starlette.responses import JSONResponse, Response

from reporting_dags.sandbox.endpoint import Call, Endpoint, Subject
from reporting_dags.sandbox.integr8 import asked
from reporting_dags.sandbox.integr8.accounts import Account
from reporting_dags.sandbox.integr8.answer import harmed
from reporting_dags.sandbox.integr8.asked import LARGEST_PAGE, RefusedError
from reporting_dags.sandbox.integr8.entities import KINDS, Kind
from reporting_dags.sandbox.integr8.settings import Integr8Settings
from reporting_dags.sandbox.integr8.tables import Guard, Struck
from reporting_dags.sandbox.integr8.values import Value, printed
from reporting_dags.sandbox.owner import Owner

PAGE = ("page[number]", "page[size]")
OPERATORS = ("eq", "gte", "lte")
"""A: of the operators only these are shown in the document's examples."""
_FILTER = re.compile(r"filter\[([^\[\]]+)\]\[([^\[\]]+)\]")

Object = Mapping[str, Any]


class Lists:
    """The lists of one sandbox."""

    def __init__(self, *, seed: int, settings: Callable[[], Integr8Settings], struck: Struck) -> None:
        self._seed = seed
        self._settings = settings
        self._struck = struck

    def endpoints(self, guarded: Guard) -> list[Endpoint]:
        """A list for each kind; that offers' path names the integration is assumed (A)."""
        return [
            Endpoint(
                f"integr8.{kind.name}",
                ("GET",),
                ("/api/v2/integrations/{integration}/" if kind.name == "offers" else "/api/v2/") + kind.name,
                guarded(self._handler(kind)),
                subject=_subject(kind.name),
            )
            for kind in KINDS
        ]

    def _handler(self, kind: Kind) -> Callable[[Call, Account], Response]:
        def answer(call: Call, account: Account) -> Response:
            settings = self._settings()
            if kind.name == "offers" and call.path.split("/")[-2] != account.integration_id:
                raise RefusedError(404, "The requested integration doesn't exist.")
            every = kind.objects(Owner.of(self._seed, account.name).seed, call.now, null_texts=settings.null_texts)
            if kind.name == "offers":
                every = _edited(every, settings)
            filters = [pair for pair in call.query if _FILTER.fullmatch(pair[0])]
            rest = [pair for pair in call.query if pair not in filters]
            given = asked.named(rest, {*PAGE, "sort"}, settings)
            found = arranged(narrowed(every, filters, kind), given.get("sort"), kind.fields)
            data, meta = page(found, given, settings)
            today = call.now.date()
            return JSONResponse(
                {"data": harmed(kind.fields, data, self._struck(kind.name, today, today), ""), "meta": meta}
            )

        return answer


def _edited(offers: Sequence[dict[str, Value]], settings: Integr8Settings) -> list[dict[str, Value]]:
    """The offers that are left, with the currencies that were given to them later."""
    edits = dict(edit.split("=", 1) for edit in settings.offer_currencies)
    left = [offer for offer in offers if offer["id"] not in settings.lost_offers]
    return [{**offer, "currency": edits.get(str(offer["id"]), offer["currency"])} for offer in left]


def _subject(source: str) -> Callable[[Call], Subject]:
    def subject(call: Call) -> Subject:
        today: date = call.now.date()
        return Subject(source, today, today)

    return subject


def page(
    found: Sequence[Object], given: Mapping[str, str], settings: Integr8Settings
) -> tuple[Sequence[Object], dict[str, Any]]:
    """One page of what was found, and its meta; A: a page past the last is empty.

    Raises:
        RefusedError: The page's number or size is not allowed.
    """
    size = asked.number(given, "page[size]", settings.list_page_size, LARGEST_PAGE)
    number = asked.number(given, "page[number]", 1)
    pages = -(-len(found) // size)

    def link(to: int) -> dict[str, Any] | None:
        blank = {"page[after]": "", "page[before]": ""}
        return {**blank, "page[number]": to, "page[size]": size} if 1 <= to <= pages else None

    links = {"next": link(number + 1), "prev": link(number - 1)}
    meta = {"links": links, "total_count": len(found), "total_page": pages}
    return found[(number - 1) * size : number * size], meta


def narrowed(found: list[dict[str, Value]], filters: Sequence[tuple[str, str]], kind: Kind) -> list[dict[str, Value]]:
    """Those objects that every filter lets through.

    Raises:
        RefusedError: A filter's field or operator is unknown, or its value does not suit the field.
    """
    for parameter, wanted in filters:
        name, operator = cast("re.Match[str]", _FILTER.fullmatch(parameter)).groups()
        outer, _, inner = name.partition(".")
        known = inner in kind.nested.get(outer, ()) if inner else outer in kind.fields and outer not in kind.nested
        if not known or operator not in OPERATORS:
            raise RefusedError(400, f"unknown parameter {parameter}")
        found = [one for one in found if passes(_at(one, outer, inner), operator, wanted)]
    return found


def _at(one: Object, outer: str, inner: str) -> Value:
    return one[outer][inner] if inner else one[outer]


def passes(value: Value, operator: str, wanted: str) -> bool:
    """Whether a value is as a filter wants it; an array equals each of its elements.

    Raises:
        RefusedError: The value is compared with what it cannot be.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            mine, other = Decimal(repr(value)), Decimal(wanted)
            return {"eq": mine == other, "gte": mine >= other, "lte": mine <= other}[operator]
        except InvalidOperation:
            raise RefusedError(400, f"{wanted!r} is no number") from None
    if operator == "eq":
        return wanted in value if isinstance(value, list) else printed(value) == wanted
    if value is not None and not isinstance(value, str):
        raise RefusedError(400, f"{operator} does not suit the field")
    return value is not None and (value >= wanted if operator == "gte" else value <= wanted)


def arranged(found: list[dict[str, Any]], sort: str | None, known: Sequence[str]) -> list[dict[str, Any]]:
    """The objects in the order that `sort` asks for, such as -type,name; null comes before everything.

    Raises:
        RefusedError: It names a field that is not there or has no order.
    """
    # Sorting is stable: the last key goes first.
    for term in reversed(sort.split(",")) if sort is not None else ():
        name = term.removeprefix("-")
        if name not in known or any(isinstance(one[name], list | dict) for one in found):
            raise RefusedError(400, f"cannot sort by {term!r}")
        found = sorted(found, key=lambda one: (one[name] is not None, one[name]), reverse=term.startswith("-"))
    return found
