"""What a deployment makes of runs that are terminated, whose worker dies, or with which everything dies at once."""

from collections.abc import Callable, Iterator
from datetime import date

import dagster as dg

from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags_tests.torture.deployment import Deployment, deployed
from reporting_dags_tests.torture.place import Place
from reporting_dags_tests.torture.row import Row
from reporting_dags_tests.torture.station import Ended, judged, leftovers, new_place, newest_days, submits, wait_for

_DAYS = 10
_ENDS_WITHIN = 240


def rows() -> Iterator[Row]:
    """A row a disaster; minutes long."""
    yield terminated()
    yield _retried("the run's worker killed", _kill_worker)
    yield _retried("everything killed at once", _kill_everything)


def terminated() -> Row:
    """The UI's Terminate, while the report is waited for."""
    with new_place() as place, deployed(place) as deployment:
        days = newest_days(_DAYS)
        run = _pending_run(place, deployment, days)
        said = deployment.terminate(run)
        wait_for(lambda: deployment.ended(run), "the run to end", _ENDS_WITHIN)
        wait_for(lambda: not deployment.claimed_slots(EVENT.provider), "the pool's slot", _ENDS_WITHIN)
        troubles = leftovers(place)
        if deployment.status(run) is not dg.DagsterRunStatus.CANCELED:
            troubles.append(f"the run ended {deployment.status(run)}: {said}")
        place.sandbox.faults.clear()
        struck = Ended(frozenset(), "terminated", ())
        return judged("the UI's Terminate while pending", place, days, struck, least=1, trouble="; ".join(troubles))


def _retried(fault: str, kill: Callable[[Deployment, str], None]) -> Row:
    """A run that dies by `kill` is started again by the daemon, and pulls what the first had requested."""
    with new_place() as place, deployed(place) as deployment:
        days = newest_days(_DAYS)
        run = _pending_run(place, deployment, days)
        kill(deployment, run)
        place.sandbox.faults.clear()
        wait_for(lambda: deployment.ended(run), "the dead run to be told failed", _ENDS_WITHIN)
        wait_for(lambda: deployment.retry_of(run), "the daemon to start it again", _ENDS_WITHIN)
        again = deployment.retry_of(run)
        wait_for(lambda: deployment.ended(again), "the second run to end", _ENDS_WITHIN)
        wait_for(lambda: not deployment.claimed_slots(EVENT.provider), "the pool's slot", _ENDS_WITHIN)
        ends = [deployment.status(run), deployment.status(again)]
        right = ends == [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS]
        return Row(
            fault=fault,
            outcome="failed, then retried: data" if right else f"ended {ends}",
            losses=place.losses(EVENT, days),
            extra=submits(place) - 1,
            trouble="; ".join([*([] if right else [f"ended {ends}"]), *leftovers(place)]),
        )


def _pending_run(place: Place, deployment: Deployment, days: list[date]) -> str:
    place.sandbox.faults.add("dt.file", do="never", times=None)
    deployment.start_daemon()
    deployment.start_webserver()
    run = deployment.launch(EVENT, days)
    wait_for(lambda: place.sandbox.log.count("dt.file") >= 2, "the run to poll", _ENDS_WITHIN)
    return run


def _kill_worker(deployment: Deployment, run: str) -> None:
    deployment.run_worker(run).kill()


def _kill_everything(deployment: Deployment, _run: str) -> None:
    deployment.kill_all()
    deployment.start_daemon()
