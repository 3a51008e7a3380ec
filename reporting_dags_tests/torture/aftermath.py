"""What runs left: jobs and days in the ledger, sums, Dagster's records, files; and whether all of it is settled."""

import math
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any

import dagster as dg
import sqlalchemy as sa

from reporting_dags.jobs.ledger import tables
from reporting_dags.jobs.ledger.database import open_database
from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.records import JobState, MaterializationRecord
from reporting_dags.landing.storage.store import open_store
from reporting_dags.model.column import MIXED, Kind
from reporting_dags.model.report import Report
from reporting_dags.orchestration.asset_checks import BLOCKING
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.torture.place import Place
from reporting_dags_tests.truth import Row as Record
from reporting_dags_tests.truth import expected_rows, landed_rows

SUBMITS = {"dt_offer_wall": "dt.report", "mintegral": "mintegral.generate", "integr8": "integr8.export"}
FOUND_AGAIN = frozenset({"mintegral"})
"""Providers to whom the same question is the same job: asking once more costs nothing."""


def newest_days(report: Report, count: int) -> list[date]:
    """The last `count` days that are published, oldest first."""
    newest = report.calendar.latest_available(datetime.now(UTC))
    return [newest - timedelta(days=n) for n in reversed(range(count))]


def windows(report: Report, days: Sequence[date]) -> int:
    """The fewest jobs that an unbroken stretch of days can cost."""
    return math.ceil(len(days) / report.window_days)


def submits(sandbox: Sandbox, report: Report) -> int:
    """Jobs that the provider accepted; where the same question is the same job, it counts once."""
    accepted = sandbox.log.entries(SUBMITS[report.provider], status=200)
    return len({entry.facts.get("job", str(entry.number)) for entry in accepted})


def job_rows(place: Place, report: Report) -> Sequence[sa.Row[Any]]:
    """The ledger's rows of the report's jobs."""
    database = open_database(None, place.home, lock_seconds=30)
    query = sa.select(tables.jobs).where(tables.jobs.c.report == report.key)
    try:
        database.create(tables.metadata)
        return database.read(lambda connection: connection.execute(query).all())
    finally:
        database.close()


def open_jobs(place: Place, report: Report) -> list[sa.Row[Any]]:
    """Those of them that are not closed."""
    return [row for row in job_rows(place, report) if row.state != JobState.CLOSED]


def landed_facts(place: Place, report: Report) -> dict[date, MaterializationRecord]:
    """What the ledger notes of each landed day."""
    database = open_database(None, place.home, lock_seconds=30)
    try:
        return Ledger(database).materializations.days(report.key)
    finally:
        database.close()


def outcomes(place: Place, report: Report) -> str:
    """How the days ended, each way once: "confirmed empty and data"."""
    return " and ".join(sorted({facts.outcome.value for facts in landed_facts(place, report).values()})) or "nothing"


def unsettled(place: Place, report: Report, days: Sequence[date]) -> list[str]:
    """What a run that ended well should have left otherwise: sums, the ledger's days, Dagster's records, open jobs."""
    found = [f"job of {row.first_day} is still {row.state}" for row in open_jobs(place, report)]
    store = open_store(str(place.data), scratch=place.folder)
    facts = landed_facts(place, report)
    told = _told(place, report, days)
    checked = _checked(place, report)
    for day in days:
        if not store.exists(report.file(day)):
            found.append(f"{day} is not there")
            continue
        truth = money(report, expected_rows(place.sandbox, report, day))
        if money(report, landed_rows(store, report, day)) != truth:
            found.append(f"{day}: the file's sums are not the truth's")
        if day not in facts or facts[day].money_sums != truth:
            found.append(f"{day}: the ledger's sums are not the truth's")
            continue
        metadata, version = told.get(day, ({}, ""))
        exact = {f"{name}_{_unit(code)}_exact": amount for name, by in truth.items() for code, amount in by.items()}
        if {name: Decimal(metadata.get(name, "NaN")) for name in exact} != exact or version != facts[day].data_version:
            found.append(f"{day}: Dagster was told otherwise, or nothing")
        if missing := [name for name in BLOCKING if (name, day) not in checked]:
            found.append(f"{day}: Dagster knows no result of {', '.join(missing)}")
    return found


def left_behind(place: Place) -> list[str]:
    """Temporary files and locks that no one holds."""
    spool, owners, staging = place.home / "reporting_spool", place.home / "reporting_owners", place.data / ".staging"
    files = [path for path in spool.rglob("*") if path.is_file() or path.parent.name == "runs"]
    return [
        f"left behind: {path.relative_to(place.folder)}"
        for path in (*files, *owners.glob("*.lock"), *staging.glob("landing-*"))
    ]


def money(report: Report, rows: Counter[Record]) -> dict[str, dict[str, Decimal]]:
    """Sums of every money column by currency, exact."""
    places = {column.header: number for number, column in enumerate(report.stored_columns)}
    sums: dict[str, dict[str, Decimal]] = {}
    with localcontext() as exact:
        exact.prec = 80
        for column in report.stored_columns:
            if column.kind is not Kind.MONEY:
                continue
            by = sums.setdefault(column.name, {column.currency: Decimal()} if column.currency else {})
            for row, times in rows.items():
                currency = column.currency or row[places[column.currency_from or ""]]
                by[currency] = by.get(currency, Decimal()) + times * (row[places[column.header]] or Decimal())
    return sums


def _unit(code: str) -> str:
    return "mixed" if code == MIXED else code.lower()


def _told(place: Place, report: Report, days: Sequence[date]) -> dict[date, tuple[dict[str, Any], str]]:
    """Metadata and data version of each day's latest materialization in Dagster."""
    wanted = dg.AssetRecordsFilter(
        asset_key=dg.AssetKey([report.provider, report.name]), asset_partitions=[day.isoformat() for day in days]
    )
    told: dict[date, tuple[dict[str, Any], str]] = {}
    with dg.DagsterInstance.from_config(str(place.home)) as instance:
        for record in instance.fetch_materializations(wanted, limit=10_000).records:
            event = record.asset_materialization
            if event is not None and event.partition is not None:
                plain = {name: value.value for name, value in event.metadata.items()}
                version = (event.tags or {}).get("dagster/data_version", "")
                told.setdefault(date.fromisoformat(event.partition), (plain, version))
    return told


def _checked(place: Place, report: Report) -> set[tuple[str, date]]:
    """The checks and days of which Dagster knows a result that passed."""
    found: set[tuple[str, date]] = set()
    with dg.DagsterInstance.from_config(str(place.home)) as instance:
        for name in BLOCKING:
            key = dg.AssetCheckKey(dg.AssetKey([report.provider, report.name]), name)
            for record in instance.event_log_storage.get_asset_check_execution_history(key, limit=10_000):
                event = record.event.dagster_event if record.event else None
                if event is None or event.event_type is not dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                    continue
                told = event.asset_check_evaluation_data
                if told.partition is not None and told.passed:
                    found.add((name, date.fromisoformat(told.partition)))
    return found
