"""How a landed partition whose file is damaged is repaired: the cheapest way that loses nothing."""

import shlex
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory

from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.planning.resume import OpenJob
from reporting_dags.jobs.pulling.poller import is_stored
from reporting_dags.jobs.records import JobState, MaterializationRecord
from reporting_dags.landing.storage.store import Store
from reporting_dags.model.days import Window, contiguous_ranges
from reporting_dags.model.errors import StorageError
from reporting_dags.model.report import Report

MOST_RANGES = 10
"""Ranges that are listed; of the others the number is."""

_REPLAY = '{"ops": {"%s": {"config": {"replay": true}}}}'


class Repair(Enum):
    """How a partition is repaired."""

    REPLAY = "rebuild from the stored raw responses, without a call to the provider:"
    BUILD = "build again from its sources:"
    REQUEST = "request again from the provider:"
    BACKUP = "restore the file from a backup"


def repairs(
    report: Report,
    damaged: Mapping[date, MaterializationRecord],
    *,
    built: bool,
    ledger: Ledger,
    raw: Store,
    scratch: Path,
    now: datetime,
) -> dict[date, Repair]:
    """Return how each of the `damaged` days is repaired.

    Args:
        report: the report, with the current declaration and settings.
        damaged: the ledger's record of each of the days.
        built: whether the report is built from others.
        ledger: the ledger, with the jobs that the days landed from.
        raw: the store of raw responses.
        scratch: a private local folder.
        now: the present moment.

    Raises:
        StorageError: the ledger cannot be read.
    """
    if built:
        return dict.fromkeys(damaged, Repair.BUILD)
    replayable = _replayable(report, damaged, ledger, raw, scratch)
    oldest, newest = report.calendar.earliest_available(now), report.calendar.latest_available(now)
    rest = {day: Repair.REQUEST if oldest <= day <= newest else Repair.BACKUP for day in damaged}
    return {day: Repair.REPLAY if day in replayable else rest[day] for day in damaged}


def _replayable(
    report: Report, damaged: Mapping[date, MaterializationRecord], ledger: Ledger, raw: Store, scratch: Path
) -> set[date]:
    """Return the days whose raw responses are stored, complete, and cover what is requested now."""
    jobs = ledger.leases.by_id(report.key, {job for facts in damaged.values() for job in facts.jobs})
    requested = report.query_hash
    complete: dict[str, bool] = {}
    results: set[date] = set()
    with TemporaryDirectory(prefix="verify_", dir=scratch) as folder:
        for day, facts in damaged.items():
            own = [jobs[job] for job in facts.jobs if job in jobs]
            if not own or len(own) < len(facts.jobs) or any(item.query_hash != requested for item in own):
                continue
            if not {item.job.request.shard for item in own} >= set(report.requested_shards):
                continue
            for item in own:
                if item.job.id not in complete:
                    complete[item.job.id] = _is_stored(report, item, raw, Path(folder))
            if all(complete[item.job.id] for item in own):
                results.add(day)
    return results


def _is_stored(report: Report, open_job: OpenJob, raw: Store, folder: Path) -> bool:
    if open_job.job.state is not JobState.DOWNLOADED:
        return False
    try:
        return is_stored(raw, folder, report, open_job.job)
    except (StorageError, OSError):
        return False


def advice(report: Report, repair: Repair, days: Collection[date], now: datetime) -> tuple[str, ...]:
    """Return the lines that say how `days` are repaired, with a command for each range."""
    if repair is Repair.BACKUP:
        oldest = report.calendar.earliest_available(now)
        why = f"the provider serves days from {oldest} on, and no complete raw response is stored"
        return (f"Fix: {repair.value}: these days cannot be requested any more ({why}).",)
    config = shlex.quote(_REPLAY % report.key.replace("/", "__"))
    more = f" --config-json {config}" if repair is Repair.REPLAY else ""
    commands = [f"{_command(report, window)}{more}" for window in contiguous_ranges(days)]
    return (f"Fix: {repair.value}", *_first(commands, "ranges"))


def _command(report: Report, window: Window) -> str:
    option = f" --partition-range {window}" if len(window) > 1 else f" --partition {window}"
    partition = option if report.partitioned else ""
    return f"dagster asset materialize -m reporting_dags.definitions --select {report.key}{partition}"


def listed(texts: Iterable[str], noun: str) -> str:
    """Return the first of `texts` separated by commas, and how many more there are."""
    return ", ".join(_first(list(texts), noun))


def _first(texts: list[str], noun: str) -> list[str]:
    more = len(texts) - MOST_RANGES
    return [*texts[:MOST_RANGES], *([f"and {more} more {noun}"] if more > 0 else [])]
