"""Every formula, query and example of reading in the documents, executed over landed days in every engine at hand."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest

from reporting_dags.model.report import Report
from reporting_dags.orchestration.storage import PROJECT
from reporting_dags.reports.registry import all_reports
from reporting_dags_tests.reports import engines
from reporting_dags_tests.reports.engines import Run
from reporting_dags_tests.reports.made import DAYS, GONE, OLDEST, Figures, land_days

DOCUMENTS = {
    path: path.read_text(encoding="utf-8") for path in (PROJECT / "README.md", *(PROJECT / "docs").glob("*.md"))
}
SQL = [block for text in DOCUMENTS.values() for block in re.findall(r"```sql\n(.*?)```", text, re.DOTALL)]
READERS = [
    block
    for text in DOCUMENTS.values()
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    if ".parquet" in block
]
REPORTS = {report.key: report for report in all_reports()}
EVENT, MINTEGRAL = "dt_offer_wall/event", "mintegral/offer_performance"
AGGREGATE = re.compile(r"\b(sum|avg|count|min|max)\(")


@dataclass(frozen=True, kw_only=True)
class Formula:
    """How a ratio follows from sums, as the data dictionary says it."""

    report: Report
    column: str
    text: str


def _formulas() -> list[Formula]:
    found: list[Formula] = []
    for section in re.split(r"^## ", DOCUMENTS[PROJECT / "docs" / "datasets.md"], flags=re.MULTILINE)[1:]:
        report = REPORTS.get(section.partition("\n")[0])
        for column, text in re.findall(r"^\| `(\w+)` .*From sums: (.*) \| `", section, re.MULTILINE):
            assert report is not None
            found.append(Formula(report=report, column=column, text=text.replace("`", "")))
    return found


FORMULAS = _formulas()
DECLARED = {EVENT, MINTEGRAL, *(formula.report.key for formula in FORMULAS)}
LANDED = {key: report for key, report in REPORTS.items() if key in DECLARED}
ENGINES: dict[str, Callable[..., Run]] = {
    "duckdb": engines.duckdb_engine,
    "datafusion": engines.datafusion_engine,
    "polars": engines.polars_engine,
    "sqlite": engines.sqlite_engine,
    "postgres": engines.postgres_engine,
}


@pytest.fixture(scope="module")
def sums(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Figures]]:
    """A folder with landed days of every report that the documents read, and the sums of their figures."""
    folder = tmp_path_factory.mktemp("landed")
    return folder, {key: land_days(report, folder) for key, report in LANDED.items()}


@pytest.fixture(params=list(ENGINES))
def run(request: pytest.FixtureRequest, sums: tuple[Path, dict[str, Figures]]) -> Run:
    more = [request.getfixturevalue("postgres_url")] if request.param == "postgres" else []
    return ENGINES[request.param](LANDED, sums[0], *more)


def test_every_ratio_that_follows_from_sums_has_its_formula_in_the_data_dictionary() -> None:
    documented = {(formula.report.key, formula.column) for formula in FORMULAS}
    declared = {
        (key, column.name) for key, report in REPORTS.items() for column in report.stored_columns if column.ratio_of
    }
    assert documented == declared


def test_no_aggregate_in_the_documents_is_outside_what_is_executed_here() -> None:
    executed = "".join([*SQL, *READERS, *(formula.text for formula in FORMULAS)])
    written = "".join(DOCUMENTS.values())
    assert len(AGGREGATE.findall(executed)) == len(AGGREGATE.findall(written))


def test_every_documented_formula_is_right_in_every_engine(run: Run, sums: tuple[Path, dict[str, Figures]]) -> None:
    wrong: list[str] = []
    for formula in FORMULAS:
        key = formula.report.key
        (ratio,) = (column for column in formula.report.stored_columns if column.name == formula.column)
        assert ratio.ratio_of is not None
        place = f"read_parquet('data/{key}/**/*.parquet', hive_partitioning = true, union_by_name = true)"
        rows = run(f"SELECT date, {formula.text} AS value FROM {place} GROUP BY date ORDER BY date")
        assert [str(row["date"]) for row in rows] == [str(day) for day in DAYS]
        for day, row in zip(DAYS, rows, strict=True):
            over, under = (sums[1][key][day, header] for header in (ratio.ratio_of.over, ratio.ratio_of.under))
            right = float(ratio.ratio_of.scale * Fraction(over) / Fraction(under)) if under else None
            value = row["value"]
            same = value is right if value is None or right is None else float(value) == pytest.approx(right, rel=1e-12)
            if not same:
                wrong.append(f"{key} {day} {formula.text}: {value} in place of {right}")
    assert wrong == []


def test_every_documented_query_is_right_in_every_engine(run: Run, sums: tuple[Path, dict[str, Figures]]) -> None:
    event, mintegral = sums[1][EVENT], sums[1][MINTEGRAL]
    earned = [event[day, "Publisher Revenue"] for day in DAYS]
    clicked = [(mintegral[day, "Click"], mintegral[day, "Impression"]) for day in DAYS]
    spent = [mintegral[day, "Spend"] for day in DAYS]
    right: list[list[dict[str, Any]]] = [
        [{"date": day, "revenue": amount} for day, amount in zip(DAYS, earned, strict=True)],
        [
            {"date": day, "currency": "USD", "ctr": float(100 * Fraction(click) / Fraction(shown)) if shown else None}
            for day, (click, shown) in zip(DAYS, clicked, strict=True)
        ],
        [{"date": day, "spend_in_eur": float(amount) * 0.9215} for day, amount in zip(DAYS, spent, strict=True)],
    ]
    assert len(SQL) == len(right), "what a new query must give is to be written above"
    for query, rows in zip(SQL, right, strict=True):
        assert [list(map(_plain, row.items())) for row in run(query)] == [
            [_near(*_plain(item)) for item in row.items()] for row in rows
        ], query


def _plain(item: tuple[str, Any]) -> tuple[str, Any]:
    """A day as text, and numbers of every type alike: SQLite has no decimals, PostgreSQL has nothing else here."""
    name, value = item
    if isinstance(value, date):
        return name, str(value)
    return name, float(value) if isinstance(value, Decimal | int) else value


def _near(name: str, value: Any) -> tuple[str, Any]:
    return name, pytest.approx(value, rel=1e-12) if isinstance(value, float) else value


def test_sums_of_money_are_exact_to_the_last_decimal(sums: tuple[Path, dict[str, Figures]]) -> None:
    folder, right = sums
    for name in ("duckdb", "datafusion", "polars"):
        rows = ENGINES[name](LANDED, folder)(SQL[0])
        assert [row["revenue"] for row in rows] == [right[EVENT][day, "Publisher Revenue"] for day in DAYS], name


def test_the_examples_of_reading_find_every_row_and_column_also_of_older_files(
    sums: tuple[Path, dict[str, Figures]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(sums[0])
    assert len(READERS) == 1
    found: dict[str, Any] = {}
    exec(compile(READERS[0], "README.md", "exec"), found)
    frame, table = found["frame"], found["table"]
    assert isinstance(frame, pl.DataFrame)
    assert isinstance(table, pa.Table)
    added, columns = "publisher_arpu", {"date", *REPORTS[EVENT].schema.names}
    for rows in (frame.to_dicts(), table.to_pylist()):
        assert {frozenset(row) for row in rows} == {frozenset(columns)}, "as declared now"
        days = [row["date"] for row in rows]
        assert sorted(days) == sorted([*DAYS, *DAYS])
        assert {row["date"] for row in rows if row[added] is None} == {OLDEST}
        for day in DAYS:
            earned = sum((row["publisher_revenue"] for row in rows if row["date"] == day), Decimal())
            assert earned == sums[1][EVENT][day, "Publisher Revenue"]


def test_datafusion_finds_added_columns_without_an_option(sums: tuple[Path, dict[str, Figures]]) -> None:
    (row,) = engines.datafusion_engine(LANDED, sums[0])(
        f"SELECT count(publisher_arpu) AS n FROM {EVENT.replace('/', '_')}"
    )
    assert row == {"n": 2 * (len(DAYS) - 1)}


def test_readers_that_are_not_told_of_added_columns_lose_or_refuse_them(
    sums: tuple[Path, dict[str, Figures]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the README warns of: were it no longer so, the warning would have to go."""
    monkeypatch.chdir(sums[0])
    place = f"data/{EVENT}/**/*.parquet"
    with pytest.raises(duckdb.Error, match="publisher_arpu"):
        duckdb.sql(f"SELECT publisher_arpu FROM read_parquet('{place}')")
    with pytest.raises(pl.exceptions.SchemaError):
        pl.scan_parquet(place).collect()
    ignored = pl.scan_parquet(place, missing_columns="insert", extra_columns="ignore").collect()
    assert "publisher_arpu" not in ignored.columns
    assert "gone_since" in ignored.columns, GONE


