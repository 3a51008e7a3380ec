"""Build days of `network/daily` from landed partitions, and find the days that must be built.

The ledger records from which versions of its sources a day was built. A day is due when the sources have other versions
now, so nothing depends on seeing an event.
"""

import functools
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reporting_dags.jobs.ledger.builds import Build
from reporting_dags.jobs.ledger.entity_history import EntityPeriod, KnownCurrencies, catch_up
from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.records import MaterializationRecord
from reporting_dags.landing.compute.hashing import compute_data_version
from reporting_dags.landing.compute.sums import Sums, exact_sum
from reporting_dags.landing.reading.combine import Source, combine
from reporting_dags.landing.reading.verify import read_back
from reporting_dags.landing.storage.spool import sha256_of
from reporting_dags.landing.storage.staging import staging_folder
from reporting_dags.landing.storage.store import Store
from reporting_dags.model.clock import Clock
from reporting_dags.model.days import ONE_DAY, SNAPSHOT
from reporting_dags.model.decimals import plain, total
from reporting_dags.model.errors import DataError, NotReady, StorageError
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report

_TRIES = 5
_PAUSE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CombinedReport:
    """A dataset that is built from several reports.

    Attributes:
        report: the report that is built.
        sources: the reports that it is built from, and how.
        currencies: the entity list that has the `currency` of entities by `id`; None if there is none.
    """

    report: Report
    sources: Sequence[Source]
    currencies: Report | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltDay:
    """A day that was built.

    Attributes:
        day: the partition.
        rows: rows of the file.
        data_version: hash of its rows.
        versions: data version of each source, by report key.
        no_currency: entity → figure → money whose currency was never known; amounts of 0 are left out.
    """

    day: date
    rows: int
    data_version: str
    versions: Mapping[str, str]
    no_currency: Mapping[str, Mapping[str, Decimal]] = field(default_factory=dict[str, Mapping[str, Decimal]])


def due_builds(combination: CombinedReport, *, since: date, ledger: Ledger) -> list[date]:
    """Return the days from `since` on whose sources or currencies have changed since they were built, oldest first."""
    landed = ledger.materializations.versions([source.report.key for source in combination.sources], since=since)
    built = ledger.materializations.days(combination.report.key)
    builds = ledger.builds.builds(combination.report.key)
    list_version = _list_version(combination, ledger)
    message = _periods_since(combination, builds.values(), ledger)
    results: list[date] = []
    for day, versions in sorted(landed.items()):
        facts, build = built.get(day), builds.get(day)
        if facts is None or facts.code_version != _version(combination, versions):
            results.append(day)
        elif build is not None:
            if build.broken_off or _other_currencies(combination, day, build, message):
                results.append(day)
        elif "" in facts.money.get("earnings", {}) and facts.raw_sha256 != list_version:
            results.append(day)  # an earlier release built it, and did not note which entities had no currency
    return results


def _periods_since(combination: CombinedReport, builds: Iterable[Build], ledger: Ledger) -> list[EntityPeriod]:
    """Return the changes of the currency list since the oldest of `builds`."""
    oldest = min((build.history for build in builds), default=None)
    if combination.currencies is None or oldest is None:
        return []
    periods = ledger.entities.periods(combination.currencies.key, after=oldest)
    return [period for period in periods if period.currency is not None]


def _other_currencies(combination: CombinedReport, day: date, build: Build, message: Sequence[EntityPeriod]) -> bool:
    """Return whether later changes of the list can give the day another currency."""
    calendars = {source.report.calendar for source in combination.sources if source.currency_is_of_entity}
    ends = [calendar.begins_at(day + ONE_DAY) for calendar in calendars]
    return any(
        period.id > build.history and (period.entity in build.unknown or any(period.first_seen < end for end in ends))
        for period in message
    )


