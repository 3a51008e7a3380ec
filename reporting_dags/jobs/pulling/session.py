"""The session of one run: its liveness lock, its private folder, and the wait for leases of other runs."""

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.records import Lease, LeaseHeld, LeaseRequest
from reporting_dags.landing.storage.paths import temporary_folder
from reporting_dags.model.errors import Deferred, NotReady, StorageError
from reporting_dags.model.report import Report

_MAX_POLL_SECONDS = 2.0


@contextmanager
def run_session(context: PullContext, report: Report) -> Generator[tuple[PullContext, LeaseRequest]]:
    """Open the session of a run: hold a liveness lock and a private scratch folder until the block ends.

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
        # Open jobs need no cleanup: without a live owner the next run continues them.
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
    """Call `claim` until no other live run holds one of its days, and return the lease.

    Raises:
        NotReady: another run still holds a day after the provider's job timeout.
    """
    policy = context.provider.policy
    deadline = context.clock.now() + policy.timeout
    is_logged = False
    while True:
        result = claim()
        if not isinstance(result, LeaseHeld):
            return result
        if not context.waits or context.clock.now() >= deadline:
            raise (NotReady if context.waits else Deferred)(
                f"run {result.run} still holds {report.key} {result.window}",
                advice="Run again when it has ended.",
            )
        if not is_logged:
            context.log(f"run {result.run} holds {report.key} {result.window}: waiting for it")
            is_logged = True
        context.clock.sleep(min(policy.first_poll.total_seconds(), _MAX_POLL_SECONDS))
