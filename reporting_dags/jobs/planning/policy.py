"""Who asks for which days: the schedule or the late-data sensor, never both.

The schedule asks for what is missing, from the time when the newest day is out. Days that are due again ride along
where they fit into the same query, which then costs nothing more. The sensor brings home what was asked for and was
not ready; and it asks for the days that are due again and that the schedule has left, once its turn has passed.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta

from reporting_dags.jobs.planning.due import Due, Why, described, paused
from reporting_dags.jobs.planning.windows import plan
from reporting_dags.jobs.records import Failure
from reporting_dags.model.days import Window

TURN = timedelta(hours=1)
"""How long, from the moment when it is due again, a day is the schedule's alone."""

_AGAIN = (Why.RESTATED, Why.CHANGED)

Failures = Mapping[date, Sequence[Failure]]


def by_schedule(
    due: Sequence[Due], *, longest: int, failures: Failures, now: datetime, alone: bool = False
) -> list[Due]:
    """The days that the schedule asks for.

    Args:
        due: of the report.
        longest: the most days that one query covers.
        failures: of each day, since it last landed.
        now: the present moment.
        alone: whether the sensor is off: then the schedule asks for all that is due.
    """
    if alone:
        return list(due)
    free = [one for one in due if paused(failures, one.day, now) is None]
    missing = [one for one in free if one.why is Why.MISSING]
    restated = sorted((one for one in free if one.why in _AGAIN), key=lambda one: one.day, reverse=True)
    found = list(missing)
    for window in plan([one.day for one in missing], longest):
        first, last = window.first, window.last
        for one in restated:
            wider = min(first, one.day), max(last, one.day)
            if one not in found and (wider[1] - wider[0]).days < longest:
                found.append(one)
                first, last = wider
    return sorted(found, key=lambda one: one.day)


def left_out(due: Sequence[Due], taken: Sequence[Due], *, failures: Failures, now: datetime) -> list[str]:
    """Return why the schedule leaves out the days that it has not `taken`, one text for each cause: days as ranges."""
    groups: dict[tuple[str, int], list[tuple[Due, datetime | None]]] = {}
    for one in due:
        if one not in taken:
            until = None if one.why is Why.BOUGHT else paused(failures, one.day, now)
            times = len(failures[one.day]) if until is not None else 0
            groups.setdefault((one.cause, times), []).append((one, until))
    told: list[str] = []
    for (_, times), group in groups.items():
        (days,) = described(one for one, _ in group)
        pauses = [until for _, until in group if until is not None]
        told.append(f"{days}{_left_alone(times, pauses) if pauses else ': the turn of the sensor'}")
    return told


def _left_alone(times: int, pauses: Sequence[datetime]) -> str:
    """How often days have failed, and until when they are left alone."""
    first, last = f"{min(pauses):%Y-%m-%d %H:%M} UTC", f"{max(pauses):%Y-%m-%d %H:%M} UTC"
    until = first if first == last else f"{first} to {last}"
    return f", failed {f'{times} times' if times > 1 else 'once'}: left alone until {until}"


def by_sensor(due: Sequence[Due], *, held: Collection[Window], failures: Failures, now: datetime) -> list[Due]:
    """The days that the sensor asks for anew.

    Args:
        due: of the report.
        held: windows of open jobs, which come home by themselves.
        failures: of each day, since it last landed.
        now: the present moment.
    """
    return [
        one
        for one in due
        if one.why in _AGAIN
        and (one.why is Why.CHANGED or now - one.since >= TURN)
        and not any(one.day in window for window in held)
        and paused(failures, one.day, now) is None
    ]
