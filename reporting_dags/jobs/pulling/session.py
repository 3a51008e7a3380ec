"""A run at work: an owner that others see, with a folder of its own, who waits for those that hold its days."""

import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from reporting_dags.jobs.pulling.context import Bench
from reporting_dags.jobs.records import Busy, Claim, Claimant
from reporting_dags.model.errors import Deferred, NotReady, StorageError
from reporting_dags.model.report import Report

_LONGEST_BUSY_LOOK = 2.0


@contextmanager
def present(bench: Bench, report: Report) -> Generator[tuple[Bench, Claimant]]:
    """Be an owner; the bench has a scratch folder of this owner's own.

    Raises:
        StorageError: the ledger or the folder cannot be used.
    """
    owner = bench.ledger.owners.enter()
    try:
        with _scratch_of(bench, owner) as scratch:
            who = Claimant(
                report=report.key,
                account=bench.account,
                fingerprint=report.query_hash,
                owner=owner,
                run=bench.run,
                form=report.form,
            )
            yield replace(bench, scratch=scratch), who
    finally:
        # Jobs that are still open need no word: an owner that has left is as good as dead, and the next run takes up.
        bench.ledger.owners.leave(owner)


@contextmanager
def _scratch_of(bench: Bench, owner: str) -> Generator[Path]:
    """A folder of this owner's own for files on their way; what killed owners left behind is cleared away."""
    # A folder apart: stores keep files of their own beside it, which are no owner's.
    everyones = bench.scratch / "owners"
    mine = everyones / owner
    try:
        everyones.mkdir(mode=0o700, exist_ok=True)
        for folder in everyones.iterdir():
            if not bench.ledger.owners.alive(folder.name):
                shutil.rmtree(folder, ignore_errors=True)
        mine.mkdir(mode=0o700)
    except OSError as error:
        raise StorageError(f"{bench.scratch} cannot be written: {error.strerror}") from None
    try:
        yield mine
    finally:
        shutil.rmtree(mine, ignore_errors=True)


def once_free(bench: Bench, report: Report, claim: Callable[[], Claim | Busy]) -> Claim:
    """What `claim` gets once no other live run holds one of its days.

    Raises:
        NotReady: another run still held one after the time that a run waits for a job.
    """
    policy = bench.provider.policy
    deadline = bench.clock.now() + policy.timeout
    told = False
    while True:
        found = claim()
        if not isinstance(found, Busy):
            return found
        if not bench.waits or bench.clock.now() >= deadline:
            raise (NotReady if bench.waits else Deferred)(
                f"run {found.run} is still bringing {report.key} {found.window} home",
                advice="Run again when it has ended.",
            )
        if not told:
            bench.log(f"run {found.run} is bringing {report.key} {found.window} home: waiting for it")
            told = True
        bench.clock.sleep(min(policy.first_poll.total_seconds(), _LONGEST_BUSY_LOOK))
