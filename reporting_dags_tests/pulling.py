"""Pulling days in tests: pulled, compared with the truth, and judged by the one line that a failure leaves."""

from collections.abc import Callable, Collection, Sequence
from datetime import date
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from reporting_dags.jobs.ledger.database import Database, open_database
from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.pulling.pull import pull
from reporting_dags.jobs.pulling.result import DayResult
from reporting_dags.landing.storage.store import open_store
from reporting_dags.model.clock import Clock
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Provider
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.truth import expected_rows, landed_rows

BenchOf = Callable[..., PullContext]


def bench_in(
    folder: Path, provider: Provider, database: Database, clock: Clock, *, log: Callable[[str], None] = lambda _: None
) -> PullContext:
    """A context whose stores and scratch folder lie in `folder`."""
    scratch = folder / "spool"
    scratch.mkdir(exist_ok=True)
    return PullContext(
        provider=provider,
        ledger=Ledger(database),
        data=open_store(str(folder / "data"), scratch=scratch),
        raw=open_store(str(folder / "raw"), scratch=scratch, private=True),
        scratch=scratch,
        clock=clock,
        run="run-1",
        log=log,
    )


def brought(context: PullContext, report: Report, days: Collection[date]) -> dict[date, DayResult]:
    """How each of `days` ended."""
    return {result.day: result for result in pull(context, report, days)}


def in_its_own_home(shared: PullContext, tmp_path: Path) -> PullContext:
    """A context with a ledger and stores of its own, for one example of a property test.

    Each example begins at the same time and requests something else; on a shared ledger one would meet what another one
    landed later, and the quota that all of them spent.
    """
    home = Path(mkdtemp(dir=tmp_path))
    return bench_in(home, shared.provider, open_database(None, home, lock_seconds=2), shared.clock)


def landed(context: PullContext, report: Report, days: Collection[date]) -> dict[date, DayResult]:
    """As `brought`, where nothing may fail."""
    results = brought(context, report, days)
    assert all(result.outcome.publishes for result in results.values()), [result.error for result in results.values()]
    return results


def check_truth(
    context: PullContext, sandbox: Sandbox, report: Report, days: Collection[date], account: str = "ordinary"
) -> None:
    """Every one of `days` has landed as an honest answer to `account` has it now, value by value."""
    for day in days:
        assert landed_rows(context.data, report, day) == expected_rows(sandbox, report, day, account=account), day


def line_of(result: DayResult, outcome: Outcome, secrets: Sequence[str] = ()) -> str:
    """The one line of a day that ended so, with none of `secrets` in it."""
    assert result.outcome is outcome, result.error
    assert result.error is not None
    assert "\n" not in result.error.line
    assert not [secret for secret in secrets if secret in result.error.line]
    return result.error.line


def refused_after_landing(
    sandbox: Sandbox, context: PullContext, report: Report, day: date, *faults: dict[str, Any]
) -> DayResult:
    """The end of a day that had landed and is pulled again under `faults`: what was there must be there still."""
    landed(context, report, [day])
    before = context.data.open(report.file(day)).read()
    for fault in faults:
        sandbox.faults.add(**fault)
    result = brought(context, report, [day])[day]
    assert context.data.open(report.file(day)).read() == before
    return result
