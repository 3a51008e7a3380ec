"""Every partition that the ledger knows, read back and compared with its row; and every file that no row names."""

import shlex
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from reporting_dags.jobs.job import LandedFacts
from reporting_dags.jobs.ledger import Ledger
from reporting_dags.landing.store import Store
from reporting_dags.landing.verify import Noted, Reading, read_back
from reporting_dags.model.column import day as day_column
from reporting_dags.model.column import identity
from reporting_dags.model.days import SNAPSHOT, Calendar, Window, stretches
from reporting_dags.model.report import Report

_EARLIER = "landed under an earlier declaration"
_UNDECLARED = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is to be told of a file, or of several alike.

    Attributes:
        report: key of the report whose dataset it is in.
        window: whose partitions they are; None for a file that is no partition.
        told: one line.
        mend: the command that mends it; empty where nothing is broken.
    """

    report: str
    window: Window | None
    told: str
    mend: str = ""

    @property
    def damage(self) -> bool:
        """Whether something is not whole; else it is merely worth knowing."""
        return bool(self.mend)

    @property
    def subject(self) -> str:
        """Report and days."""
        return f"{self.report} {self.window}" if self.window is not None else self.report


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """One report: how many landed days and rows were read, how many of the days are whole, and what was found."""

    report: str
    days: int
    rows: int
    whole: int
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is damaged."""
        return not any(finding.damage for finding in self.findings)


def verify(
    reports: Iterable[Report[Any]], *, window: Window, built: Collection[str] = (), ledger: Ledger, data: Store
) -> Iterator[Verified]:
    """Read back every landed day of `reports` and compare it with its row in the ledger.

    Nothing is locked while a file is read. A run may replace the day meanwhile: what looks damaged is read again until
    the ledger's row is the same before and after.

    Args:
        reports: what to read, in this order.
        window: the days to read; a snapshot is of no day, and always read.
        built: keys of those that are built from others: the ledger's version of their days tells of the sources.
        ledger: what was noted.
        data: where the files lie.

    Raises:
        StorageError: the ledger or the data root cannot be read.
    """
    for report in reports:
        # In this order: a file that lands in between is then known, and no stray.
        keys = sorted(data.sizes(report.key))
        known = {
            day: facts for day, facts in ledger.days(report.key).items() if (day != SNAPSHOT) is report.partitioned
        }
        landed = {day: facts for day, facts in known.items() if day == SNAPSHOT or day in window}
        findings: list[Finding] = []
        earlier: list[date] = []
        rows = whole = 0
        for day, facts in sorted(landed.items()):
            noted, reading = _settled(report, facts, ledger, data)
            rows += reading.rows
            whole += not reading.differences
            if reading.differences:
                told = "; ".join(reading.differences)
                findings.append(_finding(report, Window(day, day), told, _command(report, day)))
            elif not reading.declared or (report.key not in built and noted.version != report.version):
                earlier.append(day)
        findings += [_finding(report, stretch, _earlier(report)) for stretch in stretches(earlier)]
        files = {report.file(day) for day in known}
        findings += _strays(report, [key for key in keys if key not in files], window, data)
        yield Verified(report=report.key, days=len(landed), rows=rows, whole=whole, findings=tuple(findings))


def forgotten(reports: Sequence[Report[Any]], *, ledger: Ledger, data: Store) -> list[Report[Any]]:
    """Reports that no declaration names any more, and of which days lie at the data root; without their columns."""
    declared = {report.key for report in reports}
    folders = {"/".join(key.split("/")[:2]) for key in data.sizes("") if key.count("/") > 1}
    found: list[Report[Any]] = []
    for folder in sorted(folders - declared):
        days = ledger.days(folder)
        if days:
            found.append(_undeclared(folder, partitioned=SNAPSHOT not in days))
    return found


def _undeclared(key: str, *, partitioned: bool) -> Report[Any]:
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


def _settled(report: Report[Any], facts: LandedFacts, ledger: Ledger, data: Store) -> tuple[LandedFacts, Reading]:
    """A reading of the day, and the ledger's row that held all the time that it took."""
    suspect: Reading | None = None
    while True:
        reading = read_back(report, facts.day, _noted(facts), data)
        # What a disk or a network garbled once need not be what lies there: damage is what shows twice.
        if not reading.differences or reading == suspect:
            return facts, reading
        now = ledger.days(report.key).get(facts.day, facts)
        suspect = reading if now == facts else None
        facts = now


def _noted(facts: LandedFacts) -> Noted:
    return Noted(
        rows=facts.rows, size=facts.size, sha256=facts.sha256, fingerprint=facts.fingerprint, money=facts.money_sums
    )


def _strays(report: Report[Any], keys: Sequence[str], window: Window, data: Store) -> Iterator[Finding]:
    """The files that a reader of the dataset would take for a part of it, and that no run has landed."""
    for key in keys:
        folder, _, name = key.removeprefix(f"{report.key}/").rpartition("/")
        day = _day(folder)
        if (day is not None and day not in window) or not (name.endswith(".parquet") or folder.startswith("date=")):
            continue
        place = f"{data.url}/{key}"
        told = f"nobody landed this: {place}"
        if day is not None and report.partitioned and key == report.file(day):
            yield _finding(report, Window(day, day), told, _command(report, day))
        else:
            yield Finding(report=report.key, window=None, told=told, mend=_removal(place))


def _day(folder: str) -> date | None:
    try:
        return date.fromisoformat(folder.removeprefix("date="))
    except ValueError:
        return None


def _finding(report: Report[Any], window: Window, told: str, mend: str = "") -> Finding:
    return Finding(report=report.key, window=window, told=told, mend=mend)


def _command(report: Report[Any], day: date) -> str:
    if report.query is _UNDECLARED:
        return f"declare {report.key} again, or remove its folder"
    partition = f" --partition {day}" if report.partitioned else ""
    return f"dagster asset materialize -m reporting_dags.definitions --select {report.key}{partition}"


def _removal(place: str) -> str:
    return f"rm {shlex.quote(place)}" if place.startswith("/") else f"remove {place}"


def _earlier(report: Report[Any]) -> str:
    return "of a report that is declared no longer" if report.query is _UNDECLARED else _EARLIER
