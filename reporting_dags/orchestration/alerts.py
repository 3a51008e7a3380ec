"""Alerts: what failed, of which days, why, and what to do, to wherever REPORTING_ALERT_URLS says; off until then."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import apprise
import dagster as dg
from pydantic import Field

from reporting_dags.jobs.standing import STANDING
from reporting_dags.model.report import Report
from reporting_dags.orchestration.checks import names
from reporting_dags.orchestration.keys import key_of
from reporting_dags.orchestration.requests import RANGE_END, RANGE_START
from reporting_dags.providers.resource import SECRET
from reporting_dags.providers.settings import optional

_OFF = "REPORTING_ALERT_URLS is not set: nobody is told"
_LONGEST = 1500
_MOST_TOLD = 500
_PAGE = 200
# What apprise logs holds addresses, and those are secrets; what has to be known of them is told here.
logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)


class Alerts(dg.ConfigurableResource[Any]):
    """Where alerts go. Every address is a secret: it holds the token of its service."""

    urls: str | None = Field(
        default=None,
        description="Addresses as apprise takes them, such as slack://…, mailto://… or json://…, with spaces between. "
        "Unset: REPORTING_ALERT_URLS, else nobody is told.",
        json_schema_extra=SECRET,
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
        """Tell everybody; `path` is where the UI shows more. Returns a line on each address that refused.

        Raises:
            dg.Failure: an address is none, or nobody could be told; its text holds no address.
        """
        servers = [apprise.Apprise(url) for url in self._urls()]
        bad = [place for place, server in enumerate(servers, 1) if not len(server)]
        if bad:
            raise dg.Failure(f"REPORTING_ALERT_URLS: address {bad[0]} of {len(servers)} is none that apprise knows")
        base = optional(self.ui, "REPORTING_UI_URL")
        link = [f"{base.rstrip('/')}/{path}"] if base else []
        body = "\n".join([*(line[:_LONGEST] for line in lines), *link])
        text = apprise.NotifyFormat.TEXT
        taken = [bool(server.notify(title=title, body=body, body_format=text)) for server in servers]
        if not any(taken):
            raise dg.Failure("an alert could not be delivered: every address of REPORTING_ALERT_URLS refused it")
        of = len(servers)
        return [f"address {n} of {of} of REPORTING_ALERT_URLS refused" for n, one in enumerate(taken, 1) if not one]


def failed_runs(reports: Sequence[Report[Any]]) -> dg.SensorDefinition:
    """Tells of every run of a report that failed; Dagster's own cursor tells of each once."""
    mine = {key_of(report) for report in reports}

    @dg.run_failure_sensor(
        name="alert_on_failed_runs",
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells REPORTING_ALERT_URLS of every run of a report that failed: report, days, cause, what to do.",
    )
    def failed(context: dg.RunFailureSensorContext, alerts: Alerts) -> dg.SkipReason | None:
        run = context.dagster_run
        keys = sorted(key.to_user_string() for key in (run.asset_selection or ()) if key in mine)
        if not keys:
            return dg.SkipReason("the run was of no report")
        if not alerts.on:
            return dg.SkipReason(_OFF)
        causes = [_cause(event) for event in context.get_step_failure_events()]
        lines = [cause for cause in causes if cause] or [context.failure_event.message or "the run failed"]
        for problem in alerts.tell(f"{', '.join(keys)} {_days(run.tags)}: run failed", lines, f"runs/{run.run_id}"):
            context.log.warning(problem)
        return None

    return failed


