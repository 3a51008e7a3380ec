"""Building a day of `network/daily` from what has landed, and knowing which days are to be built (again).

The ledger notes from which versions of its sources a day was built. A day is due when they are others now, whoever
landed them and however close together; so nothing depends on having seen an event.
"""

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reporting_dags.jobs.job import LandedFacts
from reporting_dags.jobs.ledger import Ledger
from reporting_dags.landing.combine import Source, summed
from reporting_dags.landing.hashing import fingerprint
from reporting_dags.landing.spool import sha256_of
from reporting_dags.landing.store import Store
from reporting_dags.landing.sums import Sums, total_of
from reporting_dags.landing.workspace import workspace
from reporting_dags.model.clock import Clock
from reporting_dags.model.days import SNAPSHOT
from reporting_dags.model.decimals import plain, total
from reporting_dags.model.errors import DataError, NotReady, StorageError
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report

_TRIES = 5
_PAUSE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """What is built, and from what.

    Attributes:
        report: the table that is built.
        sources: what each source gives to it.
        currencies: the list that knows the `currency` of entities by `id`; None if there is none.
    """

    report: Report[Any]
    sources: Sequence[Source]
    currencies: Report[Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A day that was built: its rows and data version, and the data version of each source that it holds."""

    day: date
    rows: int
    fingerprint: str
    versions: Mapping[str, str]


def due(combination: Combination, *, since: date, ledger: Ledger) -> list[date]:
    """The days from `since` on whose sources are others than those they were built from, oldest first."""
    landed = ledger.versions([source.report.key for source in combination.sources], since=since)
    built = ledger.days(combination.report.key)
    currencies = _currencies_version(combination, ledger)
    found: list[date] = []
    for day, versions in sorted(landed.items()):
        facts = built.get(day)
        if facts is None or facts.version != _version(combination, versions):
            found.append(day)
        elif "" in facts.money.get("earnings", {}) and facts.raw_sha256 != currencies:
            found.append(day)  # money whose currency was not known then may be known now
    return found


def build(combination: Combination, day: date, *, ledger: Ledger, data: Store, clock: Clock) -> Built:
    """Build one day from the sources that have landed, and put it in place.

    Raises:
        NotReady: none has landed.
        DataError: a source cannot be read, or is not what the ledger noted of it.
        StorageError: the store or the ledger refuses, or the sources do not come to rest.
    """
    keys = [source.report.key for source in combination.sources]
    trouble: DataError | StorageError = StorageError(f"the sources of {day} change faster than they can be read")
    for attempt in range(_TRIES):
        if attempt:
            clock.sleep(_PAUSE.total_seconds())
        versions = ledger.versions(keys, since=day, until=day).get(day, {})
        if not versions:
            raise NotReady("none of its sources has landed", advice="Materialize them first.")
        currencies = _currencies_version(combination, ledger)
        table = _table(combination, day, versions, data)
        wrong = _wrong(combination, table, day, ledger)
        if wrong:
            # A source that has been put in place, and not noted yet, looks so too: hence another try.
            trouble = DataError(wrong, advice="Materialize that source again.")
            continue
        with workspace(data) as folder:
            path = folder / f"{day}.part"
            pq.write_table(table, path, compression="zstd")
            facts = _facts(combination, day, table, versions, currencies, clock, path)
            publish = functools.partial(data.put, path, combination.report.file(day))
            if ledger.combined(combination.report.key, facts, sources=versions, publish=publish):
                return Built(day=day, rows=table.num_rows, fingerprint=fingerprint(table), versions=versions)
    raise trouble


def _table(combination: Combination, day: date, versions: Mapping[str, str], data: Store) -> pa.Table:
    currencies = _currencies(combination, data)
    tables: list[pa.Table] = []
    for source in combination.sources:
        if source.report.key not in versions:
            continue
        try:
            tables.append(summed(source, day, data, schema=combination.report.schema, currencies=currencies))
        except (StorageError, OSError, pa.ArrowException, KeyError):
            told = f"{source.report.key} {day} cannot be read: it is gone, or of an earlier form of the report"
            raise DataError(told, advice="Materialize that source again.") from None
    return pa.concat_tables(tables)


def _currencies(combination: Combination, data: Store) -> dict[str, str]:
    report = combination.currencies
    if report is None or not data.exists(report.file(SNAPSHOT)):
        return {}
    with data.open(report.file(SNAPSHOT)) as file:
        table = pq.read_table(file, columns=["id", "currency"])
    pairs = zip(table.column("id").to_pylist(), table.column("currency").to_pylist(), strict=True)
    return {str(key): str(value) for key, value in pairs if key and value}


def _currencies_version(combination: Combination, ledger: Ledger) -> str:
    if combination.currencies is None:
        return ""
    facts = ledger.days(combination.currencies.key).get(SNAPSHOT)
    return facts.fingerprint if facts is not None else ""


def _version(combination: Combination, versions: Mapping[str, str]) -> str:
    told = f"{combination.report.version} {sorted(versions.items())}"
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def _wrong(combination: Combination, table: pa.Table, day: date, ledger: Ledger) -> str:
    """Money that is another than what the ledger noted when the source landed; rejected rows' money does not count."""
    wrong: list[str] = []
    for source in combination.sources:
        facts = ledger.days(source.report.key).get(day)
        if facts is None or source.worthless is not None:
            continue
        names = {column.header: column.name for column in source.report.kept}
        mine = table.filter(pc.field("source_asset") == source.report.key)
        for figure, header in source.money.items():
            noted = total(facts.money_sums.get(names[header], {}).values())
            found = total_of(mine.column(figure))
            if noted != found:
                wrong.append(f"{source.report.key} {figure}: {plain(found)} of {plain(noted)}")
    return "; ".join(wrong)


def _facts(
    combination: Combination,
    day: date,
    table: pa.Table,
    versions: Mapping[str, str],
    currencies: str,
    clock: Clock,
    path: Path,
) -> LandedFacts:
    sums = Sums(combination.report)
    for batch in table.to_batches():
        sums.add(batch)
    return LandedFacts(
        day=day,
        version=_version(combination, versions),
        outcome=Outcome.DATA if table.num_rows else Outcome.EMPTY,
        rows=table.num_rows,
        size=path.stat().st_size,
        sha256=sha256_of(path),
        fingerprint=fingerprint(table),
        raw_sha256=currencies,
        money={
            column: {currency: str(amount) for currency, amount in by.items()} for column, by in sums.money().items()
        },
        asked_at=clock.now(),
        landed_at=clock.now(),
    )
