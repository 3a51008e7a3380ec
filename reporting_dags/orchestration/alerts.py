"""Alerts: what failed, of which days, why, and what to do, to wherever REPORTING_ALERT_URLS says; off until then."""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import dagster as dg
from pydantic import Field

from reporting_dags.jobs.standing import STANDING
from reporting_dags.model.report import Report
from reporting_dags.orchestration.keys import key_of
from reporting_dags.orchestration.news import (
    AlertCursor,
    Told,
    cause,
    ended_runs,
    evaluations,
    failing,
    is_repeated,
    keys_of,
    latest,
    newest_id,
)
from reporting_dags.orchestration.requests import RANGE_END, RANGE_START
from reporting_dags.providers.resource import secret
from reporting_dags.providers.settings import optional

_OFF = "REPORTING_ALERT_URLS is not set: nobody is told"
_LONGEST = 900
"""Characters of a message: what is longer comes in pieces at most services, seconds apart."""
_BUDGET_SECONDS = 20.0
"""How long a tick goes on telling: Dagster ends one that takes a minute, and forgets what it has told."""
# What apprise logs holds addresses, and those are secrets; what has to be known of them is told here.
logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)


class Alerts(dg.ConfigurableResource[Any]):
    """Where alerts go. Every address is a secret: it holds the token of its service."""

    urls: str | None = secret(
        "Addresses as apprise takes them, such as slack://…, mailto://… or json://…, with spaces between. "
        "Unset: REPORTING_ALERT_URLS, else alerts are off."
    )
    ui: str | None = Field(
        default=None,
        description="Address of Dagster's UI, for links. Unset: REPORTING_UI_URL, else alerts have none.",
    )

    @property
    def on(self) -> bool:
        """Whether anybody is told."""
        return bool(self._urls())

    def _urls(self) -> list[str]:
        return (optional(self.urls, "REPORTING_ALERT_URLS") or "").split()

    def tell(self, title: str, lines: Sequence[str], path: str) -> Sequence[str]:
        """Tell everybody; `path` is where the UI shows more. Returns a line on each address that did not take it.

        Raises:
            dg.Failure: nobody took it; its text holds no address.
        """
        # Every process that loads the definitions would wait for it, and few tell anybody.
        import apprise  # noqa: PLC0415

        base = optional(self.ui, "REPORTING_UI_URL")
        link = [f"{base.rstrip('/')}/{path}"] if base else []
        body = "\n".join([*_bounded(lines), *link])
        urls, problems = self._urls(), list[str]()
        for place, url in enumerate(urls, 1):
            servers = apprise.Apprise(url)
            for server in servers:
                # What is longer than a service takes comes in pieces: it would refuse the whole for ever.
                if server.overflow_mode is apprise.OverflowMode.UPSTREAM:
                    server.overflow_mode = apprise.OverflowMode.SPLIT
            if not len(servers):
                problems.append(f"address {place} of {len(urls)} of REPORTING_ALERT_URLS is none that apprise knows")
            elif not servers.notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT):
                problems.append(f"address {place} of {len(urls)} of REPORTING_ALERT_URLS refused")
        if len(problems) == len(urls):
            raise dg.Failure(f"an alert could not be delivered: {'; '.join(problems)}", allow_retries=False)
        return problems


class _Teller:
    """Tells as long as there is time, and remembers what was in the way."""

    def __init__(self, alerts: Alerts) -> None:
        self._alerts = alerts
        self._until = time.monotonic() + _BUDGET_SECONDS
        self.count = 0
        self.problems: dict[str, None] = {}

    def tell(self, title: str, lines: Sequence[str], path: str) -> bool:
        """Whether somebody took it."""
        if time.monotonic() >= self._until:
            self.problems["there was no time left in this tick: the next one goes on"] = None
            return False
        try:
            self.problems.update(dict.fromkeys(self._alerts.tell(title, lines, path)))
        except dg.Failure as failure:
            self.problems[str(failure.description)] = None
            return False
        self.count += 1
        return True

    def result(self, context: dg.SensorEvaluationContext, cursor: AlertCursor, of: str) -> dg.SensorResult:
        """What the tick says and leaves behind."""
        for problem in self.problems:
            context.log.error(problem)
        told = f"told of {self.count} {of}{'s' * (self.count != 1)}" if self.count else f"no {of} fails that is news"
        return dg.SensorResult(skip_reason="; ".join([told, *self.problems]), cursor=cursor.text)


