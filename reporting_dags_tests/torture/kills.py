"""Backfills of two providers side by side, their processes killed at random moments."""

import random
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg

from reporting_dags.sandbox.server import Sandbox, running_sandbox
from reporting_dags_tests.torture.aftermath import left_behind, newest_days
from reporting_dags_tests.torture.backfill import Backfill, Pace, Truth
from reporting_dags_tests.torture.place import Place
from reporting_dags_tests.torture.row import Losses, Row
from reporting_dags_tests.torture.steps import REPORTS
from reporting_dags_tests.truth import expected_rows

_FEWEST, _MOST = 3, 6
"""Kills of a backfill: only the first few can fall on its asking and waiting, later ones find its responses bought."""
_PLACES = 2
"""Side by side, each with a backfill of either report: most of the time they wait."""
_WAITS = 2.5
"""Seconds that a provider lets a backfill wait, until it is known how long its publishing takes here."""


@dataclass(frozen=True, kw_only=True)
class _Round:
    """What came of one backfill of each report in one place."""

    ended: list[Row]
    phases: Counter[str]
    paces: dict[str, Pace]


def rows(*, kills: int = 200, days: int = 30, seed: int | None = None) -> Iterator[Row]:
    """Backfills until `kills` runs were killed: a row each, and one that sums up. `seed` chooses the moments."""
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    chance = random.Random(seed)
    contiguous_ranges = {report.key: newest_days(report, days) for report in REPORTS}
    with running_sandbox(seed=7) as sandbox:
        truth = _truth(sandbox, contiguous_ranges)
    alone = _round(contiguous_ranges, truth, chance=chance)
    waits = max(_WAITS, *(pace.publishing for pace in alone.paces.values()))
    paces = {key: replace(pace, whole=pace.whole + waits - _WAITS) for key, pace in alone.paces.items()}
    done = list(alone.ended)
    yield from alone.ended
    phases: Counter[str] = Counter()
    with ThreadPoolExecutor(_PLACES) as pool:
        while (left := kills - phases.total()) > 0:
            going = [
                pool.submit(
                    _round,
                    contiguous_ranges,
                    truth,
                    chance=random.Random(chance.random()),
                    waits=waits,
                    paces=paces,
                    left=-(-left // _PLACES),
                )
                for _ in range(_PLACES)
            ]
            for found in (one.result() for one in going):
                phases += found.phases
                done += found.ended
                yield from found.ended
    spread = ", ".join(f"{count} {phase}" for phase, count in phases.most_common())
    extra = sum(row.extra for row in done)
    unexplained = sum(max(0, row.extra - row.allowed) for row in done)
    yield Row(
        fault=f"{phases.total()} kills in all, seed {seed}",
        outcome=f"{len(done)} backfills, {extra} extra submits, {unexplained} unexplained",
        losses=Losses(),
        why=f"killed: {spread}",
        trouble="" if phases.total() >= kills else "too few kills",
    )


def _round(
    contiguous_ranges: dict[str, list[date]],
    truth: Truth,
    *,
    chance: random.Random,
    waits: float = _WAITS,
    paces: Mapping[str, Pace] | None = None,
    left: int = 0,
) -> _Round:
    """One backfill of each report, killed a few times; without `paces` they are left alone, and measured."""
    with running_sandbox(seed=7) as sandbox, TemporaryDirectory(prefix="torture_kills_") as folder:
        _slow(sandbox, waits)
        place = Place(folder=Path(folder), sandbox=sandbox)
        place.environment()
        # Two processes that make Dagster's own tables at once, in an empty home, spoil them for good.
        dg.DagsterInstance.from_config(str(place.home)).dispose()
        backfills = [
            Backfill(
                place=place,
                report=report,
                days=contiguous_ranges[report.key],
                truth=truth,
                limit=min(chance.randint(_FEWEST, _MOST), left // 2 + 2),
                pace=(paces or {}).get(report.key),
                chance=random.Random(chance.random()),
            )
            for report in REPORTS
        ]
        with ThreadPoolExecutor(len(backfills)) as pool:
            ended = list(pool.map(Backfill.complete, backfills))
        behind = left_behind(place)
        if behind:
            told = "; ".join(behind)[:300]
            ended.append(Row(fault="what both left", outcome="files", losses=Losses(), trouble=told))
        return _Round(
            ended=ended,
            phases=sum((backfill.phases for backfill in backfills), Counter[str]()),
            paces={} if paces else {backfill.report.key: backfill.measured() for backfill in backfills},
        )


def _truth(sandbox: Sandbox, contiguous_ranges: dict[str, list[date]]) -> Truth:
    days = {
        report.key: {day: expected_rows(sandbox, report, day) for day in contiguous_ranges[report.key]}
        for report in REPORTS
    }
    return Truth(days=days)


def _slow(sandbox: Sandbox, seconds: float) -> None:
    """Asking, waiting and downloading take some `seconds` together: as long as publishing, to be hit as often."""
    sandbox.settings.change("dt", fill_seconds=0.4 * seconds)
    sandbox.settings.change("mintegral", fill_seconds=0.4 * seconds)
    sandbox.faults.add("dt.report", do="stall", times=None, seconds=0.2 * seconds)
    sandbox.faults.add("dt.file", do="drip", times=None, pieces=20, pause=0.02 * seconds)
    # Requested some fifteen times, and downloaded five times.
    sandbox.faults.add("mintegral.generate", do="stall", times=None, seconds=0.015 * seconds)
    sandbox.faults.add("mintegral.download", do="drip", times=None, pieces=10, pause=0.008 * seconds)
