"""A stage for a hostile answer: days that are stored, a truth that moves on, a pull under the fault, one after it."""

import logging
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, cast

from reporting_dags.jobs.ledger.database import open_database
from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.ledger.rate_limit import RateLimits
from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.pulling.pull import pull
from reporting_dags.jobs.pulling.result import DayResult
from reporting_dags.landing.storage.store import open_store
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import SandboxClock
from reporting_dags_tests.torture.answers_case import Case
from reporting_dags_tests.torture.answers_ears import Heard, connections
from reporting_dags_tests.torture.row import Losses, Row, losses
from reporting_dags_tests.truth import expected_rows, landed_rows

DAY = 86400.0


@dataclass(slots=True)
class Stage:
    """A sandbox, and a folder that holds the ledger, the data and whatever a run leaves.

    Attributes:
        sandbox: on a still clock, as new.
        folder: empty.
        case: what is played.
        landed: by target, where the same days lie already and what they cost; filled by the first that lands them.
        troubles: what did not hold so far.
        lines: the lines in which days failed.
    """

    sandbox: Sandbox
    folder: Path
    case: Case
    landed: dict[str, tuple[Path, int]]
    troubles: list[str] = field(default_factory=list[str])
    _found: Losses = field(default_factory=Losses)
    lines: list[str] = field(default_factory=list[str])

    def play(self) -> Row:
        """Land, let the truth move on, strike, repair; the row of what came of it."""
        case, target, sandbox = self.case, self.case.target, self.sandbox
        least = self._landed()
        before = {day: self._bytes(day) for day in target.days}
        sandbox.clock.advance(DAY)
        self._switch()
        if not any(self._losses(day) != Losses() for day in target.days):
            self.troubles.append("the truth has not moved on")
        sandbox.log.clear()
        results = self._struck()
        outcome = _outcome(results)
        asked = sandbox.log.entries(case.repeated) if case.repeated else []
        if case.repeated and not any(entry.fault for entry in asked[:-1]):
            self.troubles.append(f"{case.repeated} was not asked again")
        if outcome != case.ends:
            self.troubles.append(f"expected {case.ends}")
        warnings = [warning for result in results.values() if result.landed for warning in result.landed.warnings]
        if not any(case.warns in warning for warning in warnings or [""]):
            self.troubles.append(f"does not warn of {case.warns!r}: {warnings[:1]}")
        failed = [day for day in target.days if day not in results or not results[day].outcome.publishes]
        for day in target.days:
            if day not in failed:
                self._compare(day)
            elif self._bytes(day) != before[day]:
                self.troubles.append(f"{day} ended without data, and its file is another")
                self._compare(day)
        if failed:
            again = self._pulled(failed, {})
            outcome += f", then {_outcome(again)}"
            for day in target.days:
                self._compare(day)
        self._look_around()
        return self._row(outcome, max(0, self._bought() - least))

    def _struck(self) -> dict[date, DayResult]:
        """The results of a pull under the fault, which is taken back afterwards."""
        case, sandbox = self.case, self.sandbox
        sandbox.settings.change(case.target.provider, **case.switches)
        for fault in case.script:
            sandbox.faults.add(**{name: self._worked_out(value) for name, value in fault.items()})
        if case.running:
            sandbox.clock.thaw()
        results = self._pulled(case.target.days, case.settings)
        if case.running:
            sandbox.clock.freeze()
        sandbox.faults.clear()
        self._switch()
        return results

    def _worked_out(self, value: Any) -> Any:
        return cast("Callable[[Stage], Any]", value)(self) if callable(value) else value

    def _switch(self) -> None:
        """The sandbox's switches from the day on which the truth is another, without those of the fault."""
        case, target = self.case, self.case.target
        self.sandbox.settings.reset()
        self.sandbox.settings.change(target.provider, **{**target.switches, **target.moves, **case.truth})

    def _landed(self) -> int:
        """Have the days are stored, as an honest answer made them; returns what that cost."""
        target = self.case.target
        if target.name not in self.landed:
            self.sandbox.settings.change(target.provider, **target.switches)
            for day, result in self._pulled(target.days, {}).items():
                if not result.outcome.publishes:
                    self.troubles.append(f"{day} did not land: {result.error and result.error.line}")
            kept = self.folder.with_name(f"{self.folder.name}_landed")
            shutil.copytree(self.folder, kept)
            self.landed[target.name] = (kept, self._bought())
        else:
            shutil.copytree(self.landed[target.name][0], self.folder, dirs_exist_ok=True)
        return self.landed[target.name][1]

    def _pulled(self, days: Sequence[date], settings: Mapping[str, Any]) -> dict[date, DayResult]:
        """How `days` ended in a run of their own; what it says and connects to is judged."""
        target = self.case.target
        clock = SandboxClock(self.sandbox)
        database = open_database(None, self.folder, lock_seconds=2)
        pace = RateLimits(database).pace(clock)
        account = target.account(self.sandbox)
        client = target.resource(**{**account, "poll_seconds": 5, **target.settings, **settings}).client(clock, pace)
        scratch = self.folder / "spool"
        scratch.mkdir(exist_ok=True)
        said: list[str] = []
        context = PullContext(
            provider=client,
            ledger=Ledger(database),
            data=open_store(str(self.folder / "data"), scratch=scratch),
            raw=open_store(str(self.folder / "raw"), scratch=scratch, private=True),
            scratch=scratch,
            clock=clock,
            run="run",
            log=said.append,
        )
        heard = Heard()
        logging.getLogger().addHandler(heard)
        logging.getLogger("urllib3").setLevel(logging.DEBUG)
        results: dict[date, DayResult] = {}
        reached: list[Any] = []
        try:
            with connections() as reached:
                for result in pull(context, target.report, days):
                    if result.day in results:
                        self.troubles.append(f"{result.day} ended twice")
                    results[result.day] = result
        except Exception as error:  # noqa: BLE001 - whatever escapes is what is looked for
            self.troubles.append(f"{type(error).__name__} escaped: {error}")
        finally:
            logging.getLogger("urllib3").setLevel(logging.NOTSET)
            logging.getLogger().removeHandler(heard)
            client.close()
            database.close()
        lines = [result.error.line for result in results.values() if result.error is not None]
        self._judge(lines, [*said, *heard.lines])
        host, _, port = self.sandbox.url.removeprefix("http://").partition(":")
        elsewhere = {address for address in reached if address[:2] != (host, int(port))}
        if not reached:
            self.troubles.append("nothing was heard of any connection")
        if elsewhere:
            self.troubles.append(f"connected to {sorted(map(str, elsewhere))}")
        return results

    def _judge(self, lines: Sequence[str], logged: Sequence[str]) -> None:
        """Lines of days are one line each, and neither they nor what was logged tell what is not to be told."""
        for line in lines:
            if "\n" in line or not line.strip() or len(line) > 1000:
                self.troubles.append(f"no single line: {line!r}")
            if "Traceback" in line or re.search(r"[?&][\w-]+=|\w+://[^\s,]*/\w", line):
                self.troubles.append(f"an address or a trace: {line}")
        if lines and self.case.says and not any(self.case.says in line for line in lines):
            self.troubles.append(f"does not say {self.case.says!r}: {lines[0]}")
        secrets = self._secrets()
        for line in (*lines, *logged):
            for secret in secrets:
                if secret in line:
                    self.troubles.append(f"shows {secret[:4]}…: {line.replace(secret, '…')[:300]}")
        self.lines += lines

    def _secrets(self) -> set[str]:
        """Credentials, tokens and signatures that were in use, and the personal values of the days."""
        target, sandbox = self.case.target, self.sandbox
        found = set(target.account(sandbox).values()) - {
            target.account(sandbox)["base_url"],
            target.account(sandbox).get("integration_id", ""),
        }
        for entry in sandbox.log.entries():
            found.add(entry.headers.get("authorization", "").removeprefix("Bearer "))
            for address in (entry.query, entry.facts.get("url", "")):
                found |= set(re.findall(r"Signature=([^&\s]+)", address))
        personal = [column for column in target.report.columns if column.personal]
        for day in target.days:
            for row in sandbox.truth(target.report.key, day) if personal else ():
                found |= {row.get(column.header, "") for column in personal}
        return {secret for secret in found if len(secret) > 8}

    def _compare(self, day: date) -> None:
        found = self._losses(day)
        self._found += found
        if found != Losses():
            self.troubles.append(f"{day}: {found}")

    def _losses(self, day: date) -> Losses:
        report = self.case.target.report
        store = open_store(str(self.folder / "data"), scratch=self.folder)
        return losses(expected_rows(self.sandbox, report, day), landed_rows(store, report, day))

    def _bytes(self, day: date) -> bytes:
        return (self.folder / "data" / self.case.target.report.file(day)).read_bytes()

    def _bought(self) -> int:
        target = self.case.target
        return sum(target.bought(entry) for entry in self.sandbox.log.entries(target.ask))

    def _look_around(self) -> None:
        """No file is left on its way."""
        left = [
            path.relative_to(self.folder)
            for place in ("spool", "data/.staging", "raw/.staging")
            for path in (self.folder / place).rglob("*")
            if path.is_file()
        ]
        left += [path.relative_to(self.folder) for path in self.folder.rglob("*.part")]
        if left:
            self.troubles.append(f"left behind: {sorted(map(str, left))}")

    def _row(self, outcome: str, extra: int) -> Row:
        case = self.case
        return Row(
            fault=case.name,
            outcome=outcome,
            losses=self._found,
            extra=extra,
            allowed=case.extra,
            why=case.why,
            trouble="; ".join(self.troubles),
        )


def _outcome(results: Mapping[date, DayResult]) -> str:
    return "/".join(sorted({str(result.outcome) for result in results.values()})) or "nothing"
