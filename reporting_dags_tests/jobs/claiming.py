"""Runs that claim days of a small report, and what they buy, land and publish; without a provider."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta

from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.records import Job, Lease, LeaseHeld, LeaseRequest, MaterializationRecord
from reporting_dags.landing.writing.land import Put
from reporting_dags.model.days import Window
from reporting_dags.model.outcome import Outcome
from reporting_dags.providers.api import Handle, Request
from reporting_dags_tests.conftest import NOON

REPORT = "network/report"
HOUR = timedelta(hours=1)


def day(number: int) -> date:
    return date(2026, 11, number)


def days(first: int, last: int) -> list[date]:
    return Window(day(first), day(last)).days


def halves(request: Request) -> tuple[Request, ...]:
    """As providers halve windows; a day by itself cannot be halved."""
    whole = request.window.days
    middle = len(whole) // 2
    parts = (whole[:middle], whole[middle:]) if middle else ()
    return tuple(Request(Window(part[0], part[-1]), request.shard) for part in parts)


def run_of(ledger: Ledger, **who: str) -> LeaseRequest:
    return LeaseRequest(
        **{"report": REPORT, "account": "a", "query_hash": "f", "owner": ledger.liveness.acquire(), "run": "run-1"}
        | who
    )


def claimed(
    ledger: Ledger, who: LeaseRequest, wanted: Sequence[date], *, longest: int = 90, parts: Sequence[str] = ("",)
) -> Lease:
    found = ledger.leases.acquire(who, wanted, max_days=longest, shards=parts, split=halves, now=NOON)
    assert not isinstance(found, LeaseHeld)
    return found


def bought(ledger: Ledger, wanted: Sequence[date], **who: str) -> tuple[LeaseRequest, Job]:
    """A job of its own run, as far as its response is kept."""
    claimant = run_of(ledger, **who)
    (job,) = claimed(ledger, claimant, wanted).jobs
    sent = ledger.jobs.record_submitted(
        job, Handle(id="r-1", url="https://files.example/1?secret", expires_at=NOON + HOUR), NOON
    )
    return claimant, ledger.jobs.record_downloaded(sent, raw_sha256="5" * 64, raw_bytes=77, expected_rows=12)


def facts_of(number: int, job: Job, *, fingerprint: str = "v1", rows: int = 3) -> MaterializationRecord:
    return MaterializationRecord(
        day=day(number),
        jobs=(job.id, "another"),
        code_version=f"of {fingerprint}",
        outcome=Outcome.DATA if rows else Outcome.EMPTY,
        rows=rows,
        size=rows * 100,
        sha256=f"bytes of {fingerprint}",
        data_version=fingerprint,
        raw_sha256=f"raw of {fingerprint}",
        money={"revenue": {"USD": f"{rows}.5"}},
        requested_at=NOON + rows * HOUR,
        landed_at=NOON + rows * 2 * HOUR,
    )


def published(into: list[str]) -> Put:
    """What puts a day in place, and notes in `into` that it did."""

    def put(precondition: Callable[[], None] | None = None) -> None:
        assert precondition is not None
        precondition()
        into.append("put")

    return put


def truncated(ledger: Ledger, request: Request, **who: str) -> None:
    claimant = run_of(ledger, **who)
    (job,) = claimed(ledger, claimant, request.window.days, parts=(request.shard,)).jobs
    assert job.request == request
    ledger.jobs.close(job, Outcome.TRUNCATED, "cut", NOON)
    ledger.liveness.release(claimant.owner)


def windows(claim: Lease) -> list[tuple[int, int]]:
    return [(job.request.window.first.day, job.request.window.last.day) for job in claim.jobs]


def landing(claim: Lease) -> list[tuple[Window, set[date]]]:
    """The window of each group, and the days that land from it."""
    return [(group.window, set(group.days)) for group in claim.groups]