def failed_checks(reports: Sequence[Report[Any]]) -> dg.SensorDefinition:
    """Tells of every check whose newest result is a failure, once for each text."""
    keys = [
        dg.AssetCheckKey(key_of(report), name)
        for report in reports
        for name in (*names(report), *(STANDING if report.partitioned else ()))
    ]

    @dg.sensor(
        name="alert_on_failed_checks",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells REPORTING_ALERT_URLS of every check of a report that fails or warns, and what mends it.",
    )
    def checks(context: dg.SensorEvaluationContext, alerts: Alerts) -> dg.SensorResult:
        if not alerts.on:
            return dg.SensorResult(skip_reason=_OFF, cursor=context.cursor)
        cursor = _Cursor.read(context.cursor)
        problems = list[str]()
        news = 0
        for key, newest in context.instance.event_log_storage.get_latest_asset_check_execution_by_key(keys).items():
            name = f"{key.asset_key.to_user_string()} {key.name}"
            if _at(newest) <= cursor.seen.get(name, 0.0):
                continue
            try:
                found = _since(context.instance, key, cursor.seen.get(name, 0.0))
                for refused in _told(alerts, name, key, found, cursor):
                    news += 1
                    problems += refused
                cursor.seen[name] = _at(newest)
            except dg.Failure as failure:
                # The next tick tries again; what could be told is not told twice.
                problems.append(str(failure.description))
        for problem in dict.fromkeys(problems):
            context.log.error(problem)
        skipped = f"told of {news} checks" if news else "no check fails that was not told before"
        told = "; ".join([skipped, *dict.fromkeys(problems)])
        return dg.SensorResult(skip_reason=told, cursor=cursor.text)

    return checks


def _cause(event: Any) -> str:
    """The one line with which a step failed."""
    data = event.step_failure_data
    return str(data.user_failure_data.description or "") if data.user_failure_data else ""


def _days(tags: Mapping[str, str]) -> str:
    day = tags.get("dagster/partition", "")
    return f"{tags[RANGE_START]}...{tags[RANGE_END]}" if RANGE_START in tags and RANGE_END in tags else day


@dataclass(kw_only=True)
class _Cursor:
    """What one tick leaves to the next: until when each check was looked at, and which failures were told."""

    seen: dict[str, float] = field(default_factory=dict[str, float])
    told: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def read(cls, text: str | None) -> Self:
        try:
            said = json.loads(text or "{}")
            seen = {str(name): float(at) for name, at in said.get("seen", {}).items()}
            return cls(seen=seen, told={str(name): str(told) for name, told in said.get("told", {}).items()})
        except (ValueError, TypeError, AttributeError):
            return cls()

    @property
    def text(self) -> str:
        """As Dagster keeps it: of failures that nobody mends, the last alone."""
        return json.dumps({"seen": self.seen, "told": dict(list(self.told.items())[-_MOST_TOLD:])})


def _at(record: Any) -> float:
    return record.event.timestamp if record.event is not None else 0.0


def _since(instance: dg.DagsterInstance, key: dg.AssetCheckKey, after: float) -> list[dg.AssetCheckEvaluation]:
    """Results of a check after a moment, oldest first; a check of days has one for each of them."""
    storage, page_before = instance.event_log_storage, None
    records: list[Any] = []
    while True:
        page = storage.get_asset_check_execution_history(key, limit=_PAGE, cursor=page_before)
        records += page
        # Of a check that was never looked at, one page is enough; else all that has come since.
        if len(page) < _PAGE or not after or _at(page[-1]) <= after:
            break
        page_before = page[-1].id
    events = [record.event.dagster_event for record in reversed(records) if record.event and _at(record) > after]
    wanted = dg.DagsterEventType.ASSET_CHECK_EVALUATION
    return [event.asset_check_evaluation_data for event in events if event and event.event_type is wanted]


def _told(
    alerts: Alerts, name: str, key: dg.AssetCheckKey, found: Sequence[dg.AssetCheckEvaluation], cursor: _Cursor
) -> Iterator[Sequence[str]]:
    """Tell of the newest result of each day that fails, unless the same was told of it; yields what refused each."""
    for result in {one.partition: one for one in found}.values():
        of = f"{name} {result.partition or ''}".strip()
        said = result.description or ""
        if result.passed:
            cursor.told.pop(of, None)
        elif cursor.told.get(of) != said:
            kind = "failed" if result.severity is dg.AssetCheckSeverity.ERROR else "warns"
            path = f"assets/{'/'.join(key.asset_key.path)}?view=checks&checkDetail={key.name}"
            refused = alerts.tell(f"{of} {kind}", [said], path)
            cursor.told[of] = said
            yield refused