def test_products_of_two_landed_decimals_are_refused_and_those_that_the_readme_advises_are_right(
    sums: tuple[Path, dict[str, Figures]],
) -> None:
    folder = sums[0]
    rate, right = "CAST(0.9215 AS DECIMAL(38, 18))", Decimal("53297744.2459") * Decimal("0.9215")
    for name in ("duckdb", "datafusion"):
        run = ENGINES[name](LANDED, folder)
        place = f"read_parquet('data/{MINTEGRAL}/**/*.parquet', hive_partitioning = true)"
        with pytest.raises(Exception, match=r"(?i)overflow"):
            run(f"SELECT max(spend * {rate}) AS spend FROM {place}")
        for kind in ("DOUBLE PRECISION", "DECIMAL(18, 6)"):
            (row,) = run(f"SELECT max(CAST(spend AS {kind}) * {rate}) AS spend FROM {place}")
            assert float(row["spend"]) == pytest.approx(float(right), rel=1e-12), (name, kind)


def test_polars_as_it_is_locked_multiplies_landed_decimals_rightly(sums: tuple[Path, dict[str, Figures]]) -> None:
    spend = pl.read_parquet(sums[0] / f"data/{MINTEGRAL}/date={OLDEST}/part-0.parquet")["spend"]
    assert max((spend * 1000).to_list()) == Decimal("53297744245.900000000000001")
