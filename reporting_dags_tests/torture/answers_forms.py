"""Complete responses that write numbers, headers and rows in other ways than is usual."""

from collections.abc import Iterator, Mapping
from typing import Any

from reporting_dags_tests.torture.answers_case import Case, again, alone
from reporting_dags_tests.torture.answers_stage import Stage
from reporting_dags_tests.torture.answers_targets import (
    EXPORT,
    LIST,
    MINTEGRAL,
    OFFER_WALL,
    ORANGECLICK,
    TABLE,
    USER_LEVEL,
    Target,
)

_TEXTS = (OFFER_WALL, USER_LEVEL, MINTEGRAL, EXPORT)
_COUNTS = {
    OFFER_WALL: "Offer Impressions",
    USER_LEVEL: "Impressions",
    MINTEGRAL: "Impression",
    ORANGECLICK: "impressions",
    EXPORT: "is_bot",
    TABLE: "is_bot",
}
"""A column of whole numbers of each."""
_SUMS = {
    OFFER_WALL: ("Publisher Revenue", "Offer Impressions", "Offer Clicks"),
    USER_LEVEL: ("Impressions", "Revenue"),
    MINTEGRAL: ("Impression", "Click", "Conversion", "Spend"),
    ORANGECLICK: ("impressions", "earnings", "viewable"),
}
"""The columns whose sums a total row has."""
_ROWS = r'"data":\[.*\],"meta"'


def cases() -> Iterator[Case]:
    """Every unusual form."""
    yield from _numbers()
    yield from _headers()
    yield from _totals()
    yield from _json()


def _numbers() -> Iterator[Case]:
    for target, column in _COUNTS.items():
        for form, to in (("12.0", r"\1.0"), ("120e-1", r"\g<1>0e-1")):
            changed = {"do": "edit_values", "column": column, "pattern": r"^(\d+)$", "to": to}
            yield _in(f"whole counts are written as {form}", target, changed, "data")
        half = {"do": "bad_value", "column": column, "value": "12.5"}
        ends = "data/failed" if len(target.days) > 1 else "failed"
        yield _in("a count is 12.5", target, half, ends, says="12.5", **alone(target))
    for text in ("--", "NaN", "n/a"):
        yield Case(
            fault=f"{text} in a ratio that has nothing to divide by",
            target=MINTEGRAL,
            ends="data",
            truth={"no_ratio": text},
        )
        wrong = {"do": "bad_value", "column": "Spend", "value": text}
        yield _in(f"{text} in money", MINTEGRAL, wrong, "data/failed", says=text, **alone(MINTEGRAL))
    lower = {"do": "edit_values", "column": "Currency", "pattern": "USD", "to": "usd"}
    yield _in("currency codes in lower case", MINTEGRAL, lower, "data")
    yen = {"do": "bad_value", "column": "Currency", "value": "JPY"}
    says = "'JPY', a currency that the report does not declare"
    yield _in("a currency that is not declared", MINTEGRAL, yen, "data/failed", says=says, **alone(MINTEGRAL))


def _headers() -> Iterator[Case]:
    for target in _TEXTS:
        yield _in("blanks around headers", target, {"do": "pad_header"}, "data")
        title = {"do": "edit", "pattern": r"\A", "to": "REPORT OF THE DAY\n", "times": None}
        yield _at("a title line above the header", target, title, "failed", says="title", **again(target))


def _totals() -> Iterator[Case]:
    for target, sums in _SUMS.items():
        for text in ("", "Total"):
            newest = max(target.days).isoformat()
            total = {"do": "total_row", "sums": sums, "names": target.report.grain, "text": text, "day": newest}
            ends = "data/failed" if len(target.days) > 1 else "failed"
            fault = f"a total row whose dimensions are {text or 'empty'}"
            yield _in(fault, target, total, ends, says="a total row", **alone(target))


def _json() -> Iterator[Case]:
    none = {"empty_days": tuple(day.isoformat() for day in ORANGECLICK.days)}
    for told, to in (("null", "null"), ("an empty object", "{}")):
        edited = {"do": "edit", "pattern": _ROWS, "to": f'"data":{to},"meta"', "times": None}
        yield _at(f"{told} in place of rows, and a count of 0", ORANGECLICK, edited, "confirmed empty", truth=none)
        fault = f"{told} in place of rows, though rows were counted"
        yield _at(fault, ORANGECLICK, edited, "failed", says=f"has {told} in place", **again(ORANGECLICK))
    bare = {"do": "edit", "pattern": r'"earnings":[^,}]+', "to": '"earnings":NaN', "count": 1, "times": None}
    yield _at("a bare NaN in money", ORANGECLICK, bare, "data/failed", says="'NaN'", **alone(ORANGECLICK))
    undefined = {**bare, "to": '"earnings":undefined'}
    says = "a bare undefined at byte"
    yield _at("a bare undefined in money", ORANGECLICK, undefined, "partial", says=says, **again(ORANGECLICK))
    counts: Mapping[Target, str] = {ORANGECLICK: "count", TABLE: "count", LIST: "total_count"}
    for target, name in counts.items():
        edited = {"do": "edit", "pattern": rf'"{name}":(\d+)', "to": rf'"{name}":\1.0', "times": None}
        yield _at("the number of rows is written as 12.0", target, edited, "data")
    total = {"point": EXPORT.ask, "do": "total", "total": _total, "times": None}
    yield Case(fault="the number of rows is written as 12.0", target=EXPORT, ends="data", script=[total])


def _total(stage: Stage) -> float:
    target = stage.case.target
    return float(sum(len(stage.sandbox.truth(target.report.key, day)) for day in target.days))


def _in(fault: str, target: Target, damage: Mapping[str, Any], ends: str, **more: Any) -> Case:
    """Damage inside the files of the target's report."""
    return Case(fault=fault, target=target, ends=ends, script=[{"point": target.damage, **damage}], **more)


def _at(fault: str, target: Target, script: Mapping[str, Any], ends: str, **more: Any) -> Case:
    """A fault at the response itself."""
    return Case(fault=fault, target=target, ends=ends, script=[{"point": target.file, **script}], **more)
