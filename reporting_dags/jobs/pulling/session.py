"""A run at work: an owner that others see, with a folder of its own, who waits for those that hold its days."""

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.records import Lease, LeaseHeld, LeaseRequest
from reporting_dags.landing.storage.paths import temporary_folder
from reporting_dags.model.errors import Deferred, NotReady, StorageError
from reporting_dags.model.report import Report

_LONGEST_BUSY_LOOK = 2.0


@contextmanager
def run_session(context: PullContext, report: Report) -> Generator[tuple[PullContext, LeaseRequest]]:
    """Be an owner; the context has a scratch folder of this owner's own.

    Raises:
        StorageError: the ledger or the folder cannot be used.
    """
    owner = context.ledger.liveness.acquire()
    try:
        with _scratch_folder(context) as scratch:
            who = LeaseRequest(
                report=report.key,
                account=context.account,
                query_hash=report.query_hash,
                owner=owner,
                run=context.run,
                parser_hash=report.parser_hash,
            )
            yield replace(context, scratch=scratch), who
    finally:
        # Jobs that are still open need no word: an owner that has left is as good as dead, and the next run takes up.
        context.ledger.liveness.release(owner)


@contextmanager
def _scratch_folder(context: PullContext) -> Generator[Path]:
    """Create the private folder of one run, for responses that are being downloaded."""
    # A folder apart: stores keep files of their own beside it.
    runs = context.scratch / "runs"
    with ExitStack() as held:
        try:
            runs.mkdir(mode=0o700, exist_ok=True)
            folder = held.enter_context(temporary_folder(runs, "run-"))
        except OSError as error:
            raise StorageError(f"{context.scratch} cannot be written: {error.strerror}") from None
        yield folder


def wait_for_lease(context: PullContext, report: Report, claim: Callable[[], Lease | LeaseHeld]) -> Lease:
    """What `claim` gets once no other live run holds one of its days.

    Raises:
        NotReady: another run still held one after the time that a run waits for a job.
    """
    policy = context.provider.policy
    deadline = context.clock.now() + policy.timeout
    message = False
    while True:
        result = claim()
        if not isinstance(result, LeaseHeld):
            return result
        if not context.waits or context.clock.now() >= deadline:
            raise (NotReady if context.waits else Deferred)(
                f"run {result.run} is still bringing {report.key} {result.window} home",
                advice="Run again when it has ended.",
            )
        if not message:
            context.log(f"run {result.run} is bringing {report.key} {result.window} home: waiting for it")
            message = True
        context.clock.sleep(min(policy.first_poll.total_seconds(), _LONGEST_BUSY_LOOK))