def build(combination: CombinedReport, day: date, *, ledger: Ledger, data: Store, clock: Clock) -> BuiltDay:
    """Build one day from the sources that have landed, and publish it.

    Raises:
        NotReady: no source has landed, or the sources keep changing.
        DataError: a source cannot be read, or differs from its record in the ledger.
        StorageError: the store or the ledger cannot be used.
    """
    keys = [source.report.key for source in combination.sources]
    trouble: DataError | NotReady = NotReady(f"the sources of {day} change faster than they can be read")
    for attempt in range(_TRIES):
        if attempt:
            clock.sleep(_PAUSE.total_seconds())
        versions = ledger.materializations.versions(keys, since=day, until=day).get(day, {})
        if not versions:
            raise NotReady("none of its sources has landed", advice="Materialize them first.")
        currencies = _currencies(combination, ledger, data)
        table = _table(combination, day, versions, data, currencies, clock)
        wrong = _wrong(combination, table, day, ledger)
        if wrong:
            # A source that has been put in place, and not noted yet, looks so too: hence another try.
            reports = [source.report for source in combination.sources if source.report.key in wrong]
            advice = _landing_again(reports, day, clock)
            trouble = DataError("; ".join(message for each in wrong.values() for message in each), advice=advice)
            continue
        with staging_folder(data) as folder:
            path = folder / f"{day}.part"
            pq.write_table(table, path, compression="zstd")
            facts = _facts(combination, day, table, versions, _list_version(combination, ledger), clock, path)
            publish = functools.partial(data.put, path, combination.report.file(day))
            key = combination.report.key
            number = ledger.builds.begin_build(key, day)
            noted = Build(currencies.newest, _unknown(combination, table), number)
            if ledger.materializations.record_build(key, facts, sources=versions, publish=publish, build=noted):
                return BuiltDay(
                    day=day,
                    rows=table.num_rows,
                    data_version=compute_data_version(table),
                    versions=versions,
                    no_currency=_without_currency(table),
                )
    raise trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBuild:
    """What a stored day contains.

    Attributes:
        rows: rows of the file.
        sources: keys of the sources that it contains.
        wrong: how it differs from the ledger's records of it and of its sources, one line each.
        no_currency: as in `BuiltDay`.
        readable: whether it has the rows and columns of a built day; if not, only `wrong` is known.
    """

    rows: int
    sources: Collection[str]
    wrong: Sequence[str]
    no_currency: Mapping[str, Mapping[str, Decimal]]
    readable: bool = True


def stored_build(combination: CombinedReport, day: date, *, ledger: Ledger, data: Store) -> StoredBuild:
    """Read a stored day, and compare it with its record in the ledger and with those of its sources.

    Raises:
        StorageError: the store or the ledger cannot be used.
    """
    facts = ledger.materializations.days(combination.report.key)[day]
    batches: list[pa.RecordBatch] = []
    reading = read_back(combination.report, day, facts, data, each=batches.append)
    if reading.sums is None or not reading.declared:
        wrong = reading.differences or ("it was built by another release",)
        return StoredBuild(rows=reading.rows, sources=(), wrong=wrong, no_currency={}, readable=False)
    table = pa.Table.from_batches(batches, schema=combination.report.schema)
    wrong = list(reading.differences)
    for texts in _wrong(combination, table, day, ledger).values():
        wrong += texts
    sources = ledger.materializations.versions(
        [source.report.key for source in combination.sources], since=day, until=day
    )
    return StoredBuild(
        rows=table.num_rows,
        sources=tuple(sources.get(day, {})),
        wrong=wrong,
        no_currency=_without_currency(table),
    )


def _table(
    combination: CombinedReport,
    day: date,
    versions: Mapping[str, str],
    data: Store,
    currencies: KnownCurrencies,
    clock: Clock,
) -> pa.Table:
    tables: list[pa.Table] = []
    for source in combination.sources:
        if source.report.key not in versions:
            continue
        known = currencies.on(day, source.report.calendar) if source.currency_is_of_entity else {}
        why = "its file is gone"
        if data.exists(source.report.file(day)):
            try:
                tables.append(combine(source, day, data, schema=combination.report.schema, currencies=known))
                continue
            except KeyError as error:
                why = f"its file is of an earlier form of the report, without the column {error.args[0]}"
            except StorageError as error:
                why = error.message
            except (OSError, pa.ArrowException) as error:
                why = f"its file is damaged ({type(error).__name__})"
        advice = _landing_again([source.report], day, clock)
        raise DataError(f"{source.report.key} {day} cannot be read: {why}", advice=advice)
    return pa.concat_tables(tables)


