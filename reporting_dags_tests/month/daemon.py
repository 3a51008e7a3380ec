"""The real daemon on the real clock: a late report lands without a run that waits, and a restated day is replaced."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time

import dagster as dg

from reporting_dags.model.report import Report
from reporting_dags.orchestration.keys import key_of
from reporting_dags.orchestration.run_requests import RANGE_START, REASON, sensor_name
from reporting_dags.reports.dt_offer_wall import PERFORMANCE
from reporting_dags.reports.mintegral import OFFER_PERFORMANCE
from reporting_dags_tests.torture.deployment import Deployment, deployed
from reporting_dags_tests.torture.place import Place
from reporting_dags_tests.torture.row import Losses
from reporting_dags_tests.torture.station import new_place, newest_days, wait_for

_LATE_SECONDS = 45.0
_PATIENCE_SECONDS = 420


@dataclass(frozen=True, slots=True)
class _Case:
    """A report, the sandbox's name of its provider, and what turns its days into restated ones there."""

    report: Report
    provider: str
    restate_days: int


def real_days() -> list[str]:
    """What has happened, a line each.

    Raises:
        RuntimeError, TimeoutError: it has not.
    """
    return list(_lines())


def _lines() -> Iterator[str]:
    # Offer Wall's day is published at noon, and its control is requested an hour later: until then another report shows
    # it.
    noon = time(11, 50) <= datetime.now(UTC).time() < time(13, 10)
    case = _Case(OFFER_PERFORMANCE, "mintegral", 5) if noon else _Case(PERFORMANCE, "dt", 0)
    report = case.report
    (day,) = newest_days(1, report)
    with new_place(REPORTING_START_DATE=day.isoformat()) as place, deployed(place) as deployment:
        place.sandbox.settings.change(case.provider, fill_seconds=_LATE_SECONDS)
        deployment.start_daemon()
        deployment.start_webserver()
        deployment.start_sensor(sensor_name(report.provider))
        (asking,) = deployment.test_schedule(f"{report.provider}_daily", report)
        wait_for(lambda: deployment.ended(asking), "the run that asks", _PATIENCE_SECONDS)
        if deployment.status(asking) is not dg.DagsterRunStatus.SUCCESS or _materialized(deployment, report):
            raise RuntimeError(f"the run that asks ended {deployment.status(asking)}, or has waited")
        yield f"{report.key} {day}: a run of the schedule has asked, and has ended without waiting"
        wait_for(lambda: _materialized(deployment, report), "the sensor to land it", _PATIENCE_SECONDS)
        yield f"the sensor {_told(deployment, report, place, 1)}"
        place.sandbox.settings.change(case.provider, restate_days=case.restate_days, fill_seconds=0.0)
        wait_for(lambda: len(_materialized(deployment, report)) > 1, "the day to be replaced", _PATIENCE_SECONDS)
        yield f"the day was restated, and the sensor {_told(deployment, report, place, 2)}"


def _materialized(deployment: Deployment, report: Report) -> list[dg.EventLogRecord]:
    """Latest first."""
    return list(deployment.instance.fetch_materializations(key_of(report), limit=10).records)


def _told(deployment: Deployment, report: Report, place: Place, count: int) -> str:
    """How the latest landing came about; raises RuntimeError where a run has waited, or other rows are stored."""
    records = _materialized(deployment, report)
    materialization = records[0].asset_materialization
    run = deployment.instance.get_run_by_id(records[0].run_id)
    if len(records) != count or materialization is None or run is None:
        raise RuntimeError(f"{len(records)} landings, not {count}")
    waited = float(str(materialization.metadata["seconds_waited"].value))
    (day,) = newest_days(1, report)
    found = place.losses(report, [day])
    if waited or found != Losses() or RANGE_START in run.tags:
        raise RuntimeError(f"the run that landed it waited {waited} s; {found}; {dict(run.tags)}")
    why = f" ({run.tags[REASON]})" if REASON in run.tags else ""
    return f"landed it{why} by a run that waited {waited:.0f} s; its rows are the provider's"
