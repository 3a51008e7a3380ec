"""What every provider must do, as tests that its test class inherits.

Each test pulls days of one report through the ledger, the landing and the stores of production, from a real HTTP server
that emulates the API. So a provider needs no test of its own for refusals, redirects, truncated responses, secrets in
messages, clock skew, counted calls, days without rows, restatements and killed runs.
"""

import logging
import os
import re
import shutil
import signal
import threading
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reporting_dags.jobs.ledger.database import open_database
from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.ledger.rate_limit import RateLimits
from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.pulling.pull import pull
from reporting_dags.jobs.pulling.result import DayResult
from reporting_dags.landing.storage.store import open_store
from reporting_dags.model.clock import Clock
from reporting_dags.model.days import ONE_DAY
from reporting_dags.model.errors import ReportingError, SettingError
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report
from reporting_dags.reports.registry import RegisteredProvider
from reporting_dags.testing.api_server import ApiServer, Call, Reply, api_server

_SKEW = timedelta(hours=3)
_MAX_LINE = 1000
_CLIENT = {"poll_seconds": 5, "job_timeout_seconds": 60, "silence_seconds": 5}
_REFUSALS: Mapping[str, Reply] = {
    "200, a JSON error": Reply.of_json({"error": {"code": "no_access", "message": "no access"}}),
    "200, a JSON message": Reply.of_json({"status": "error", "message": "no access"}),
    "200, a web page": Reply(body=b"<!doctype html><html><body>Sign in</body></html>"),
    "200, no body": Reply(),
    "200, null": Reply(body=b"null"),
    **{f"{status}": Reply.of_json({"message": "no access"}, status) for status in (400, 401, 403, 404, 422, 429, 503)},
}


class Data(StrEnum):
    """The data that the API has for every day: the rows change from `FIRST` to `RESTATED`, and `EMPTY` has none."""

    FIRST = "first"
    RESTATED = "restated"
    EMPTY = "empty"


class ManualClock:
    """A clock that stands still until something sleeps."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        """Return the time of the clock."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Move the clock on, at once."""
        self._now += timedelta(seconds=seconds)


@dataclass(slots=True)
class _Run:
    """A run that has ended: its result for each day, and how many calls the server and the ledger counted."""

    results: Mapping[date, DayResult]
    calls: Sequence[Call]
    counted: int
    skew: timedelta


