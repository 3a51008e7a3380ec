"""From made-up days to the rows of a range, as they are known at a time; how they are harmed and printed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zlib import crc32

from reporting_dags.sandbox.damage import damage
from reporting_dags.sandbox.faults import Fault
from reporting_dags.sandbox.integr8 import fields
from reporting_dags.sandbox.integr8.accounts import Account
from reporting_dags.sandbox.integr8.asked import Span
from reporting_dags.sandbox.integr8.conversions import conversions, postbacks
from reporting_dags.sandbox.integr8.facts import clicks, impressions
from reporting_dags.sandbox.integr8.settings import Integr8Settings
from reporting_dags.sandbox.integr8.values import Value, printed
from reporting_dags.sandbox.integr8.world import FIRST_DAY, Row, World
from reporting_dags.sandbox.owner import Owner
from reporting_dags.sandbox.table import QUOTE, Table

ENTITY = "offer_db_id"
_KEYS = ("real_tx_id", "event_id", "id")


@dataclass(frozen=True)
class Log:
    """A log: its name, its paths, what an export of it is called, the time it goes by, its columns and its rows."""

    name: str
    export_path: str
    export_type: str
    time: str
    fields: tuple[str, ...]
    rows: Callable[[World, date], Sequence[Row]]
    extra_parameters: bool = True


LOGS = (
    Log("clicks", "clicks", "click_logs", "request_time", fields.CLICKS, clicks),
    Log("conversions", "conversions", "conversion_logs", "conversion_time", fields.CONVERSIONS, conversions),
    Log("impressions", "impressions", "impression_logs", "request_time", fields.IMPRESSIONS, impressions),
    Log(
        "postbacks",
        "postback-logs",
        "postback_logs",
        "request_time",
        fields.POSTBACKS,
        postbacks,
        extra_parameters=False,
    ),
)
"""IN4; what exports of the last two are called is assumed (A)."""

Shown = tuple[str, Mapping[str, Value]]
"""A row's real_tx_id (a postback's id) and its values."""


def world(seed: int, account: Account, settings: Integr8Settings) -> World:
    """What `settings` and the seed make of an account's data."""
    return World(
        seed=Owner.of(seed, account.name).seed,
        integration=account.integration_id,
        organization=account.organization_id,
        rows_factor=settings.rows_factor,
        restate_days=settings.restate_days,
        mask_personal=settings.mask_personal,
        null_texts=settings.null_texts,
        empty_day_one_in=settings.empty_day_one_in,
        empty_days=settings.empty_days,
    )


def rows(seed: int, account: Account, log: Log, span: Span, *, at: datetime, settings: Integr8Settings) -> list[Shown]:
    """An account's rows of a range that are known at `at`, oldest first; those of one moment in a fixed order."""
    made, delay = world(seed, account, settings), timedelta(seconds=settings.delay_seconds)
    first, last = max(span.start.date(), FIRST_DAY), min(span.end, at).date()
    found: list[tuple[Row, Row]] = []
    for n in range((last - first).days + 1):
        for row, like in _with_keys(
            sorted(log.rows(made, first + timedelta(days=n)), key=_place), settings.shared_keys
        ):
            inside = span.start <= row.moment < span.end or (settings.end_counts and row.moment == span.end)
            if inside and row.moment + delay <= at:
                found.append((row, like))
    found.sort(key=lambda pair: _place(pair[0]))
    unknown = dict.fromkeys(settings.unknown_fields)
    return [
        (like.key, {**row.seen(at), **{name: like.values[name] for name in _KEYS if name in row.values}, **unknown})
        for row, like in found
    ]


def _place(row: Row) -> tuple[datetime, str]:
    return row.moment, row.key


def _with_keys(of_day: Sequence[Row], one_in: int) -> list[tuple[Row, Row]]:
    """Each row of a day with the row whose key it has: its own, or now and then that of the row before it."""
    before = (of_day[0], *of_day[:-1]) if of_day else ()
    return [
        (row, last if one_in and crc32(row.key.encode()) % one_in == 0 else row)
        for row, last in zip(of_day, before, strict=True)
    ]


class _Cell(str):
    """A printed value that has not forgotten what it was."""

    value: Value

    @classmethod
    def of(cls, value: Value) -> "_Cell":
        cell = cls(printed(value))
        cell.value = value
        return cell


def harmed(
    names: Sequence[str], objects: Sequence[Mapping[str, Value]], faults: Sequence[Fault], day: str
) -> list[dict[str, Value]]:
    """JSON objects with the keys `names`, as `faults` of a file leave them; what a fault writes is text."""
    table = Table(list(names), [[_Cell.of(one[name]) for name in names] for one in objects], day=day, entity=ENTITY)
    damage(table, faults)
    return [dict(zip(table.header, map(_unprinted, row), strict=False)) for row in table.rows]


def _unprinted(cell: str) -> Value:
    return cell.value if isinstance(cell, _Cell) else cell.replace(QUOTE, '"')
