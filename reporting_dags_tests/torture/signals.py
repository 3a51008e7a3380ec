"""Runs of Dagster that are told to end, at every stage: what they hold is free, and the next run takes up their job."""

import os
import signal
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags_tests.processes import Process
from reporting_dags_tests.torture.place import Place, materialize
from reporting_dags_tests.torture.postgres import running_postgres
from reporting_dags_tests.torture.row import Row
from reporting_dags_tests.torture.station import Ended, judged, new_place, newest_days, wait_for

_DAYS = 30
_ENDS_WITHIN = 60


def rows() -> Iterator[Row]:
    """A row a signal and a stage."""
    for name, number in (("SIGTERM", signal.SIGTERM), ("SIGINT", signal.SIGINT)):
        for stage in STAGES:
            yield told_to_end(name, number, stage)
    yield database_killed()


def told_to_end(name: str, number: signal.Signals, stage: str) -> Row:
    """A run that gets a signal at `stage`, one of `STAGES`."""
    with new_place() as place:
        days = newest_days(_DAYS)
        process = place.start(materialize(EVENT, days[0], days[-1]))
        try:
            _hold_at(place, process, STAGES[stage])
            process.send_signal(number)
            process.send_signal(signal.SIGCONT)
            place.sandbox.faults.clear()
            told = process.communicate(timeout=_ENDS_WITHIN)
        finally:
            _reap(process)
        return _judged(f"{name} while {stage}", place, days, process, "".join(told))


def database_killed() -> Row:
    """PostgreSQL is killed under a run whose own Dagster storage is there too."""
    with running_postgres() as server, new_place(DAGSTER_POSTGRES_URL=server.new_database()) as place:
        storage = "storage:\n  postgres:\n    postgres_url:\n      env: DAGSTER_POSTGRES_URL\n"
        (place.home / "dagster.yaml").write_text(f"{storage}telemetry:\n  enabled: false\n")
        days = newest_days(_DAYS)
        process = place.start(materialize(EVENT, days[0], days[-1]))
        try:
            _hold_at(place, process, _pending)
            server.kill()
            process.send_signal(signal.SIGCONT)
            place.sandbox.faults.clear()
            server.start()
            told = process.communicate(timeout=_ENDS_WITHIN)
        finally:
            _reap(process)
        return _judged("PostgreSQL killed -9, Dagster's storage on it", place, days, process, "".join(told), ends=False)


def _judged(fault: str, place: Place, days: list[date], process: Process, told: str, *, ends: bool = True) -> Row:
    landed = frozenset(day for day in days if (place.data / EVENT.file(day)).exists())
    trouble = ""
    if ends and process.returncode == 0:
        trouble = f"the run came to its end all the same: {told[-300:]}"
    if ends and (held := _held(place)):
        trouble = f"still held by the run that ended: {', '.join(held)}"
    outcome = "terminated" if process.returncode else "data"
    if landed:
        outcome += f" with {len(landed)} of {len(days)} days"
    return judged(fault, place, days, Ended(landed, outcome, ()), least=1, trouble=trouble)


def _held(place: Place) -> list[str]:
    """What the run has not let go: owners' locks, and files on their way."""
    folders = (place.home / "reporting_owners", place.home / "reporting_spool" / "runs", place.data / ".staging")
    return [path.name for folder in folders if folder.exists() for path in folder.iterdir()]


def _hold_at(place: Place, process: Process, stage: Callable[[Place], None]) -> None:
    """Stop the process at `stage`, so that it is there still when the signal comes."""
    stage(place)
    process.send_signal(signal.SIGSTOP)
    if process.poll() is not None:
        raise RuntimeError(f"the run had ended before its stage: {process.communicate()}")


def _pending(place: Place) -> None:
    place.sandbox.faults.add("dt.file", do="never", times=None)
    wait_for(lambda: place.sandbox.log.count("dt.file") >= 2, "a poll")


def _downloading(place: Place) -> None:
    place.sandbox.faults.add("dt.file", do="drip", times=None, pieces=200, pause=0.05)
    wait_for(lambda: any(_answers(place)), "the first bytes of a response")


def _answers(place: Place) -> Iterator[Path]:
    for folder, _, names in os.walk(place.home / "reporting_spool"):
        yield from (path for path in (Path(folder, name) for name in names) if path.stat().st_size)


def _landing(place: Place) -> None:
    wait_for(lambda: any((place.data / EVENT.key).glob("date=*/*.parquet")), "the first day")


STAGES: dict[str, Callable[[Place], None]] = {
    "pending": _pending,
    "downloading": _downloading,
    "landing": _landing,
}


def _reap(process: Process) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
