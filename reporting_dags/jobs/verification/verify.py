"""Every partition that the ledger knows, read back and compared with its row; and every file that no row names."""

import shlex
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.records import MaterializationRecord
from reporting_dags.jobs.verification.repair import Repair, advice, listed, repairs
from reporting_dags.landing.reading.verify import Reading, read_back
from reporting_dags.landing.storage.origin import Origin, read_origin
from reporting_dags.landing.storage.store import Store
from reporting_dags.model.column import day as day_column
from reporting_dags.model.column import identity
from reporting_dags.model.days import SNAPSHOT, Calendar, Window, contiguous_ranges
from reporting_dags.model.errors import StorageError
from reporting_dags.model.report import Report

_EARLIER = "landed under an earlier declaration"
_DECLARE = ("Fix: declare the report again and verify it, or restore the files from a backup.",)
_SEPARATE = (
    "Fix: set REPORTING_DATA_URL to a folder of this instance's own, or DAGSTER_HOME to the instance that landed them."
)
_UNDECLARED = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something wrong with partitions or files, or worth knowing about them.

    Attributes:
        report: key of the report of the dataset.
        days: the partitions; empty for files that are not partitions.
        message: one line.
        damage: whether data is damaged or missing.
        fix: what to do, one line each; empty if nothing is wrong, or if the message says it.
    """

    report: str
    days: tuple[date, ...]
    message: str
    damage: bool = True
    fix: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """The report and ranges of days."""
        return f"{self.report} {listed(map(str, contiguous_ranges(self.days)), 'ranges')}" if self.days else self.report


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedReport:
    """The result for one report: days and rows that were read, how many days are intact, and the findings."""

    report: str
    days: int
    rows: int
    whole: int
    findings: tuple[Finding, ...]

    @property
    def is_ok(self) -> bool:
        """Whether nothing is damaged."""
        return not any(finding.damage for finding in self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Locations:
    """Where landed days are stored, and when they are verified.

    Attributes:
        ledger: the ledger.
        data: the store of the Parquet files.
        raw: the store of raw responses.
        scratch: a private local folder.
        now: the present moment, by which a day can still be requested or not.
    """

    ledger: Ledger
    data: Store
    raw: Store
    scratch: Path
    now: datetime


def verify(
    reports: Iterable[Report], *, window: Window, built: Collection[str] = (), places: Locations
) -> Iterator[VerifiedReport]:
    """Read every landed day of `reports` back and compare it with its record in the ledger.

    Nothing is locked while a file is read. A run may replace the day meanwhile: what looks damaged is read again until
    the ledger's record is the same before and after.

    Args:
        reports: the reports to verify, in this order.
        window: the days to verify; a snapshot has no day and is always verified.
        built: keys of the reports that are built from others: their code version is that of their sources.
        places: ledger and stores.

    Raises:
        StorageError: the ledger or the data root cannot be read.
    """
    ledger, data = places.ledger, places.data
    for report in reports:
        # In this order: a file that lands in between is then known, and no stray.
        keys = sorted(data.sizes(report.key))
        known = {
            day: facts
            for day, facts in ledger.materializations.days(report.key).items()
            if (day != SNAPSHOT) is report.partitioned
        }
        landed = {day: facts for day, facts in known.items() if day == SNAPSHOT or day in window}
        damaged: dict[date, tuple[MaterializationRecord, Reading]] = {}
        earlier: list[date] = []
        rows = whole = 0
        for day, facts in sorted(landed.items()):
            settled, reading = _settled(report, facts, ledger, data)
            rows += reading.rows
            whole += not reading.differences
            if reading.differences:
                damaged[day] = settled, reading
            elif not reading.declared or (report.key not in built and settled.code_version != report.version):
                earlier.append(day)
        files = {report.file(day) for day in known}
        strays = [key for key in keys if key not in files]
        unknown = list(_unknown_files(report, strays, window, data, alone=not files))
        is_shared = any(finding.days for finding in unknown)
        findings = list(_damage(report, damaged, built=report.key in built, is_shared=is_shared, places=places))
        if earlier:
            findings.append(Finding(report=report.key, days=tuple(earlier), message=_earlier(report), damage=False))
        findings += unknown
        yield VerifiedReport(report=report.key, days=len(landed), rows=rows, whole=whole, findings=tuple(findings))


def _damage(
    report: Report,
    damaged: Mapping[date, tuple[MaterializationRecord, Reading]],
    *,
    built: bool,
    is_shared: bool,
    places: Locations,
) -> Iterator[Finding]:
    """Yield findings of damaged partitions, grouped by damage and repair.

    Args:
        report: the report.
        damaged: the ledger's records of the partitions, and what was read.
        built: whether the report is built from others.
        is_shared: whether another instance landed partitions of the same dataset. It may have replaced these too, so no
            advice may overwrite them.
        places: ledger and stores.
    """
    others: defaultdict[str, list[date]] = defaultdict(list)
    ours: dict[date, MaterializationRecord] = {}
    for day, (facts, _) in damaged.items():
        account = _other_account(report, facts, places)
        if account or (is_shared and _account(report, report.file(day), places.data) is not None):
            others[account].append(day)
        else:
            ours[day] = facts
    for account, days in others.items():
        of = f", of account {account}" if account else " that lands in the same folder"
        message = f"replaced by another instance{of}"
        yield Finding(report=report.key, days=tuple(days), message=message, fix=(_SEPARATE,))
    groups: defaultdict[tuple[str, Repair], list[date]] = defaultdict(list)
    for day, repair in (_repairs(report, ours, built=built, places=places) if ours else {}).items():
        groups[damaged[day][1].damage, repair].append(day)
    for (kind, repair), days in groups.items():
        fix = _DECLARE if report.query is _UNDECLARED else advice(report, repair, days, places.now)
        message = _message(kind, {day: damaged[day][1] for day in days})
        yield Finding(report=report.key, days=tuple(days), message=message, fix=fix)


def _repairs(
    report: Report, damaged: Mapping[date, MaterializationRecord], *, built: bool, places: Locations
) -> dict[date, Repair]:
    return repairs(
        report,
        damaged,
        built=built,
        ledger=places.ledger,
        raw=places.raw,
        scratch=places.scratch,
        now=places.now,
    )


def _other_account(report: Report, facts: MaterializationRecord, places: Locations) -> str:
    """Return the account of another instance that replaced a partition; "" if there is none."""
    origin = _origin(places.data, report.file(facts.day))
    if origin is None or not (origin.account and facts.account):
        return ""
    account = places.ledger.accounts.of(origin.account)
    return "" if account == places.ledger.accounts.of(facts.account) else account


def _message(kind: str, readings: Mapping[date, Reading]) -> str:
    """Return what is wrong with days that are damaged in the same way, with the differences of the first of them."""
    texts = {"; ".join(reading.differences) for reading in readings.values()}
    first, text = next(iter(readings)), "; ".join(next(iter(readings.values())).differences)
    return text if len(texts) == 1 else f"{kind} ({first}: {text})"


def forgotten(reports: Sequence[Report], *, ledger: Ledger, data: Store) -> list[Report]:
    """Return reports that are no longer declared and whose days are still at the data root, without their columns."""
    declared = {report.key for report in reports}
    folders = {"/".join(key.split("/")[:2]) for key in data.sizes("") if key.count("/") > 1}
    results: list[Report] = []
    for folder in sorted(folders - declared):
        days = ledger.materializations.days(folder)
        if days:
            results.append(_undeclared(folder, partitioned=SNAPSHOT not in days))
    return results


def _undeclared(key: str, *, partitioned: bool) -> Report:
    provider, name = key.split("/")
    return Report(
        provider=provider,
        name=name,
        query=_UNDECLARED,
        columns=(*((day_column("date"),) if partitioned else ()), identity("unknown", "")),
        grain=(),
        calendar=Calendar(),
        window_days=1,
        partitioned=partitioned,
    )


def _settled(
    report: Report, facts: MaterializationRecord, ledger: Ledger, data: Store
) -> tuple[MaterializationRecord, Reading]:
    """Read a day until its record in the ledger is the same before and after; return both."""
    suspect: Reading | None = None
    while True:
        reading = read_back(report, facts.day, facts, data)
        # What a disk or a network garbled once need not be what is stored: damage is what shows twice.
        if not reading.differences or reading == suspect:
            return facts, reading
        now = ledger.materializations.days(report.key).get(facts.day, facts)
        suspect = reading if now == facts else None
        facts = now


def _unknown_files(
    report: Report, keys: Sequence[str], window: Window, data: Store, *, alone: bool
) -> Iterator[Finding]:
    """Yield findings of files that readers of the dataset would include and that the ledger does not know.

    Args:
        report: the report of the dataset.
        keys: keys of the files.
        window: the days to verify.
        data: the store of the Parquet files.
        alone: whether the ledger knows no partition of the dataset.
    """
    folder = f"{data.url}/{report.key}"
    others: dict[date, str] = {}
    unknown: list[str] = []
    for key in keys:
        inner, _, name = key.removeprefix(f"{report.key}/").rpartition("/")
        day = _day(inner) if report.partitioned else SNAPSHOT
        if (day not in {None, SNAPSHOT} and day not in window) or not (
            name.endswith(".parquet") or inner.startswith("date=")
        ):
            continue
        account = _account(report, key, data) if day is not None and key == report.file(day) else None
        if day is None or account is None:
            unknown.append(key.removeprefix(f"{report.key}/"))
        else:
            others[day] = account
    if others:
        accounts = sorted({account for account in others.values() if account})
        of = f" ({'account' if len(accounts) == 1 else 'accounts'} {', '.join(accounts)})" if accounts else ""
        many = f"{len(others)} partitions are" if len(others) > 1 else "1 partition is"
        fix = _SEPARATE if alone else f"Fix: move them out of {folder}, to the data root of that instance."
        message = f"{many} not in this ledger: another instance, such as the demo, landed them{of}. {fix}"
        yield Finding(report=report.key, days=tuple(others), message=message)
    if unknown:
        many = f"{len(unknown)} files that no run has landed" if len(unknown) > 1 else "no run has landed this file"
        message = f"{many}, in {folder}: {listed(map(shlex.quote, unknown), 'files')}"
        fix = f"Fix: move {'them' if len(unknown) > 1 else 'it'} out of {folder}"
        yield Finding(report=report.key, days=(), message=message, fix=(fix,))


def _account(report: Report, key: str, data: Store) -> str | None:
    """Return the account that landed a file; "" if the file does not say, None if it is not a file of this project."""
    origin = _origin(data, key)
    if origin is not None:
        return origin.account
    try:
        with data.open(key) as file:
            schema = pq.read_schema(file)
    except (StorageError, OSError, pa.ArrowException):
        return None
    # What was built from other reports, or landed by an early release, names no account.
    return "" if schema.equals(report.schema, check_metadata=True) else None


def _origin(data: Store, key: str) -> Origin | None:
    try:
        return read_origin(data, key) if data.exists(key) else None
    except StorageError:
        return None


def _day(folder: str) -> date | None:
    try:
        return date.fromisoformat(folder.removeprefix("date="))
    except ValueError:
        return None


def _earlier(report: Report) -> str:
    return "of a report that is declared no longer" if report.query is _UNDECLARED else _EARLIER