class ProviderContract:
    """The tests of one report of a provider. A subclass, whose name begins with `Test`, says what its API replies.

    Attributes:
        provider: the registered provider.
        report: the report that is pulled.
        settings: the fields of the resource that it needs, such as the credentials, but not `base_url`.
        secrets: the values in `settings` that must appear nowhere.
        base_path: path of the base URL on the server, such as `/api/v1`.
        now: the time of all tests.
        max_range: maximum number of days that the tests pull at once.
    """

    provider: ClassVar[RegisteredProvider]
    report: ClassVar[Report]
    settings: Mapping[str, Any]
    secrets: Sequence[str]
    base_path: str = ""
    now: ClassVar[datetime] = datetime(2026, 11, 20, 18, tzinfo=UTC)
    max_range: ClassVar[int] = 100

    # What a subclass defines.

    def reply(self, call: Call, data: Data) -> Reply:
        """Return what the API replies to `call` if it has `data`.

        Like the API, it refuses credentials other than those of `settings`, and windows that are too long.
        """
        raise NotImplementedError

    def rows(self, day: date, data: Data) -> int:
        """Return the number of rows that `day` has."""
        raise NotImplementedError

    def is_counted(self, call: Call, earlier: Sequence[Call]) -> bool:
        """Return whether the provider counts `call` against a quota or as a request; every call, unless overridden.

        Args:
            call: the call.
            earlier: the calls before it.
        """
        return True

    def make_clock(self) -> Clock:
        """Return the clock of a test."""
        return ManualClock(self.now)

    def api(self) -> AbstractContextManager[None]:
        """Return what must run for the duration of a test so that `reply` works; nothing, unless overridden."""
        return nullcontext()

    def show(self, data: Data) -> None:
        """Let the API have `data` from now on; `reply` is called with it."""
        self._data = data

    def forget(self) -> None:
        """Let the API forget all calls, and so all jobs and quotas; nothing, unless `reply` remembers them."""

    # Setup and helpers of the tests.

    @pytest.fixture(autouse=True)
    def _setup(self, tmp_path: Path) -> Generator[None]:
        self._folder = tmp_path / "instance"
        self._folder.mkdir()
        self._data = Data.FIRST
        self._behind = timedelta()
        self._respond: Callable[[Call, int], Reply] = self._complete

        def respond(call: Call, number: int) -> Reply:
            return self._respond(call, number)

        with self.api():
            self._clock = self.make_clock()
            with api_server(respond, self._server_time) as server:
                self._server = server
                yield
        assert not server.errors, f"reply() raised: {server.errors[0]!r}"

    def _server_time(self) -> datetime:
        return self._clock.now() - self._behind

    def _complete(self, call: Call, number: int) -> Reply:
        return self.reply(call, self._data)

    @property
    def url(self) -> str:
        """The address of the server."""
        return self._server.url

    @property
    def calls(self) -> Sequence[Call]:
        """The calls so far; in `reply`, the last one is the call that it replies to."""
        return self._server.calls

    @property
    def newest(self) -> date:
        """The latest day that the provider has published."""
        return self.report.calendar.latest_available(self.now)

    def pull(self, *days: date, report: Report | None = None) -> _Run:
        """Pull `days` in a run of their own; check every line and every file for secrets.

        Args:
            days: the days; the newest one if there are none.
            report: the report, if it is another one.
        """
        first = len(self._server.calls)
        log = _Log()
        logging.getLogger().addHandler(log)
        urllib3 = logging.getLogger("urllib3")
        level = urllib3.level
        urllib3.setLevel(logging.DEBUG)
        try:
            results, counted, skew = self._pull(report or self.report, days or (self.newest,), log.lines.append)
        finally:
            urllib3.setLevel(level)
            logging.getLogger().removeHandler(log)
        self._check_lines([result.error.line for result in results.values() if result.error], log.lines)
        self._check_files()
        return _Run(results, self._server.calls[first:], counted, skew)

    def _pull(
        self, report: Report, days: Sequence[date], log: Callable[[str], None]
    ) -> tuple[dict[date, DayResult], int, timedelta]:
        scratch = self._folder / "spool"
        scratch.mkdir(exist_ok=True)
        with closing(open_database(None, self._folder, lock_seconds=30)) as database:
            resource = self.provider.resource(base_url=self._server.url + self.base_path, **_CLIENT, **self.settings)
            ledger = Ledger(database)
            with closing(resource.client(self._clock, RateLimits(database).pace(self._clock))) as client:
                context = PullContext(
                    provider=client,
                    ledger=ledger,
                    data=open_store(str(self._folder / "data"), scratch=scratch),
                    raw=open_store(str(self._folder / "raw"), scratch=scratch, private=True),
                    scratch=scratch,
                    clock=self._clock,
                    run="contract",
                    log=log,
                )
                before = ledger.quotas.count()
                results = {result.day: result for result in pull(context, report, days)}
                return results, ledger.quotas.count() - before, client.clock_skew

    def _check_lines(self, lines: Sequence[str], logged: Sequence[str]) -> None:
        for line in lines:
            assert line.strip(), "an error without a text"
            assert "\n" not in line, f"more than one line: {line}"
            assert len(line) <= _MAX_LINE, f"a line of {len(line)} characters"
            assert not re.search(r"\w://[^\s,]*[?@]", line), f"an address with a query or credentials: {line}"
        for line in (*lines, *logged):
            for secret in self.secrets:
                assert secret not in line, f"a secret is in: {line.replace(secret, '***')}"

    def _check_files(self) -> None:
        """Raw responses are not looked at: they are kept as they came, and are private."""
        for path in self._folder.rglob("*"):
            if path.is_file() and self._folder / "raw" not in path.parents:
                content = path.read_bytes()
                for secret in self.secrets:
                    assert secret.encode() not in content, f"a secret is in {path.name}"

    def table(self, day: date, report: Report | None = None) -> pa.Table | None:
        """Return the published rows of `day` in an order of their own; None if the partition is absent."""
        path = self._folder / "data" / (report or self.report).file(day)
        if not path.exists():
            return None
        with path.open("rb") as file:
            table = pq.read_table(file)
        texts = list(map(repr, table.to_pylist()))
        return table.take(pa.array(sorted(range(table.num_rows), key=texts.__getitem__), pa.int64()))

    def _rows(self, *days: date) -> list[int | None]:
        tables = [self.table(day) for day in days]
        return [None if table is None else table.num_rows for table in tables]

    def _run_without_fault(self) -> tuple[pa.Table, list[Call]]:
        """Return the newest day and the calls of a run without a fault, and leave an empty instance behind."""
        calls = list(self.pull().calls)
        table = self.table(self.newest)
        assert table is not None, "a run without a fault published nothing"
        self._reset()
        return table, calls

    def _reset(self) -> None:
        shutil.rmtree(self._folder)
        self._folder.mkdir()
        self._server.calls.clear()
        self._respond = self._complete
        self.forget()

    def _inject_fault(self, from_call: int, fault: Callable[[Reply], Reply]) -> None:
        def respond(call: Call, number: int) -> Reply:
            reply = self._complete(call, number)
            return fault(reply) if number >= from_call else reply

        self._respond = respond

    def _check_fault(self, what: str, fault: Callable[[Reply], Reply]) -> None:
        """Inject a fault from each call on: the day is absent, with an error, or complete; later runs complete it."""
        truth, calls = self._run_without_fault()
        for number in _distinct_calls(calls):
            self._inject_fault(number, fault)
            result = self.pull().results[self.newest]
            table = self.table(self.newest)
            if table is None:
                assert result.error is not None, f"{what} from call {number} on: no partition, and no error"
            else:
                assert table.equals(truth), f"{what} from call {number} on: published rows that the API did not send"
            self._respond = self._complete
            error = self._complete_in_two_runs()
            table = self.table(self.newest)
            assert table is not None, f"{what} from call {number} on: two more runs published nothing: {error}"
            assert table.equals(truth), f"{what} from call {number} on: the next run published other rows"
            self._reset()

    def _complete_in_two_runs(self) -> ReportingError | None:
        """Pull until the newest day is published; the first run may find out that a stored response is damaged."""
        error = None
        for _ in range(2):
            self._wait()
            error = self.pull().results[self.newest].error
            if error is None:
                break
        return error

    def _wait(self) -> None:
        """Wait for an hour, so that the next run is not the retry of a moment later."""
        self._clock.sleep(3600)

    # The tests.

    def test_a_day_lands_with_every_row(self) -> None:
        run = self.pull()
        assert run.results[self.newest].outcome is Outcome.DATA
        assert self._rows(self.newest) == [self.rows(self.newest, Data.FIRST)]

    def test_a_day_that_is_pulled_again_stays_the_same(self) -> None:
        first = self.pull().results[self.newest].landed
        self._wait()
        second = self.pull().results[self.newest].landed
        assert first is not None
        assert second is not None
        assert first.data_version == second.data_version

    def test_days_that_are_pulled_together_are_those_that_are_pulled_alone(self) -> None:
        days = [self.newest - 2 * ONE_DAY, self.newest - ONE_DAY, self.newest]
        self.pull(*days)
        together = [self.table(day) for day in days]
        self._reset()
        for day, table in zip(days, together, strict=True):
            self._wait()
            self.pull(day)
            assert table is not None, f"{day} is absent"
            alone = self.table(day)
            assert alone is not None, f"{day} is absent if it is pulled alone"
            assert table.equals(alone), f"{day} has other rows if it is pulled alone"

    def test_a_range_that_is_longer_than_one_request_lands(self) -> None:
        calendar = self.report.calendar
        first = max(
            self.newest - min(self.report.window_days, self.max_range - 1) * ONE_DAY,
            calendar.earliest_available(self.now) + ONE_DAY,
        )
        days = [first + number * ONE_DAY for number in range((self.newest - first).days + 1)]
        self.pull(*days)
        assert self._rows(*days) == [self.rows(day, Data.FIRST) for day in days]

    def test_a_day_that_the_provider_does_not_have_costs_no_call(self) -> None:
        calendar = self.report.calendar
        days = [self.newest + ONE_DAY]
        if (earliest := calendar.earliest_available(self.now)) > date.min:
            days.append(earliest - ONE_DAY)
        run = self.pull(*days)
        assert not run.calls
        assert not any(result.outcome.publishes for result in run.results.values())

    @pytest.mark.parametrize("refusal", _REFUSALS)
    def test_a_refusal_publishes_nothing(self, refusal: str) -> None:
        self._check_fault(refusal, lambda reply: _REFUSALS[refusal])

    def test_a_response_that_breaks_off_publishes_nothing(self) -> None:
        self._check_fault("a response that breaks off", lambda reply: replace(reply, is_cut=bool(reply.body)))

    def test_a_connection_that_is_lost_publishes_nothing(self) -> None:
        self._check_fault("a lost connection", lambda reply: replace(reply, is_lost=True))

    def test_a_server_error_that_passes_loses_nothing(self) -> None:
        truth, calls = self._run_without_fault()
        for number in _distinct_calls(calls):

            def respond(call: Call, current: int, failing: int = number) -> Reply:
                return Reply(status=500) if current == failing else self._complete(call, current)

            self._respond = respond
            if not self.pull().results[self.newest].outcome.publishes:
                self._wait()
                self.pull()
            table = self.table(self.newest)
            assert table is not None, f"a server error of call {number}: nothing is published"
            assert table.equals(truth), f"a server error of call {number}: other rows are published"
            self._reset()

    def test_a_redirect_is_not_followed_with_credentials(self) -> None:
        with api_server(lambda call, number: Reply(), self._server_time) as elsewhere:
            redirect = Reply(status=302, headers={"Location": f"{elsewhere.url}/login"})
            self._check_fault("a redirect", lambda reply: redirect)
            for call in elsewhere.calls:
                sent = f"{call.path} {call.query} {call.headers} {call.body!r}"
                assert not any(secret in sent for secret in self.secrets), "credentials were sent to another host"

    def test_a_clock_that_is_ahead_is_noticed(self) -> None:
        self._behind = _SKEW
        assert abs(self.pull().skew - _SKEW) < timedelta(minutes=1)

    def test_every_call_that_the_provider_counts_is_in_the_ledger(self) -> None:
        run = self.pull(self.newest - ONE_DAY, self.newest)
        counted = [call for number, call in enumerate(run.calls) if self.is_counted(call, run.calls[:number])]
        assert counted, "no call is counted: is_counted() says False for each"
        assert run.counted == len(counted), "calls of meter() differ from the calls that the provider counts"

    def test_a_day_without_rows_is_no_day_that_is_missing(self) -> None:
        self.show(Data.EMPTY)
        run = self.pull()
        rows = self._rows(self.newest)
        assert rows in ([0], [None])
        assert (rows == [0]) is (run.results[self.newest].outcome is Outcome.EMPTY)

    def test_a_restated_day_replaces_the_partition(self) -> None:
        self.pull()
        first = self.table(self.newest)
        self.show(Data.RESTATED)
        self._wait()
        run = self.pull()
        second = self.table(self.newest)
        assert run.results[self.newest].outcome is Outcome.DATA
        assert first is not None
        assert second is not None
        assert second.num_rows == self.rows(self.newest, Data.RESTATED)
        assert not second.equals(first), "reply() has the same rows in RESTATED"

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked process")
    def test_a_run_that_is_killed_is_resumed_without_a_second_request(self) -> None:
        truth, calls = self._run_without_fault()
        allowed = self._counted(calls)
        for number in range(len(calls)):
            self._pull_and_die(number)
            died = list(self._server.calls)
            self._respond = self._complete
            self._wait()
            self.pull()
            table = self.table(self.newest)
            assert table is not None, f"killed in call {number}: the next run published nothing"
            assert table.equals(truth), f"killed in call {number}: the next run published other rows"
            # It is unknown whether the call in which a run died was carried out.
            lost = self._counted(died) - self._counted(died[:-1])
            assert self._counted(self._server.calls) <= allowed + lost, f"killed in call {number}: requested twice"
            self._reset()

    def _counted(self, calls: Sequence[Call]) -> int:
        return sum(self.is_counted(call, calls[:number]) for number, call in enumerate(calls))

    def _pull_and_die(self, number: int) -> None:
        """Pull the newest day in a process that is killed while it waits for the reply to call `number`."""
        reached, over = threading.Event(), threading.Event()

        def respond(call: Call, current: int) -> Reply:
            if current < number:
                return self._complete(call, current)
            reached.set()
            over.wait(30)
            return Reply(status=500)

        self._respond = respond
        with warnings.catch_warnings():
            # The threads of this process are the server's; the child does not use them.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            try:
                self._pull(self.report, (self.newest,), lambda line: None)
            finally:
                os._exit(0)
        try:
            assert reached.wait(30), f"call {number} was never made"
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            over.set()

    def test_a_setting_that_is_missing_is_named_in_one_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in [name for name in os.environ if name.startswith(f"{self.provider.resource.variable_prefix}_")]:
            monkeypatch.delenv(name)
        assert not self.provider.resource().is_configured
        with pytest.raises(SettingError) as caught:
            self.provider.resource().client(self._clock)
        assert "\n" not in caught.value.line
        assert f"{self.provider.resource.variable_prefix}_" in caught.value.line


def _distinct_calls(calls: Sequence[Call]) -> list[int]:
    """Return the numbers of the first call to each address, and of the last call."""
    first = {(call.method, call.path): number for number, call in reversed(list(enumerate(calls)))}
    return sorted({*first.values(), len(calls) - 1})


class _Log(logging.Handler):
    """Keeps every line that is logged."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line."""
        self.lines.append(record.getMessage())


__all__ = ["ApiServer", "Call", "Data", "ManualClock", "ProviderContract", "Reply", "api_server"]
