"""Days of any report with figures that give away a wrong formula, landed by the project itself."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

from reporting_dags.landing.parsing.raw_file import RawFile
from reporting_dags.landing.storage.store import open_store
from reporting_dags.landing.writing.land import LandedDay, land
from reporting_dags.model.column import Column, Kind, identity
from reporting_dags.model.days import Window
from reporting_dags.model.format import JsonRows
from reporting_dags.model.report import Report

OLDEST, MIDDLE, NEWEST = DAYS = (date(2026, 10, 27), date(2026, 10, 28), date(2026, 10, 29))
"""The oldest lands under an earlier declaration: without the report's last ratio, and with a column that is gone."""

GONE = "Gone Since"
_COUNTS = (1000, 15, 2, 31, 7, 5)
_MONEY = {
    # Sums of two rows: one with all 18 decimals, one that SQLite keeps as an integer, and nothing to divide by.
    OLDEST: (Decimal("53297744.245900000000000001"), Decimal("0.000000000000000002")),
    MIDDLE: (Decimal(1000), Decimal(3)),
    NEWEST: (Decimal(0), Decimal(0)),
}

Figures = Mapping[tuple[date, str], Decimal]
"""The sum of a measure or of money, by day and header, as Python works it out."""


def land_days(report: Report, folder: Path) -> Figures:
    """Land `DAYS` of `report` under `folder / "data"`; returns the sums."""
    store = open_store(str(folder / "data"), scratch=folder / "scratch")
    sums: dict[tuple[date, str], Decimal] = {}
    for day in DAYS:
        declared = _earlier(report) if day == OLDEST else report
        rows = list(_rows(declared, day))
        path = folder / f"{report.name}-{day}{declared.format.suffix}"
        path.write_text(_answer(declared, rows), encoding="utf-8")
        for result in land(
            declared,
            [RawFile(path=path)],
            window=Window(day, day),
            days=[day],
            store=store,
            expected_rows=len(rows),
            publish=lambda _, put: put(),
        ):
            assert isinstance(result, LandedDay), result
        for column in report.stored_columns:
            if column.kind in {Kind.MEASURE, Kind.MONEY}:
                sums[day, column.header] = sum((Decimal(row[column.header]) for row in rows), Decimal())
    return sums


def _earlier(report: Report) -> Report:
    ratios = [column for column in report.columns if column.kind is Kind.RATIO]
    kept = [column for column in report.columns if column not in ratios[-1:]]
    return replace(report, columns=(*kept, identity(GONE, "A column that is declared no longer")))


def _rows(report: Report, day: date) -> Iterator[dict[str, str]]:
    measures = [column for column in report.columns if column.kind is Kind.MEASURE]
    for number, amount in enumerate(_MONEY[day]):
        row = {column.header: _text(column, day, number) for column in report.columns}
        for place, column in enumerate(measures):
            row[column.header] = str(0 if day == NEWEST else _COUNTS[place % len(_COUNTS)] + number)
        row |= {column.header: f"{amount:f}" for column in report.columns if column.kind is Kind.MONEY}
        yield row


def _text(column: Column, day: date, number: int) -> str:
    if column.kind is Kind.DAY:
        return day.isoformat()
    if column.kind is Kind.TIME:
        return f"{day} 0{number}:00:00"
    # A ratio as sent is 1 in every row: what is added or averaged is none of the right values.
    return {Kind.RATIO: "1"}.get(column.kind, "USD" if column.header == "Currency" else f"{column.name}-{number}")


def _answer(report: Report, rows: Sequence[Mapping[str, str]]) -> str:
    headers = [column.header for column in report.columns]
    if isinstance(report.format, JsonRows):
        # By hand: a decimal of 18 places is not a float.
        quoted = {column.header for column in report.columns if column.kind in {Kind.DAY, Kind.IDENTITY}}
        pairs = [
            [f'"{name}": ' + (f'"{text}"' if name in quoted else text) for name, text in row.items()] for row in rows
        ]
        objects = ", ".join("{" + ", ".join(row) + "}" for row in pairs)
        return f'{{"{report.format.rows}": [{objects}], "meta": {{"count": {len(rows)}}}}}'
    delimiter = report.format.delimiter
    return "".join(
        delimiter.join(line) + "\n" for line in (headers, *([row[name] for name in headers] for row in rows))
    )
