"""One tick of a late-data sensor: polls jobs, requests runs and control totals, evaluates checks, within a minute."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from tempfile import TemporaryDirectory
from typing import Self

import dagster as dg

from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.ledger.report_state import load_report_state
from reporting_dags.jobs.planning import control_totals as control
from reporting_dags.jobs.planning.due import MAX_RANGES, describe_due, due_partitions, paused_until
from reporting_dags.jobs.planning.policy import for_sensor
from reporting_dags.jobs.planning.report_health import report_health
from reporting_dags.jobs.planning.windows import plan_windows
from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.pulling.probe import Probe, probe
from reporting_dags.jobs.pulling.pull import pull
from reporting_dags.jobs.pulling.raw_retention import delete_expired_raw
from reporting_dags.jobs.records import ReportState
from reporting_dags.landing.checks.partition import CheckResult
from reporting_dags.landing.storage.store import open_store
from reporting_dags.model.clock import Clock
from reporting_dags.model.days import Window, contiguous_ranges, ranges
from reporting_dags.model.errors import ReportingError, StorageError
from reporting_dags.model.report import Report
from reporting_dags.orchestration.partitions import offered
from reporting_dags.orchestration.report_checks import report_check_event
from reporting_dags.orchestration.run_requests import run_request
from reporting_dags.orchestration.storage import OpenStorage, with_settings
from reporting_dags.providers.api import Pace, Provider, Rate
from reporting_dags.providers.http.errors import Unavailable

_SLOT = timedelta(hours=3)
"""A day that is due again and whose run came to nothing is requested once more after so long."""
_REPEAT_AFTER = timedelta(hours=6)
"""A check of a report as a whole that says the same is recorded again after so long."""
_DURATION = re.compile(r"\d+(\.\d+)? (minutes|hours)")


class DeadlineClock:
    """A clock that ends at `until`: a longer sleep raises an error instead."""

    def __init__(self, clock: Clock, until: datetime) -> None:
        self._clock = clock
        self._until = until

    def now(self) -> datetime:
        """Return the current time."""
        return self._clock.now()

    def sleep(self, seconds: float) -> None:
        """Sleep, or raise `Unavailable` if that would last longer than the time that is left."""
        if self._clock.now() + timedelta(seconds=seconds) > self._until:
            raise Unavailable("there was no time left in this tick", advice="The next one goes on.")
        self._clock.sleep(seconds)

    def limit_waits(self, pace: Pace) -> Pace:
        """Return `pace`, with the addition that no call begins when no time is left."""

        def wait(rate: Rate) -> None:
            self.sleep(0)
            pace(rate)

        return wait

    @property
    def out_of_time(self) -> bool:
        """Whether no time is left."""
        return self._clock.now() >= self._until


@dataclass(kw_only=True)
class Cursor:
    """What one tick passes to the next.

    Attributes:
        next: the report with which the next tick begins.
        checks: a hash of the last result, by report and check.
        since: when all checks were last recorded, as a POSIX timestamp.
        lines: hashes of the lines that were logged.
    """

    next: str = ""
    checks: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    since: int = 0
    lines: list[str] = field(default_factory=list[str])

    @classmethod
    def read(cls, text: str | None) -> Self:
        """Return the cursor from the text that Dagster stores; an empty one if the text is of another release."""
        try:
            kept = json.loads(text or "{}")
            checks = {str(key): {str(n): str(h) for n, h in by.items()} for key, by in kept.get("checks", {}).items()}
            lines = [str(line) for line in kept.get("lines", [])]
            return cls(next=str(kept.get("next", "")), checks=checks, since=int(kept.get("since", 0)), lines=lines)
        except (ValueError, TypeError, AttributeError):
            return cls()

    @property
    def text(self) -> str:
        """The cursor as text for Dagster: a few hundred characters, because the sensor's page shows them."""
        kept = {"next": self.next, "checks": self.checks, "since": self.since, "lines": self.lines}
        return json.dumps(kept, separators=(",", ":"))

    def new_lines(self, lines: Sequence[str]) -> list[str]:
        """Return those of `lines` that the previous tick did not log; durations in the lines are ignored."""
        before, self.lines = set(self.lines), [_hash(_DURATION.sub("", line)) for line in lines]
        return [line for line, its in zip(lines, self.lines, strict=True) if its not in before]


