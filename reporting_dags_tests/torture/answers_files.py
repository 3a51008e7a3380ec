"""Responses that arrive whole and hold what they should not, or not what they should."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from reporting_dags_tests.torture.answers_case import Case, again, alone
from reporting_dags_tests.torture.answers_stage import Stage
from reporting_dags_tests.torture.answers_targets import (
    EXPORT,
    FILES,
    LIST,
    MINTEGRAL,
    MINTEGRAL_HOURLY,
    OFFER_WALL,
    ORANGECLICK,
    POSTBACKS,
    TABLE,
    USER_LEVEL,
    Target,
)

_TEXTS = (OFFER_WALL, USER_LEVEL, MINTEGRAL, EXPORT)
_ROWS = (*_TEXTS, ORANGECLICK, TABLE)
_PROMISED = (OFFER_WALL, MINTEGRAL, ORANGECLICK)
"""Whose documents promise that no two rows of a day share their dimensions."""
_COLUMNS = {
    OFFER_WALL: ("Country", "Publisher Revenue"),
    USER_LEVEL: ("Country", "Revenue"),
    MINTEGRAL: ("Location", "Spend"),
    ORANGECLICK: ("country", "earnings"),
    EXPORT: ("country", "payout"),
    TABLE: ("real_tx_id", "conversion_time"),
}
"""An identity and a measure of each."""


def cases() -> Iterator[Case]:
    """Every way of being wrong inside."""
    yield from _texts()
    yield from _rows()
    yield from _columns()
    yield from _times()
    yield from _counts()
    yield from _pages()
    yield from _empty()
    yield from _assumed()


def _texts() -> Iterator[Case]:
    for target in _TEXTS:
        for fault, do, says in (
            ("duplicate header column", "duplicate_header", "is duplicated"),
            ("header row repeated", "repeat_header", ""),
            ("latin-1", "latin1", "UTF-8"),
            ("NUL", "nul", "NUL"),
            ("extra field in one row", "long_row", ""),
            ("missing field in one row", "short_row", ""),
        ):
            yield _in(fault, target, {"do": do}, "failed", says=says, **again(target))
        if target is MINTEGRAL:  # whose text has no quotes: one is a character like any other (MT6)
            yield _in("open quote", target, {"do": "open_quote"}, "data/failed", **alone(target))
        else:
            yield _in("open quote", target, {"do": "open_quote"}, "failed", **again(target))
        yield _in("BOM", target, {"do": "bom"}, "data")


def _rows() -> Iterator[Case]:
    for target in _ROWS:
        _, measure = _COLUMNS[target]
        yield _in("wrong day", target, {"do": "wrong_day", "to": _another_day(target)}, "failed", **again(target))
        ends = "data/failed" if len(target.days) > 1 else "failed"
        if target in _PROMISED:
            yield _in("duplicate row", target, {"do": "duplicate_row"}, ends, says="grain", **alone(target))
        wrong = {"do": "bad_value", "column": measure, "value": "1,5"}
        yield _in("number with a comma", target, wrong, ends, says=measure, **alone(target))
    for target in (TABLE, LIST):
        yield _in("duplicate row", target, {"do": "duplicate_row"}, "partial", says="rows, the provider said")
    wrong = {"do": "bad_value", "column": "Currency", "value": "EUR"}
    yield _in("wrong currency in one row", MINTEGRAL, wrong, "data/failed", says="EUR", **alone(MINTEGRAL))
    wrong = {"point": ORANGECLICK.file, "do": "meta", "currency": "EUR", "times": None}
    yield Case(
        fault="wrong currency", target=ORANGECLICK, ends="failed", script=[wrong], says="currency", **again(ORANGECLICK)
    )
    for name in ("start_date", "end_date"):
        wrong = {"point": ORANGECLICK.file, "do": "meta", name: "2026-01-01", "times": None}
        yield Case(
            fault=f"wrong {name}", target=ORANGECLICK, ends="failed", script=[wrong], says=name, **again(ORANGECLICK)
        )


def _columns() -> Iterator[Case]:
    for target in _ROWS:
        identity, measure = _COLUMNS[target]
        # User Level keeps what it does not know: there a new column is data.
        if target is not USER_LEVEL:
            yield _in("new column", target, {"do": "extra_column"}, "data")
        yield _in(
            "missing column", target, {"do": "drop_column", "column": measure}, "failed", says=measure, **again(target)
        )
        renamed = {"do": "rename_column", "column": identity, "to": "Land"}
        yield _in("renamed column", target, renamed, "failed", says=identity, **again(target))


def _times() -> Iterator[Case]:
    """Times that contradict their row's day, or that can be read in two ways."""
    newest = MINTEGRAL_HOURLY.days[-1]
    for fault, value in (
        ("hour of another day", "1798070400"),
        ("hour as YYYYMMDDHH in place of Unix seconds", f"{newest:%Y%m%d}13"),
    ):
        wrong = {"do": "bad_value", "column": "Timestamp", "value": value, "day": newest}
        yield _in(fault, MINTEGRAL_HOURLY, wrong, "data/failed", says="'Timestamp'", **alone(MINTEGRAL))
    for target in (EXPORT, TABLE):
        wrong = {"do": "bad_value", "column": "click_time", "value": f"{newest:%Y%m%d}13"}
        ends = "data/failed" if len(target.days) > 1 else "failed"
        yield _in("ten digits in place of a time", target, wrong, ends, says="click_time", **alone(target))


