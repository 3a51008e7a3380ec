"""Runs in this process: the same way home as in a Dagster run, with a clock and a patience of the test's choice."""

import logging
import os
import time
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import dagster as dg

from reporting_dags.jobs.pulling.pull import pull
from reporting_dags.model.clock import Clock, SystemClock
from reporting_dags.model.days import ONE_DAY
from reporting_dags.model.errors import ReportingError
from reporting_dags.model.report import Report
from reporting_dags.orchestration import storage as home
from reporting_dags.providers.digital_turbine.resource import OfferWallResource
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags.sandbox.server import running_sandbox
from reporting_dags_tests.torture.place import Place
from reporting_dags_tests.torture.row import Row

Strike = Callable[[Place], AbstractContextManager[None]]
PATIENCE_SECONDS = 30.0
"""How long a process is waited for before the test gives up."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: the days that landed, the outcomes, every line said, and what was not a line."""

    landed: frozenset[date]
    outcome: str
    lines: tuple[str, ...]
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Shifted:
    """The machine's time, told wrong by `by`."""

    by: timedelta

    def now(self) -> datetime:
        return datetime.now(UTC) + self.by

    def sleep(self, seconds: float) -> None:
        SystemClock().sleep(seconds)


@contextmanager
def new_place(**variables: str) -> Generator[Place]:
    """A place of its own and a sandbox on the real clock."""
    # Clients that die in the middle of a response are what this is about, and no news.
    logging.getLogger("uvicorn.error").addHandler(logging.NullHandler())
    with TemporaryDirectory(prefix="reporting_torture_") as folder, running_sandbox(seed=7) as sandbox:
        place = Place(folder=Path(folder), sandbox=sandbox, variables=variables)
        place.environment()
        yield place


def newest_days(count: int, report: Report = EVENT) -> list[date]:
    """The latest days that are published, oldest first."""
    newest = report.calendar.latest_available(datetime.now(UTC))
    return [newest - n * ONE_DAY for n in reversed(range(count))]


def bring(
    place: Place,
    days: Collection[date],
    *,
    clock: Clock | None = None,
    patience: float = 2,
    report: Report = EVENT,
) -> Ended:
    """Bring `days` home in this process, waiting `patience` seconds for the ledger."""
    clock = clock or SystemClock()
    landed: dict[date, str] = {}
    lines: list[str] = []
    trouble = ""
    with (
        mock.patch.dict(os.environ, place.environment(), clear=True),
        mock.patch.object(home, "LOCK_SECONDS", patience),
        dg.DagsterInstance.ephemeral() as instance,
    ):
        try:
            with (
                home.StorageResource().open(instance) as opened,
                closing(OfferWallResource().client(clock, opened.rates.pace(clock))) as provider,
            ):
                context = opened.pull_context(provider, clock, run="torture")
                for result in pull(context, home.with_settings(report), days):
                    landed[result.day] = str(result.outcome)
                    lines += [result.error.line] if result.error else []
        except ReportingError as error:
            lines.append(error.line)
            landed |= {day: str(error.outcome) for day in days if day not in landed}
        except Exception as error:  # noqa: BLE001 - whatever is not a line is what the torture looks for
            trouble = f"{type(error).__name__}: {error}".splitlines()[0]
            landed |= {day: "crashed" for day in days if day not in landed}
    if bad := [line for line in lines if "\n" in line or "Traceback" in line]:
        trouble = trouble or f"not one line: {bad[0]!r}"
    done = frozenset(day for day, outcome in landed.items() if outcome in {"data", "confirmed empty"})
    return Ended(done, " and ".join(sorted(set(landed.values()))), tuple(dict.fromkeys(lines)), trouble)


def submits(place: Place) -> int:
    """How many reports the provider was requested."""
    return place.sandbox.log.count("dt.report")


def wait_for(condition: Callable[[], object], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Return once `condition` holds; raises TimeoutError that says `what` was waited for."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s without success for {what}")
        time.sleep(0.02)


def judged(
    fault: str,
    place: Place,
    days: list[date],
    struck: Ended,
    *,
    least: int,
    said: str = "",
    allowed: int = 0,
    why: str = "",
    trouble: str = "",
) -> Row:
    """The row of a fault that is over: what is stored now, and what a plain run of the days not landed makes of it.

    Args:
        fault: as in `Row`.
        place: where it struck.
        days: all that should are stored in the end.
        struck: how the run under the fault ended.
        least: submits that all of it should have cost.
        said: what a line of that run must hold.
        allowed: submits beyond them that the rules explain.
        why: the explanation.
        trouble: what was found wrong already.
    """
    found = place.losses(EVENT, days, absent_is_lost=False)
    then = bring(place, [day for day in days if day not in struck.landed])
    found += place.losses(EVENT, days)
    troubles = [trouble, struck.trouble, then.trouble, *then.lines, *leftovers(place)]
    if said and not any(said in line for line in struck.lines):
        troubles.append(f"no line says {said!r}: {struck.lines}")
    ended = f"{struck.outcome}, then {then.outcome}" if len(struck.landed) < len(days) else struck.outcome
    return Row(
        fault=fault,
        outcome=ended,
        losses=found,
        extra=submits(place) - least,
        allowed=allowed,
        why=why,
        trouble="; ".join(text for text in troubles if text),
    )


def leftovers(place: Place) -> list[str]:
    """What runs that have ended should have cleared away."""
    folders = (place.home / "reporting_owners", place.home / "reporting_spool" / "runs", place.data / ".staging")
    found = [path for folder in folders if folder.exists() for path in folder.rglob("*")]
    return [f"left behind: {path.relative_to(place.folder)}" for path in found]


def struck_row(
    fault: str,
    strike: Strike,
    *,
    least: int = 1,
    said: str = "",
    allowed: int = 0,
    why: str = "",
    before: Strike = lambda _: nullcontext(),
    variables: Mapping[str, str] | None = None,
) -> Row:
    """A fault that lasts for a whole run: of the latest three days, the oldest of which had landed before."""
    with new_place(**variables or {}) as place, before(place):
        days = newest_days(3)
        first = bring(place, days[:1])
        with strike(place):
            struck = bring(place, days)
        return judged(
            fault,
            place,
            days,
            struck,
            least=least + 1,
            said=said,
            allowed=allowed,
            why=why,
            trouble="; ".join((*first.lines, first.trouble)).strip("; "),
        )
