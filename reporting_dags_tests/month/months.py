"""One simulated month of some providers: run, and reckoned up."""

import logging
import traceback
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from reporting_dags.jobs.ledger.database import open_database
from reporting_dags.model.days import ONE_DAY
from reporting_dags.orchestration.asset_checks import ENTITIES
from reporting_dags.orchestration.storage import StorageResource
from reporting_dags.reports.registry import all_reports
from reporting_dags_tests.month.books import (
    Bill,
    bill,
    causes,
    late_days,
    not_combined,
    not_standing,
    open_hours,
    slowly_told,
)
from reporting_dags_tests.month.clockwork import Deployment
from reporting_dags_tests.month.deploying import deployment
from reporting_dags_tests.month.world import Script, World

BEGAN = datetime(2026, 6, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """What a month of some providers came to.

    Attributes:
        bills: one for each report that is kept by day.
        happened: what befell the providers.
        ticks: that were evaluated.
        runs: that were executed.
        failed: those of them that failed, by cause.
        waited: seconds for which runs waited for a provider.
        open_hours: for which jobs were open at providers, all of them together.
        late: days that were not there an hour after they should have been.
        untold: of them, those that no check had called missing by then.
        wrong: what does not hold, a line each; empty if all is well.
    """

    bills: tuple[Bill, ...]
    happened: tuple[str, ...]
    ticks: int
    runs: int
    failed: Counter[str]
    waited: float
    open_hours: float
    late: int
    untold: tuple[str, ...]
    wrong: tuple[str, ...]


def month(providers: tuple[str, ...], script: Script) -> Month:
    """Let the month of `providers` pass; to be called in a process of its own, which it silences.

    Raises:
        RuntimeError: a tick raised; holds its traceback.
    """
    logging.disable(logging.CRITICAL)
    try:
        return _passed(providers, script)
    except Exception:  # noqa: BLE001 - whatever it is, it is told
        # Dagster's own errors hold what no other process can be sent.
        raise RuntimeError(traceback.format_exc()) from None


def _passed(providers: tuple[str, ...], script: Script) -> Month:
    end = BEGAN + timedelta(days=script.days + script.tail)
    with (
        TemporaryDirectory(prefix="reporting_month_") as folder,
        deployment(Path(folder), BEGAN, providers, switches=script.switches) as deployed,
    ):
        world = World(sandbox=deployed.sandbox, began=BEGAN.date(), script=script)
        today = None
        for moment in deployed.until(end):
            if moment.date() != today:
                today = moment.date()
                world.dawn(today)
        return _reckoned(deployed, world, providers)


def _reckoned(deployed: Deployment, world: World, providers: tuple[str, ...]) -> Month:
    script = world.script
    reports = [report for report in all_reports() if report.partitioned and report.provider in providers]
    settled = BEGAN.date() + (script.days - 1) * ONE_DAY
    wrong = [f"a tick said nothing: {one}" for one in deployed.silent]
    bills: list[Bill] = []
    late, untold = 0, list[str]()
    database = open_database(deployed.postgres_url, deployed.folder, lock_seconds=30)
    try:
        with StorageResource().open(deployed.instance) as opened:
            for report in reports:
                found = bill(report, deployed, opened, database, settled, script.settles.get(report.key, 0))
                bills.append(found)
                days = [deployed.began + n * ONE_DAY for n in range(found.days)]
                late += late_days(report, database, days)
                untold += slowly_told(report, deployed.verdicts, database, days)
                wrong += [f"at the end: {one}" for one in not_standing(report, deployed, opened)]
            wrong += [f"at the end not built again: {one}" for one in not_combined(deployed, opened)]
        hours = open_hours(database)
    finally:
        database.close()
    wrong += [
        f"{one.report}: {one.days - one.right} of {one.days} days are not as the provider last had them"
        for one in bills
        if one.right < one.days
    ]
    wrong += [f"missing, and not told within the hour: {one}" for one in untold]
    wrong += [f"runs have waited for {deployed.waited:.0f} s"] if deployed.waited else []
    wrong += _untold_losses(deployed, world, providers)
    return Month(
        bills=tuple(bills),
        happened=tuple(world.told),
        ticks=deployed.ticks,
        runs=sum(deployed.runs.values()),
        failed=causes(deployed.failed),
        waited=deployed.waited,
        open_hours=hours,
        late=late,
        untold=tuple(untold),
        wrong=tuple(wrong),
    )


def _untold_losses(deployed: Deployment, world: World, providers: tuple[str, ...]) -> list[str]:
    """The lost domain and the lost app, unless a check or a run's failure has named them on their day."""
    script, wrong = world.script, list[str]()
    if "orangeclick" in providers and world.domain:
        day = BEGAN.date() + script.lost_domain * ONE_DAY
        named = [
            one for one in deployed.verdicts if one.check == ENTITIES and not one.passed and world.domain in one.told
        ]
        if not any(one.at.date() == day for one in named):
            wrong.append(f"the lost domain {world.domain} was not told on {day}")
    if "dt_user_level" in providers and script.lost_app and not any("not enabled" in line for line in deployed.failed):
        wrong.append("the lost app was not told")
    return wrong
