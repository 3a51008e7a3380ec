"""The logs: the generated rows of a time range, as of a time, and the damage by faults."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zlib import crc32

from reporting_dags.sandbox.damage import damage
from reporting_dags.sandbox.data_owner import DataOwner
from reporting_dags.sandbox.faults import Fault
from reporting_dags.sandbox.integr8 import fields
from reporting_dags.sandbox.integr8.accounts import Account
from reporting_dags.sandbox.integr8.conversions import conversions, postbacks
from reporting_dags.sandbox.integr8.dataset import FIRST_DAY, Dataset, Row
from reporting_dags.sandbox.integr8.facts import clicks, impressions
from reporting_dags.sandbox.integr8.parameters import TimeRange
from reporting_dags.sandbox.integr8.settings import Integr8Settings
from reporting_dags.sandbox.integr8.values import Value, cell_text
from reporting_dags.sandbox.table import QUOTE, Table

ENTITY = "offer_db_id"
_KEYS = ("real_tx_id", "event_id", "id")


@dataclass(frozen=True)
class Log:
    """A log: its name, path, export type, time column, fields, and the function that generates the rows of a day."""

    name: str
    export_path: str
    export_type: str
    time: str
    fields: tuple[str, ...]
    rows: Callable[[Dataset, date], Sequence[Row]]
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
"""The logs (IN4). A: the export types of the last two."""

LogRow = tuple[str, Mapping[str, Value]]
"""The real_tx_id of a row (the id of a postback) and its values."""


def dataset_of(seed: int, account: Account, settings: Integr8Settings) -> Dataset:
    """Return the dataset of an account for a seed and `settings`."""
    return Dataset(
        seed=DataOwner.of(seed, account.name).seed,
        integration=account.integration_id,
        organization=account.organization_id,
        rows_factor=settings.rows_factor,
        restate_days=settings.restate_days,
        mask_personal=settings.mask_personal,
        null_texts=settings.null_texts,
        empty_day_one_in=settings.empty_day_one_in,
        empty_days=settings.empty_days,
    )


def rows(
    seed: int, account: Account, log: Log, span: TimeRange, *, at: datetime, settings: Integr8Settings
) -> list[LogRow]:
    """Return the rows of a time range that are available at `at`, oldest first, then in a fixed order."""
    dataset, delay = dataset_of(seed, account, settings), timedelta(seconds=settings.delay_seconds)
    first, last = max(span.start.date(), FIRST_DAY), min(span.end, at).date()
    pairs: list[tuple[Row, Row]] = []
    for n in range((last - first).days + 1):
        for row, like in _with_keys(
            sorted(log.rows(dataset, first + timedelta(days=n)), key=_place), settings.shared_keys
        ):
            inside = span.start <= row.moment < span.end or (settings.end_counts and row.moment == span.end)
            if inside and row.moment + delay <= at:
                pairs.append((row, like))
    pairs.sort(key=lambda pair: _place(pair[0]))
    unknown = dict.fromkeys(settings.unknown_fields)
    return [
        (
            like.key,
            {**row.values_at(at), **{name: like.values[name] for name in _KEYS if name in row.values}, **unknown},
        )
        for row, like in pairs
    ]


def _place(row: Row) -> tuple[datetime, str]:
    return row.moment, row.key


def _with_keys(of_day: Sequence[Row], one_in: int) -> list[tuple[Row, Row]]:
    """Return each row of a day with the row whose key it has: itself, or sometimes the row before it."""
    before = (of_day[0], *of_day[:-1]) if of_day else ()
    return [
        (row, last if one_in and crc32(row.key.encode()) % one_in == 0 else row)
        for row, last in zip(of_day, before, strict=True)
    ]


class _Cell(str):
    """The text of a value, with the original value."""

    value: Value

    @classmethod
    def of(cls, value: Value) -> "_Cell":
        cell = cls(cell_text(value))
        cell.value = value
        return cell


def damaged_objects(
    names: Sequence[str], objects: Sequence[Mapping[str, Value]], faults: Sequence[Fault], day: str
) -> list[dict[str, Value]]:
    """Return JSON objects with the keys `names`, damaged by `faults`; values that a fault writes are texts."""
    table = Table(list(names), [[_Cell.of(item[name]) for name in names] for item in objects], day=day, entity=ENTITY)
    damage(table, faults)
    return [dict(zip(table.header, map(_unprinted, row), strict=False)) for row in table.rows]


def _unprinted(cell: str) -> Value:
    return cell.value if isinstance(cell, _Cell) else cell.replace(QUOTE, '"')