def _line(report: Report, group: Sequence[tuple[Probe, str]]) -> str:
    """Return the line of the job that was requested first, with the days of all jobs in the same state."""
    days = [day for looked, _ in group for day in looked.window.days]
    text = min(group, key=lambda one: one[0].requested_at)[1]
    return f"{report.key} {ranges(days, most=MAX_RANGES)}: {text}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]


@dataclass(kw_only=True)
class Tick:
    """One tick.

    Attributes:
        start: the first day by the settings.
        firsts: the first partition of each report, by its key.
        clock: ends calls that would take too long.
        cursor: received from the previous tick, and passed to the next.
        messages: the lines of the tick.
        requests: the runs to launch.
        events: the evaluations of report-level checks to record.
    """

    start: date
    firsts: Mapping[str, date]
    clock: DeadlineClock
    cursor: Cursor
    messages: list[str] = field(default_factory=list[str])
    requests: list[dg.RunRequest] = field(default_factory=list[dg.RunRequest])
    events: list[dg.AssetCheckEvaluation] = field(default_factory=list[dg.AssetCheckEvaluation])
    _read: dict[str, ReportState] = field(default_factory=dict[str, ReportState], init=False)

    def report_checks(self, opened: OpenStorage, reports: Sequence[Report]) -> None:
        """Record the report-level checks whose result has changed, or was last recorded long ago."""
        now = self.clock.now()
        if now.timestamp() - self.cursor.since >= _REPEAT_AFTER.total_seconds():
            self.cursor.checks, self.cursor.since = {}, int(now.timestamp())
        for report in reports:
            if report.partitioned:
                requested = with_settings(report)
                result = report_health(requested, self._known(requested, opened.ledger), since=self.start, now=now)
                self.events += [report_check_event(report, check) for check in result if self._is_news(report, check)]

    def _known(self, report: Report, ledger: Ledger) -> ReportState:
        """Return the state of `report` in the ledger; it is read once for each tick, unless the tick changes it."""
        if report.key not in self._read:
            self._read[report.key] = load_report_state(report, ledger, self.clock.now())
        return self._read[report.key]

    def _is_news(self, report: Report, check: CheckResult) -> bool:
        # A letter is enough: no report has two checks that begin with the same ones.
        name, result = check.name.removeprefix("no_day_")[0], _hash(f"{check.passed} {check.detail}")
        last = self.cursor.checks.setdefault(report.name, {})
        if last.get(name) == result:
            return False
        last[name] = result
        if not check.passed:
            self.messages.append(f"{report.key} {check.name}: {check.detail}")
        return True

    def poll_provider(self, client: Provider, opened: OpenStorage, reports: Sequence[Report]) -> None:
        """Poll the jobs of `reports`, beginning with the report at which the previous tick ran out of time."""
        place = next((number for number, report in enumerate(reports) if report.key == self.cursor.next), 0)
        self.cursor.next = ""
        for report in (*reports[place:], *reports[:place]):
            if self.clock.out_of_time:
                self.messages.append(f"time ran out before {report.key}: the next tick begins with it")
                self.cursor.next = report.key
                return
            requested, now = with_settings(report), self.clock.now()
            # Each tick is a run of its own: what fails in one after another is left alone for longer each time.
            context = opened.pull_context(
                client, self.clock, run=f"the late-data sensor {now:%m-%d %H:%M}", waits=False
            )
            try:
                self._control(context, opened, requested)
                self._report(context, requested)
            except StorageError:
                raise
            except ReportingError as error:
                self.messages.append(f"{report.key}: {error.line}")

    def _report(self, context: PullContext, report: Report) -> None:
        now, held, ready = self.clock.now(), list[Window](), list[Probe]()
        failures = self._known(report, context.ledger).failures
        texts: dict[str, list[tuple[Probe, str]]] = {}
        for looked in probe(context, report, now, out_of_time=lambda: self.clock.out_of_time):
            held.append(looked.window)
            # What failed since was another part of the same asking, such as an app that is refused.
            parts_failed = [
                day for day in looked.days if any(item.at >= looked.requested_at for item in failures.get(day, ()))
            ]
            pauses = [until for day in parts_failed if (until := paused_until(failures, day, now)) is not None]
            if looked.should_run and pauses:
                message = f"{looked.message}, but for a part that has failed"
                text = f"{message}: paused until {max(pauses):%Y-%m-%d %H:%M} UTC"
            else:
                text = looked.message
                ready += [looked] if looked.should_run else []
            texts.setdefault(_DURATION.sub("", text), []).append((looked, text))
        self.messages += [_line(report, group) for group in texts.values()]
        self.requests += self._landing(report, ready)
        if held:
            # A look may have closed what was open.
            self._read.pop(report.key)
        facts = self._known(report, context.ledger)
        days = due_partitions(report, facts, since=self.start, sizes=None, now=now)
        again = for_sensor(days, open_windows=held, failures=facts.failures, now=now)
        slot = int(now.timestamp() // _SLOT.total_seconds())
        for window in plan_windows([item.day for item in again], report.window_days):
            own = [item for item in again if item.day in window]
            self.messages.append(f"{report.key}: {'; '.join(describe_due(own))}")
            self.requests.append(run_request(report, window, reason=f"again:{slot}", why=own, wait=False))

    def _landing(self, report: Report, ready: Sequence[Probe]) -> Iterator[dg.RunRequest]:
        """Request one run for each contiguous range of the days of `ready` jobs."""
        days = {day for looked in ready for day in looked.days}
        if report.partitioned:
            days = set(offered(report.calendar, self.firsts[report.key], days, self.clock.now()))
        # A run that ended before it began, as when it is canceled in the queue, must not be the last one.
        hour = self.clock.now().strftime("%Y-%m-%dT%H")
        for stretch in contiguous_ranges(days):
            tokens = [looked.run_key_part for looked in ready if any(day in stretch for day in looked.days)]
            yield run_request(report, stretch, reason=f"landing:{_hash(','.join(sorted(tokens)))}:{hour}", wait=False)

    def _control(self, context: PullContext, opened: OpenStorage, report: Report) -> None:
        """Request the control totals when they are due, and compare them when they are ready."""
        requested, now = report.control, self.clock.now()
        if requested is None:
            return
        open_jobs = list(probe(context, requested, now, out_of_time=lambda: self.clock.out_of_time))
        if open_jobs:
            self.messages += [f"{requested.key} {looked.window}: {looked.message}" for looked in open_jobs]
            days = [day for looked in open_jobs if looked.should_run for day in looked.window.days]
        else:
            state = self._known(report, opened.ledger)
            window = control.control_window(report, state.landed, state.control, now)
            days = window.days if window is not None and not self._left_alone(opened, requested, window, now) else []
        if days:
            self._take(context, opened, requested, days)
            self._read.pop(report.key, None)

    @staticmethod
    def _left_alone(opened: OpenStorage, asked: Report, window: Window, now: datetime) -> bool:
        return paused_until(load_report_state(asked, opened.ledger, now).failures, window.last, now) is not None

    def _take(self, asked_in: PullContext, opened: OpenStorage, asked: Report, days: Sequence[date]) -> None:
        """Pull a control report; the ledger stores only the sums of its files."""
        with TemporaryDirectory(dir=opened.scratch) as folder:
            context = replace(asked_in, data=open_store(folder, scratch=opened.scratch))
            results = list(pull(context, asked, days))
            delete_expired_raw(context, asked, opened.keep_raw)
        errors = {result.error.line for result in results if result.error is not None}
        message = sorted(errors) or [f"has the totals of {len(results)} days"]
        self.messages += [f"{asked.key}: {line}" for line in message]