def _counts() -> Iterator[Case]:
    """A count that the provider gives, and rows that are not as many."""
    every = {"point": EXPORT.ask, "do": "total", "total": _rows_in_all, "times": None}
    lost: Mapping[str, Mapping[str, Any]] = {
        "header alone, though rows were counted": {"do": "header_only"},
        "rows lost, by the provider's own count": {"do": "lose_app"},
        "duplicate row, by the provider's own count": {"do": "duplicate_row"},
    }
    for fault, damage in lost.items():
        script = [every, {"point": EXPORT.damage, "source": "conversions", **damage}]
        yield Case(fault=fault, target=EXPORT, ends="partial", script=script, says="rows", **again(EXPORT))
        script = [
            {"point": ORANGECLICK.file, "do": "meta", "count": _rows_in_all, "times": None},
            {"point": ORANGECLICK.damage, **damage},
        ]
        yield Case(fault=fault, target=ORANGECLICK, ends="partial", script=script, says="rows", **again(ORANGECLICK))
    yield _in("page without rows, though rows were counted", LIST, {"do": "header_only"}, "partial")
    for off, told in ((1, "one too many"), (-1, "one too few")):
        script = [{"point": EXPORT.ask, "do": "total", "total": _more(off), "times": None}]
        yield Case(fault=f"total is {told}", target=EXPORT, ends="partial", script=script, **again(EXPORT))
        script = [{"point": ORANGECLICK.file, "do": "meta", "count": _more(off), "times": None}]
        yield Case(
            fault=f"meta.count is {told}", target=ORANGECLICK, ends="partial", script=script, **again(ORANGECLICK)
        )
        script = [{"point": TABLE.file, "do": "count", "count": _more(off), "times": None}]
        yield Case(fault=f"data.count is {told}", target=TABLE, ends="partial", script=script)
    cut = {"point": EXPORT.ask, "do": "truncate", "rows": 5}
    why = "the two halves of an export that was cut"
    yield Case(fault="range_truncated once", target=EXPORT, ends="data", script=[cut], extra=2, why=why)


def _pages() -> Iterator[Case]:
    for fault, do, ends in (
        ("a page begins with the last row of the one before", "page_again", "partial"),
        ("an empty page in the middle", "empty_page", "partial"),
        ("a page that leads to itself", "cursor_loop", "failed"),
    ):
        for often, times in (("once", 1), ("forever", None)):
            script = [{"point": TABLE.file, "do": do, "after": 1, "times": times}]
            yield Case(
                fault=f"{fault}, {often}",
                target=TABLE,
                ends="data" if times else ends,
                script=script,
                truth={"rows_factor": 5.0},
            )


def _empty() -> Iterator[Case]:
    """A header alone where nothing is lost: the day has no rows any more."""
    for target in FILES:
        none = {"empty_days": tuple(day.isoformat() for day in target.days)}
        yield Case(fault="header alone, honestly", target=target, ends="confirmed empty", truth=none)


def _assumed() -> Iterator[Case]:
    """What no document promises: it blocks no day, and is shown as a warning."""
    for target in (EXPORT, TABLE, POSTBACKS):
        shared = {**target.moves, "shared_keys": 4}
        yield Case(fault="rows that share a key", target=target, ends="data", truth=shared, warns="rows share")
    shared = {"user_level_masked_apart": True}
    yield Case(fault="rows that share a key", target=USER_LEVEL, ends="data", truth=shared, warns="rows share")
    for fault, shown in (
        ("fields that it does not know, empty", True),
        ("fields that it does not know, left out", False),
    ):
        unknown = {**POSTBACKS.moves, "unknown_fields": ("attempt", "event_id"), "unknown_fields_shown": shown}
        yield Case(fault=fault, target=POSTBACKS, ends="data", truth=unknown, warns="does not name: attempt, event_id")


def _in(fault: str, target: Target, damage: Mapping[str, Any], ends: str, **more: Any) -> Case:
    """Damage inside the files of the target's report, on its latest day."""
    script = {"point": target.damage, **damage}
    if target is LIST:
        script["source"] = "offers"
    return Case(fault=fault, target=target, ends=ends, script=[script], **more)


def _another_day(target: Target) -> str:
    return {MINTEGRAL: "20261224", EXPORT: "2026-12-24T00:00:00Z", TABLE: "2026-12-24T00:00:00Z"}.get(
        target, "2026-12-24"
    )


def _rows_in_all(stage: Stage) -> int:
    target = stage.case.target
    return sum(len(stage.sandbox.truth(target.report.key, day)) for day in target.days)


def _more(off: int) -> Callable[[Stage], int]:
    def counted(stage: Stage) -> int:
        return _rows_in_all(stage) + off

    return counted
