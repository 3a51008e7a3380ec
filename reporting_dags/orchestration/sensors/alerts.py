"""Alerts about failures, sent to REPORTING_ALERT_URLS: what failed, for which days, why, and how to fix it."""

import logging
import time
from collections.abc import Collection, Sequence
from typing import Any

import dagster as dg
from pydantic import Field

from reporting_dags.model.errors import SettingError
from reporting_dags.model.report import Report
from reporting_dags.orchestration.run_requests import awaits_first_tick
from reporting_dags.orchestration.sensors.failure_events import (
    Problem,
    Severity,
    ended_runs,
    newest_id,
    report_problems,
)
from reporting_dags.orchestration.sensors.incidents import AlertCursor, messages
from reporting_dags.providers.resource import secret_field
from reporting_dags.providers.settings import read_optional_setting

_OFF = "alerts are off: REPORTING_ALERT_URLS is not set"
_MAX_CHARACTERS = 900
"""Characters of a message: most services split a longer one."""
_BUDGET_SECONDS = 20.0
"""How long a tick may send: Dagster ends a tick after a minute, and its cursor is lost."""
# The log lines of apprise contain addresses, which are secrets; errors are logged here without them.
logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)


class Alerts(dg.ConfigurableResource[Any]):
    """The addresses that alerts are sent to. Each is a secret: it contains the token of its service."""

    urls: str | None = secret_field(
        "Addresses in the format of apprise, separated by spaces, for example slack://TokenA/TokenB/TokenC or "
        "json://host/path. Unset: REPORTING_ALERT_URLS, else alerts are off."
    )
    ui: str | None = Field(
        default=None,
        description="Address of the Dagster UI, for links in alerts, for example https://dagster.example.com. "
        "Unset: REPORTING_UI_URL, else alerts have no links.",
    )

    @property
    def enabled(self) -> bool:
        """Whether there is an address; raises `SettingError` if the variable holds a mask."""
        return bool(self._urls())

    def _urls(self) -> list[str]:
        return (read_optional_setting(self.urls, "REPORTING_ALERT_URLS") or "").split()

    def send(self, title: str, lines: Sequence[str], path: str, severity: Severity) -> Sequence[str]:
        """Send an alert to every address.

        Args:
            title: one line.
            lines: the text; a longer one is truncated, and its last line says so.
            path: path of the page of Dagster's UI that shows more.
            severity: shown by services as a color or a priority.

        Returns:
            One line for each address that did not accept it.

        Raises:
            dg.Failure: no address accepted it. The text contains no address.
        """
        # The import is slow, and most processes that load the definitions send nothing.
        import apprise  # noqa: PLC0415

        kinds = {Severity.FAILURE: apprise.NotifyType.FAILURE, Severity.WARNING: apprise.NotifyType.WARNING}
        base = read_optional_setting(self.ui, "REPORTING_UI_URL")
        link = [f"{base.rstrip('/')}/{path}"] if base else []
        body = "\n".join([*_bounded(lines), *link])
        urls, problems = self._urls(), list[str]()
        for place, url in enumerate(urls, 1):
            servers = apprise.Apprise(url)
            for server in servers:
                # What is longer than a service takes comes in pieces: it would refuse the message every time.
                if server.overflow_mode is apprise.OverflowMode.UPSTREAM:
                    server.overflow_mode = apprise.OverflowMode.SPLIT
            if not len(servers):
                problems.append(
                    f"address {place} of {len(urls)} of REPORTING_ALERT_URLS is not an address that apprise knows"
                )
            elif not servers.notify(
                title=title, body=body, body_format=apprise.NotifyFormat.TEXT, notify_type=kinds[severity]
            ):
                problems.append(f"address {place} of {len(urls)} of REPORTING_ALERT_URLS refused")
        if len(problems) == len(urls):
            raise dg.Failure(f"an alert could not be delivered: {'; '.join(problems)}", allow_retries=False)
        return problems


class _Notifier:
    """Sends messages until the tick's time is over, and collects the problems."""

    def __init__(self, alerts: Alerts) -> None:
        self._alerts = alerts
        self._until = time.monotonic() + _BUDGET_SECONDS
        self.count = 0
        self.problems: dict[str, None] = {}

    def send(self, title: str, lines: Sequence[str], path: str, severity: Severity) -> bool:
        """Send an alert; return whether any address accepted it."""
        if time.monotonic() >= self._until:
            self.problems["no time was left in this tick: the next tick continues"] = None
            return False
        try:
            self.problems.update(dict.fromkeys(self._alerts.send(title, lines, path, severity)))
        except dg.Failure as failure:
            self.problems[str(failure.description)] = None
            return False
        self.count += 1
        return True


