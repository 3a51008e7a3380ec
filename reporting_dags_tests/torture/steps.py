"""Runs that are killed at a step, and what the next run makes of what they left."""

import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from reporting_dags.model.report import Report
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags.reports.integr8 import CONVERSIONS
from reporting_dags.reports.mintegral import OFFER_PERFORMANCE
from reporting_dags.sandbox.server import running_sandbox
from reporting_dags_tests.processes import Process
from reporting_dags_tests.torture.aftermath import (
    FOUND_AGAIN,
    landed_facts,
    left_behind,
    newest_days,
    open_jobs,
    outcomes,
    submits,
    unsettled,
    windows,
)
from reporting_dags_tests.torture.place import Place, kill, materialize
from reporting_dags_tests.torture.row import Losses, Row
from reporting_dags_tests.torture.victim import KILLED, VARIABLE

REPORTS: tuple[Report, ...] = (EVENT, OFFER_PERFORMANCE)
"""A job behind a signed address that only its first response tells, and one that is found again by its parameters."""
LISTED = CONVERSIONS
"""A job whose id only its first response tells, but that the provider lists: it is found again all the same."""
FILES = {"dt_offer_wall": "dt.file", "mintegral": "mintegral.download"}
DAYS = 10
_PATIENCE = 180
_ORPHAN = "killed between the submit's arrival and the saving of its handle"


@dataclass(frozen=True, slots=True)
class Step:
    """Where a run is killed: in words, and as the victim is told; `orphans`: a job is lost by it."""

    fault: str
    at: str
    orphans: bool = False


STEPS = (
    Step("before the run has a lock", "owners.enter:before:1"),
    Step("after it took its lock", "owners.enter:after:1"),
    Step("before the ledger's intent", "ledger.claim:before:1"),
    Step("after the ledger's intent", "ledger.claim:after:1"),
    Step("before the submit", "provider.submit:before:1"),
    Step("after the submit", "provider.submit:after:1", orphans=True),
    Step("before the ledger write of the handle", "ledger.submitted:before:1", orphans=True),
    Step("after the ledger write of the handle", "ledger.submitted:after:1"),
    Step("before a poll", "provider.poll:before:1"),
    Step("after a poll", "provider.poll:after:1"),
    Step("before the download", "provider.download:before:1"),
    Step("in the middle of the download", "spool.write:after:2"),
    Step("after the download", "spool.finish:before:1"),
    Step("before the raw response is saved", "raw.put:before:1"),
    Step("after the raw response is saved", "raw.put:after:1"),
    Step("before the ledger write of the raw response", "ledger.downloaded:before:1"),
    Step("after the ledger write of the raw response", "ledger.downloaded:after:1"),
    Step("before the decoding", "decode:before:1"),
    Step("in the first decoded batch", "decode.batch:after:1"),
    Step("before the first temporary file", "dayfile.flush:before:1"),
    Step("after the first temporary file", "dayfile.flush:after:1"),
    Step("in the middle of the temporary files", "dayfile.finish:after:3"),
    Step("before the first day is published", "ledger.landed:before:1"),
    Step("before the replacement of the first day", "data.put:before:1"),
    Step("after the replacement, before its note, first day", "data.put:after:1"),
    Step("after the note of the first day", "ledger.landed:after:1"),
    Step("before the replacement of the third day", "data.put:before:3"),
    Step("after the replacement, before its note, third day", "data.put:after:3"),
    Step("after the note of the third day", "ledger.landed:after:3"),
    Step("after the replacement of the ninth day", "data.put:after:9"),
    Step("before the event of the third day", "record_day:before:3"),
    Step("after the event, before the checks of the first day", "log_event:after:1"),
    Step("after the events of the third day", "record_day:after:3"),
    Step("after the events of the last day", f"record_day:after:{DAYS}"),
    Step("before the ledger finish", "ledger.finish:before:1"),
    Step("after the ledger finish", "ledger.finish:after:1"),
    Step("before the run lets go of its lock", "owners.leave:before:1"),
    Step("before the run's end is noted", "run.success:before:1"),
    Step("after the run's end was noted", "run.success:after:1"),
)


def rows() -> Iterator[Row]:
    """Every step of every report, two at a time; of the listed one those at which its id is lost."""
    cases = [(report, step) for report in REPORTS for step in STEPS]
    cases += [(LISTED, step) for step in STEPS if step.orphans]
    with ThreadPoolExecutor(2) as pool:
        todo = [pool.submit(killed_at, report, step) for report, step in cases]
        for one in todo:
            yield one.result()


def killed_at(report: Report, step: Step) -> Row:
    """One run killed at `step`, and the same command once more."""
    with running_sandbox(seed=7) as sandbox, TemporaryDirectory(prefix="torture_step_") as folder:
        sandbox.settings.change("dt", fill_polls=2)
        if step.at.startswith("spool."):
            sandbox.faults.add(FILES[report.provider], do="drip", times=None, pieces=8, pause=0.1)
        return _killed_at(Place(folder=Path(folder), sandbox=sandbox), report, step)


def _killed_at(place: Place, report: Report, step: Step) -> Row:
    fault = f"{report.provider}: killed {step.fault}"
    days = newest_days(report, DAYS)
    command = materialize(report, days[0], days[-1])
    place.environment()
    victim = ["-m", "reporting_dags_tests.torture.victim", *command[2:]]
    code, told = ending(place.start(victim, **{VARIABLE: step.at}))
    if code != -signal.SIGKILL or f"{KILLED} {step.at}\n" not in told:
        return Row(fault=fault, outcome=f"ended with {code}", losses=Losses(), trouble=f"not killed at {step.at}")
    lost = place.losses(report, days, absent_is_lost=False)
    had_ended = not open_jobs(place, report) and set(days) <= set(landed_facts(place, report))
    code, told = ending(place.start(command))
    if code:
        losses = lost + place.losses(report, days)
        return Row(fault=fault, outcome="killed, then failed", losses=losses, trouble=told.strip()[-300:])
    anew = had_ended and report.provider not in FOUND_AGAIN
    orphan = step.orphans and report.provider not in FOUND_AGAIN and report is not LISTED
    return Row(
        fault=fault,
        outcome=f"killed, then {outcomes(place, report)}",
        losses=lost + place.losses(report, days),
        extra=submits(place.sandbox, report) - windows(report, days) * (2 if anew else 1),
        allowed=windows(report, days) if orphan else 0,
        why=_ORPHAN if orphan else "every day had ended, so the second command asks again" if anew else "",
        trouble="; ".join([*unsettled(place, report, days), *left_behind(place)]),
    )


def ending(process: Process) -> tuple[int, str]:
    """The exit code of a process, and what it said last; one that does not end is killed, and says so."""
    try:
        _, told = process.communicate(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        kill(process)
        return 1, f"did not end in {_PATIENCE} s"
    return process.returncode, told
