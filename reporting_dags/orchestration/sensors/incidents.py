"""Decides which problems are new: each cause is sent once, however many reports, days, runs and checks it affects."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Self

from reporting_dags.model.days import days_in, ranges
from reporting_dags.orchestration.failures import STORAGE
from reporting_dags.orchestration.sensors.failure_events import EndedRun, Problem, Severity

_QUIET_SECONDS = 24 * 3600
"""A cause that lasts is sent again after so long."""
_OF_DAYS = frozenset({"newest_day", "no_day_missing", "no_day_failed"})
"""Report-level checks that pass when all days of the report have landed."""
_SHORT = {Severity.WARNING: "w", Severity.FAILURE: "f"}


@dataclass(kw_only=True)
class AlertCursor:
    """What one tick passes to the next.

    Attributes:
        after: storage id of the end of the last run that was read.
        days: the days that were sent, with their severity, by report.
        causes: the causes that were sent, for several reports or without days, each with its POSIX timestamp.
    """

    after: int
    days: dict[str, dict[Severity, set[date]]] = field(default_factory=dict[str, dict[Severity, set[date]]])
    causes: dict[str, int] = field(default_factory=dict[str, int])

    @classmethod
    def read(cls, text: str | None) -> Self | None:
        """Return the cursor from the text that Dagster stores; None if the text is of another release."""
        try:
            kept = json.loads(text or "")
            levels = {short: severity for severity, short in _SHORT.items()}
            days = {
                str(report): {levels[short]: days_in(str(listed)) for short, listed in by.items()}
                for report, by in kept["days"].items()
            }
            causes = {str(cause): int(at) for cause, at in kept["causes"].items()}
            return cls(after=int(kept["after"]), days=days, causes=causes)
        except (ValueError, TypeError, AttributeError, KeyError):
            return None

    @property
    def text(self) -> str:
        """The cursor as text for Dagster."""
        days = {
            report: {_SHORT[severity]: ranges(sent) for severity, sent in by.items() if sent}
            for report, by in self.days.items()
            if any(by.values())
        }
        return json.dumps({"after": self.after, "days": days, "causes": self.causes}, separators=(",", ":"))

    def is_news(self, problem: Problem, now: float) -> bool:
        """Return whether neither the days of a problem nor its cause were sent yet."""
        if self._is_quiet(problem.cause, now):
            return False
        # That days are missing is no other problem while what keeps them from landing is known.
        if problem.check in _OF_DAYS and self._is_down(problem.report.partition("/")[0], now):
            return False
        return not problem.days or not problem.days <= self._sent(problem.report, problem.severity)

    def _is_down(self, provider: str, now: float) -> bool:
        """Return whether a cause was sent that prevents all reports of a provider from landing."""
        causes = [cause for cause in self.causes if cause == STORAGE or cause.startswith(f"{provider} ")]
        return any(self._is_quiet(cause, now) for cause in causes)

    def _is_quiet(self, cause: str, now: float) -> bool:
        """Return whether a cause was sent so recently that it is not sent again."""
        return now - self.causes.get(cause, 0) < _QUIET_SECONDS

    def _sent(self, report: str, severity: Severity) -> set[date]:
        """Return the days that were sent with this severity or a higher one."""
        return {day for level, days in self.days.get(report, {}).items() if level >= severity for day in days}

    def note(self, problem: Problem, now: float, *, sent: bool) -> None:
        """Record that a problem was sent, or need not be."""
        self.days.setdefault(problem.report, {}).setdefault(problem.severity, set()).update(problem.days)
        # A cause that a report has for itself comes back with other days.
        if sent and (not problem.days or not problem.cause.startswith(problem.report)):
            self.causes = {cause: at for cause, at in self.causes.items() if self._is_quiet(cause, now)}
            self.causes[problem.cause] = int(now)

    def recovered(self, run: EndedRun) -> None:
        """Forget the days that a run has landed, and the causes that prevented its provider from landing."""
        for report, landed in run.landed.items():
            for severity, sent in self.days.get(report, {}).items():
                sent.difference_update(
                    landed if severity is Severity.FAILURE else landed - run.warned.get(report, set())
                )
            provider = report.partition("/")[0]
            for cause in [cause for cause in self.causes if cause == STORAGE or cause.startswith(f"{provider} ")]:
                del self.causes[cause]

    def passed(self, checks: Mapping[str, Collection[str]]) -> None:
        """Forget the problems whose report-level checks pass now."""
        for report, names in checks.items():
            if set(names) >= _OF_DAYS:
                self.days.get(report, {}).pop(Severity.FAILURE, None)
            for name in names:
                self.causes.pop(f"{report} {name}", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One alert: the problems with one cause."""

    problems: Sequence[Problem]

    @property
    def severity(self) -> Severity:
        """The highest severity of the problems."""
        return max(problem.severity for problem in self.problems)

    @property
    def title(self) -> str:
        """What failed: reports and days."""
        reports = list(dict.fromkeys(problem.report for problem in self.problems))
        days = {day for problem in self.problems for day in problem.days}
        which = f" {ranges(days, most=3)}" if days else ""
        what = "failed" if self.severity is Severity.FAILURE else "warning"
        if len(reports) == 1:
            return f"{reports[0]}{which}: {what}"
        providers = ", ".join(dict.fromkeys(report.partition("/")[0] for report in reports))
        return f"{providers}: {what}, {len(reports)} reports{which}"

    @property
    def lines(self) -> list[str]:
        """For each problem, what happened, why, and how to fix it."""
        return list(dict.fromkeys(line for problem in self.problems for line in problem.line.splitlines()))


def messages(problems: Sequence[Problem]) -> list[Message]:
    """Return an alert for each cause; problems of the same days of a report are in one alert."""
    groups: list[list[Problem]] = []
    # The worst comes first: what else is said of its days comes along with it.
    for problem in sorted(problems, key=lambda problem: -problem.severity):
        for group in groups:
            if any(other.cause == problem.cause or _same_days(other, problem) for other in group):
                group.append(problem)
                break
        else:
            groups.append([problem])
    return [Message(problems=group) for group in groups]


def _same_days(one: Problem, other: Problem) -> bool:
    return one.report == other.report and bool(other.days) and other.days <= one.days