def _landing_again(reports: Sequence[Report], day: date, clock: Clock) -> str:
    """Return the fix for a day whose sources `reports` cannot be used as they are."""
    oldest = max(report.calendar.earliest_available(clock.now()) for report in reports)
    keys = ", ".join(report.key for report in reports)
    fix = f"Fix: materialize {keys} {day} again, with replay: true from the kept raw response"
    if day < oldest:
        return f"{fix}, as the provider serves no day before {oldest}; or put the file back from a backup."
    return f"{fix}, or without it from the provider."


def _currencies(combination: CombinedReport, ledger: Ledger, data: Store) -> KnownCurrencies:
    if combination.currencies is None:
        return KnownCurrencies()
    return KnownCurrencies(catch_up(combination.currencies, ledger, data))


def _unknown(combination: CombinedReport, table: pa.Table) -> list[str]:
    """Return the entities of `table` whose currency only a list can give, and no list has."""
    keys = [source.report.key for source in combination.sources if source.currency_is_of_entity]
    other = pc.field("source_asset").isin(keys) & pc.field("currency").is_null()
    return sorted({entity for entity in table.filter(other).column("entity").to_pylist() if entity})


def _without_currency(table: pa.Table) -> dict[str, dict[str, Decimal]]:
    """Return entity → figure → money in no known currency, the largest first."""
    results: dict[str, dict[str, Decimal]] = {}
    figures = [field.name for field in table.schema if pa.types.is_decimal(field.type)]
    for row in table.filter(pc.field("currency").is_null()).select(["entity", *figures]).to_pylist():
        for figure in figures:
            if row[figure]:
                sums = results.setdefault(row["entity"] or "", {})
                sums[figure] = total([sums.get(figure, Decimal()), row[figure]])
    return dict(sorted(results.items(), key=lambda pair: max(map(Decimal.copy_abs, pair[1].values())), reverse=True))


def _list_version(combination: CombinedReport, ledger: Ledger) -> str:
    if combination.currencies is None:
        return ""
    facts = ledger.materializations.days(combination.currencies.key).get(SNAPSHOT)
    return facts.data_version if facts is not None else ""


def _version(combination: CombinedReport, versions: Mapping[str, str]) -> str:
    message = f"{combination.report.version} {sorted(versions.items())}"
    return hashlib.sha256(message.encode()).hexdigest()[:32]


def _wrong(combination: CombinedReport, table: pa.Table, day: date, ledger: Ledger) -> dict[str, list[str]]:
    """Return source → money that differs from the ledger's record; money of rejected rows does not count."""
    wrong: dict[str, list[str]] = {}
    for source in combination.sources:
        facts = ledger.materializations.days(source.report.key).get(day)
        if facts is None or source.excluded_rows is not None:
            continue
        names = {column.header: column.name for column in source.report.stored_columns}
        own = table.filter(pc.field("source_asset") == source.report.key)
        for figure, header in source.money.items():
            noted = total(facts.money_sums.get(names[header], {}).values())
            result = exact_sum(own.column(figure))
            if noted != result:
                message = f"{source.report.key} {figure}: {plain(result)} of {plain(noted)}"
                wrong.setdefault(source.report.key, []).append(message)
    return wrong


def _facts(
    combination: CombinedReport,
    day: date,
    table: pa.Table,
    versions: Mapping[str, str],
    list_version: str,
    clock: Clock,
    path: Path,
) -> MaterializationRecord:
    sums = Sums(combination.report)
    for batch in table.to_batches():
        sums.add(batch)
    return MaterializationRecord(
        day=day,
        code_version=_version(combination, versions),
        outcome=Outcome.DATA if table.num_rows else Outcome.EMPTY,
        rows=table.num_rows,
        size=path.stat().st_size,
        sha256=sha256_of(path),
        data_version=compute_data_version(table),
        raw_sha256=list_version,
        money={
            column: {currency: str(amount) for currency, amount in by.items()} for column, by in sums.money().items()
        },
        requested_at=clock.now(),
        landed_at=clock.now(),
    )