def alert_sensor(keys: Collection[dg.AssetKey], reports: Sequence[Report]) -> dg.SensorDefinition:
    """Return the sensor that sends alerts of failed runs and checks, each cause once, from its first tick on.

    Args:
        keys: the assets whose runs are read.
        reports: whose report-level checks are read.
    """

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sends failed runs and failing checks to REPORTING_ALERT_URLS: one message for each cause, with "
        "the fix. Failures that resolve themselves, such as a quota that renews, are not sent.",
    )
    def alert(context: dg.SensorEvaluationContext, alerts: Alerts) -> dg.SensorResult:
        cursor = AlertCursor.read(context.cursor) or AlertCursor(after=newest_id(context.instance))
        try:
            on = alerts.enabled
        except SettingError as error:
            context.log.error(error.line)
            return dg.SensorResult(skip_reason=error.line, cursor=cursor.text)
        if not on:
            # Once alerts are turned on, they begin with the next failure.
            cursor.after = newest_id(context.instance)
            return dg.SensorResult(skip_reason=_OFF, cursor=cursor.text)
        outbox = _Notifier(alerts)
        try:
            _send(context.instance, outbox, cursor, keys, reports)
        except Exception as error:  # noqa: BLE001 - the cursor must record what was sent
            outbox.problems[f"could not read further: {type(error).__name__}; the next tick tries again"] = None
        for problem in outbox.problems:
            context.log.error(problem)
        sent = f"sent {outbox.count} alert{'s' * (outbox.count != 1)}" if outbox.count else "no new problem"
        return dg.SensorResult(skip_reason="; ".join([sent, *outbox.problems]), cursor=cursor.text)

    return alert


def _send(
    instance: dg.DagsterInstance,
    outbox: _Notifier,
    cursor: AlertCursor,
    keys: Collection[dg.AssetKey],
    reports: Sequence[Report],
) -> None:
    now = time.time()
    # Storage ids start again when the records of all runs were deleted.
    cursor.after = min(cursor.after, newest_id(instance))
    runs = list(ended_runs(instance, keys, cursor.after))
    left: dict[int, list[Problem]] = {}
    for run in runs:
        # What a later run of this tick has landed needs no alert.
        for problems in left.values():
            problems[:] = [item for item in problems if not item.days or item.days - run.landed.get(item.report, set())]
        cursor.recovered(run)
        left[run.id] = list(run.problems)
    unsent = _send_news(outbox, cursor, [problem for problems in left.values() for problem in problems], now)
    waiting = [run.id for run in runs if any(problem in unsent for problem in left[run.id])]
    # A run whose alert was not delivered is read again.
    cursor.after = min(waiting) - 1 if waiting else max((run.id for run in runs), default=cursor.after)
    result, passed = report_problems(
        instance, [item for item in reports if not awaits_first_tick(instance, item.provider)]
    )
    cursor.passed(passed)
    _send_news(outbox, cursor, result, now)


def _send_news(outbox: _Notifier, cursor: AlertCursor, problems: Sequence[Problem], now: float) -> list[Problem]:
    """Send the new ones of `problems`; return those that no address accepted."""
    news = [problem for problem in problems if cursor.is_news(problem, now)]
    for problem in problems:
        if problem not in news:
            cursor.note(problem, now, sent=False)
    unsent: list[Problem] = []
    for message in messages(news):
        if outbox.send(message.title, message.lines, message.problems[0].path, message.severity):
            for problem in message.problems:
                cursor.note(problem, now, sent=True)
        else:
            unsent += message.problems
    return unsent


def _bounded(lines: Sequence[str]) -> list[str]:
    """Return as many of `lines` as a message can hold, and how many more there are."""
    kept, left = list[str](), _MAX_CHARACTERS
    for line in lines:
        if kept and len(line) > left:
            break
        kept.append(line if len(line) <= left else f"{line[: left - 1]}…")
        left -= len(kept[-1]) + 1
    more = len(lines) - len(kept)
    return [*kept, f"and {more} more"] if more else kept