def failed_runs(keys: Collection[dg.AssetKey]) -> dg.SensorDefinition:
    """Tells of every run of `keys` that failed, once; from the tick on at which alerts were first on.

    A retry of a day of network/daily that failed as the run before did is not told again.
    A `run_failure_sensor` goes on to the next run when nobody took what it told: here the same is told again.
    """

    def tell(context: dg.SensorEvaluationContext, teller: _Teller, cursor: AlertCursor) -> None:
        for record in ended_runs(context.instance, [dg.DagsterEventType.RUN_FAILURE], cursor.after):
            mine = sorted({key.to_user_string() for key in keys_of(context.instance, record.run_id) if key in keys})
            if mine and not is_repeated(context.instance, record.run_id):
                run = context.instance.get_run_by_id(record.run_id)
                days = _days(run.tags) if run is not None else ""
                lines = cause(context.instance, record)
                if not teller.tell(f"{', '.join(mine)} {days}: run failed", lines, f"runs/{record.run_id}"):
                    return
            cursor.after = record.storage_id

    description = "Tells REPORTING_ALERT_URLS of every run of a report that failed: report, days, cause, what to do."
    return _sensor("alert_on_failed_runs", description, "run", tell)


def failed_checks(
    keys: Collection[dg.AssetKey], reports: Iterable[Report[Any]], *, told_by_run: Collection[dg.AssetCheckKey] = ()
) -> dg.SensorDefinition:
    """Tells of every check that failed in a run of `keys`, and of the standing checks of `reports`; once each text.

    Args:
        keys: the assets.
        reports: whose standing checks.
        told_by_run: checks whose failure is the failure of their run, in the same words: they are told as such.
    """
    standing = [dg.AssetCheckKey(key_of(report), name) for report in reports for name in STANDING]
    ends = [dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_CANCELED]

    def tell(context: dg.SensorEvaluationContext, teller: _Teller, cursor: AlertCursor) -> None:
        for key, result in latest(context.instance, standing).items():
            _tell_check(teller, key, [result], cursor)
        for record in ended_runs(context.instance, ends, cursor.after):
            found = evaluations(context.instance, record.run_id)
            elsewhere = {*standing, *told_by_run}
            mine = {key: results for key, results in found.items() if key.asset_key in keys and key not in elsewhere}
            # Each is tried, whatever became of the one before.
            taken = [_tell_check(teller, key, results, cursor) for key, results in mine.items()]
            if not all(taken):
                return
            cursor.after = record.storage_id

    description = "Tells REPORTING_ALERT_URLS of every check of a report that fails or warns, and what mends it."
    return _sensor("alert_on_failed_checks", description, "check", tell)


def _sensor(
    name: str, description: str, of: str, tell: Callable[[dg.SensorEvaluationContext, _Teller, AlertCursor], None]
) -> dg.SensorDefinition:
    @dg.sensor(
        name=name,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=description,
    )
    def alert(context: dg.SensorEvaluationContext, alerts: Alerts) -> dg.SensorResult:
        if not alerts.on:
            # What fails while nobody is told is no news on the day on which somebody is: the next cursor begins anew.
            return dg.SensorResult(skip_reason=_OFF, cursor="off")
        newest = newest_id(context.instance)
        cursor = AlertCursor.read(context.cursor) or AlertCursor(after=newest)
        # Where runs were deleted, SQLite gives their ids again.
        cursor.after = min(cursor.after, newest)
        teller = _Teller(alerts)
        try:
            tell(context, teller, cursor)
        except Exception as error:  # noqa: BLE001 - a tick that fails forgets whom it has told
            teller.problems[f"could not read further: {type(error).__name__}; the next tick tries again"] = None
        return teller.result(context, cursor, of)

    return alert


def _tell_check(
    teller: _Teller, key: dg.AssetCheckKey, results: Sequence[dg.AssetCheckEvaluation], cursor: AlertCursor
) -> bool:
    """Tell of what fails of a check's results and was not told before; False if nobody took it."""
    name = f"{key.asset_key.to_user_string()} {key.name}"
    news = failing(name, results, cursor)
    if not news:
        return True
    path = f"assets/{'/'.join(key.asset_key.path)}?view=checks&checkDetail={key.name}"
    if not teller.tell(*_message(name, news), path):
        return False
    cursor.told |= {of: Told.of(one) for of, one in news.items()}
    return True


def _message(name: str, news: Mapping[str, dg.AssetCheckEvaluation]) -> tuple[str, list[str]]:
    """Title and lines: one message a check and run, however many days a backfill has spoilt."""
    (of, newest), count = list(news.items())[-1], len(news)
    kind = "failed" if newest.severity is dg.AssetCheckSeverity.ERROR else "warns"
    if count == 1:
        return f"{of} {kind}", [newest.description or ""]
    lines = [f"{one.partition}: {one.description or ''}" for one in news.values()]
    return f"{name} {kind} on {count} days, up to {newest.partition}", lines


def _bounded(lines: Sequence[str]) -> list[str]:
    """As many of `lines` as a message holds, and how many more there are."""
    kept, left = list[str](), _LONGEST
    for line in lines:
        if kept and len(line) > left:
            break
        kept.append(line if len(line) <= left else f"{line[: left - 1]}…")
        left -= len(kept[-1]) + 1
    more = len(lines) - len(kept)
    return [*kept, f"and {more} more"] if more else kept


def _days(tags: Mapping[str, str]) -> str:
    day = tags.get("dagster/partition", "")
    return f"{tags[RANGE_START]}...{tags[RANGE_END]}" if RANGE_START in tags and RANGE_END in tags else day
