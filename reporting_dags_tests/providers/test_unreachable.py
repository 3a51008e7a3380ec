"""A host that cannot be reached: named within seconds with its variable, or waited for where it has answered before."""

import contextlib
import socket
from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
import urllib3.util.connection

from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report
from reporting_dags.providers.http.client import HttpClient
from reporting_dags.providers.http.download import AllowedOrigins, Downloads
from reporting_dags.providers.http.errors import Unavailable
from reporting_dags.providers.http.limits import Limits
from reporting_dags.providers.http.redaction import Redactor
from reporting_dags.providers.resource import ProviderResource
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags.reports.dt_user_level import REVENUE
from reporting_dags.reports.integr8 import CLICKS, OFFERS
from reporting_dags.reports.mintegral import OFFER_PERFORMANCE
from reporting_dags.reports.orangeclick import EARNINGS
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import SandboxClock
from reporting_dags_tests.pulling import BenchOf, brought, landed, line_of

NEWEST = date(2026, 11, 18)
SHORT = Limits(connect_seconds=0.3, silence_seconds=0.3)
VARIABLES = {
    "dt_offer_wall": "DT_BASE_URL",
    "dt_user_level": "DT_BASE_URL",
    "mintegral": "MINTEGRAL_BASE_URL",
    "orangeclick": "ORANGECLICK_BASE_URL",
    "integr8": "INTEGR8_BASE_URL",
}
REPORTS = [EVENT, REVENUE, OFFER_PERFORMANCE, EARNINGS, CLICKS, OFFERS]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def silent() -> Generator[socket.socket]:
    """A socket that takes connections, and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        listening.setblocking(False)
        yield listening


@pytest.fixture
def closed() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def connections(listening: socket.socket) -> int:
    """How many connections were made since the last count."""
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            listening.accept()[0].close()
            count += 1
    return count


def days_of(report: Report, count: int = 1) -> list[date]:
    return [NEWEST - timedelta(days=n) for n in range(count)] if report.partitioned else [date(1970, 1, 1)]


def lines(bench_of: BenchOf, report: Report, days: list[date], url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The one line with which every one of `days` failed."""
    monkeypatch.setenv(VARIABLES[report.provider], url)
    monkeypatch.setattr(ProviderResource, "limits", SHORT)
    context = bench_of(report.provider)
    (line,) = {line_of(result, Outcome.FAILED, ["api/v1", "key"]) for result in brought(context, report, days).values()}
    return line


def waited(clock: SandboxClock) -> float:
    """Seconds."""
    return sum(max(seconds, 0) for seconds in clock.slept)


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.key)
@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("closed", "at 127.0.0.1 did not respond (port {port}: connection refused)"),
        ("unknown", "at no-such-host.invalid did not respond (name not found)"),
        ("silent", "at 127.0.0.1 did not respond (port {port}: timed out)"),
        ("silent tls", "at 127.0.0.1 did not respond (port {port}: timeout: no connection)"),
        ("plain", "at 127.0.0.1 did not respond (port {port}: TLS failure: "),
    ],
)
def test_a_host_that_never_answers_fails_in_seconds_with_its_variable(
    bench_of: BenchOf,
    clock: SandboxClock,
    sandbox: Sandbox,
    silent: socket.socket,
    closed: int,
    monkeypatch: pytest.MonkeyPatch,
    report: Report,
    kind: str,
    text: str,
) -> None:
    ports = {"closed": closed, "unknown": 80, "plain": int(sandbox.url.rpartition(":")[2])}
    port = ports.get(kind, silent.getsockname()[1])
    host = "no-such-host.invalid" if kind == "unknown" else f"127.0.0.1:{port}"
    scheme = "https" if kind in {"silent tls", "plain"} else "http"
    # Several jobs where a request covers few days: the run fails in seconds all the same.
    days = days_of(report, 8)
    line = lines(bench_of, report, days, f"{scheme}://{host}/api/v1?key=hidden", monkeypatch)
    assert text.format(port=port) in line
    assert line.endswith(f"Fix: check {VARIABLES[report.provider]} and this machine's network.")
    # An export that a silent host may have accepted is looked for once.
    assert waited(clock) <= 5 + 1
    assert connections(silent) == kind.startswith("silent"), "a timeout is one long try"


@pytest.mark.parametrize("count", [1, 10])
def test_a_dead_host_costs_no_counted_call(
    bench_of: BenchOf, closed: int, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setenv("INTEGR8_BASE_URL", f"http://127.0.0.1:{closed}/api/v2")
    context = bench_of("integr8")
    brought(context, CLICKS, days_of(CLICKS, count))
    assert context.ledger.quotas.count(report=CLICKS.key) == 0


def test_a_call_that_a_silent_host_may_have_counted_stays_counted(
    bench_of: BenchOf, silent: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines(bench_of, CLICKS, [NEWEST], f"http://127.0.0.1:{silent.getsockname()[1]}", monkeypatch)
    assert bench_of("integr8").ledger.quotas.count(report=CLICKS.key) == 1


def test_a_proxy_that_is_not_there_is_named(
    bench_of: BenchOf, clock: SandboxClock, closed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed}")
    monkeypatch.setenv("NO_PROXY", "")
    line = lines(bench_of, EVENT, days_of(EVENT), "http://reports.invalid", monkeypatch)
    assert "did not respond (the proxy failed: connection refused)" in line
    assert line.endswith("Fix: check HTTP_PROXY and HTTPS_PROXY.")
    assert waited(clock) <= 2


class _Ok(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""


class _Busy(_Ok):
    status = 503


@pytest.fixture
def host() -> Generator[Callable[..., HTTPServer]]:
    """Starts a small server."""
    servers: list[HTTPServer] = []

    def start(handler: type[_Ok] = _Ok, port: int = 0) -> HTTPServer:
        servers.append(HTTPServer(("127.0.0.1", port), handler))
        Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def http_of(server: HTTPServer, clock: SandboxClock) -> HttpClient:
    url = f"http://127.0.0.1:{server.server_port}"
    return HttpClient(
        name="some network", base_url=url, redactor=Redactor(), clock=clock, first_delay=5.0, limits=SHORT
    )


@pytest.mark.parametrize("handler", [_Ok, _Busy])
def test_a_host_that_has_answered_and_goes_away_is_tried_with_patience(
    host: Callable[..., HTTPServer], clock: SandboxClock, handler: type[_Ok]
) -> None:
    server = host(handler)
    http = http_of(server, clock)
    with contextlib.suppress(Unavailable):
        http.call("GET", "/")
    server.shutdown()
    server.server_close()
    http.close()
    clock.slept.clear()
    with pytest.raises(Unavailable, match="Fix: materialize the day again later") as caught:
        http.call("GET", "/")
    assert not caught.value.unreachable
    assert len(clock.slept) == 3
    assert waited(clock) >= 30


def test_server_errors_of_a_first_call_are_tried_with_patience(
    host: Callable[..., HTTPServer], clock: SandboxClock
) -> None:
    with pytest.raises(Unavailable, match="503"):
        http_of(host(_Busy), clock).call("GET", "/")
    assert len(clock.slept) == 3


def test_a_host_that_comes_up_is_tried_again_after_half_a_minute(
    host: Callable[..., HTTPServer], clock: SandboxClock
) -> None:
    server = host()
    server.shutdown()
    server.server_close()
    http = http_of(server, clock)
    with pytest.raises(Unavailable):
        http.call("GET", "/")
    host(port=server.server_port)
    with pytest.raises(Unavailable, match="connection refused"):
        http.call("GET", "/")
    clock.sleep(31)
    assert http.call("GET", "/").status == 200


def test_a_job_in_flight_outlasts_a_network_failure_of_a_minute(
    bench_of: BenchOf, clock: SandboxClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = replace(bench_of("mintegral"), waits=False)
    brought(waiting, OFFER_PERFORMANCE, [NEWEST])
    connect, up_at, refused = (
        urllib3.util.connection.create_connection,
        clock.now() + timedelta(seconds=60),
        list[int](),
    )

    def down(*args: Any, **kwargs: Any) -> socket.socket:
        if clock.now() < up_at:
            refused.append(1)
            raise ConnectionRefusedError
        return connect(*args, **kwargs)

    monkeypatch.setattr(urllib3.util.connection, "create_connection", down)
    landed(bench_of("mintegral"), OFFER_PERFORMANCE, [NEWEST])
    assert refused


def test_a_job_in_flight_stays_open_when_its_host_is_never_reached(
    bench_of: BenchOf, clock: SandboxClock, closed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = bench_of("mintegral")
    brought(replace(context, waits=False), OFFER_PERFORMANCE, [NEWEST])
    line = lines(bench_of, OFFER_PERFORMANCE, [NEWEST], f"http://127.0.0.1:{closed}", monkeypatch)
    assert "connection refused" in line
    assert "MINTEGRAL_BASE_URL" in line
    assert 60 < waited(clock) < 300
    assert len(context.ledger.leases.open_jobs(OFFER_PERFORMANCE.key)) == 1


@pytest.mark.rule("DT4")
def test_a_download_host_that_cannot_be_reached_is_named_and_its_job_stays_open(
    bench_of: BenchOf, clock: SandboxClock, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reporting_dags.providers.digital_turbine.client.FILE_HOSTS", (".invalid",))
    url = "https://no-such-host.invalid/f.csv?X-Amz-Signature=abc"
    sandbox.faults.add("dt.report", do="bad_url", url=url)
    logged: list[str] = []
    context = bench_of("dt_offer_wall", log=logged.append)
    line = line_of(brought(context, EVENT, [NEWEST])[NEWEST], Outcome.FAILED, ["Signature", "f.csv"])
    message = "the file of DT Offer Wall at no-such-host.invalid did not respond (name not found)"
    assert line == f"{message}. Fix: check that this machine can reach no-such-host.invalid."
    assert "BASE_URL" not in line
    assert any(message in text for text in logged), "the first poll says so already"
    assert 60 < waited(clock) < 300
    assert len(context.ledger.leases.open_jobs(EVENT.key)) == 1


@pytest.mark.parametrize("kind", ["closed", "silent"])
def test_the_address_of_a_file_stays_out_of_the_message(silent: socket.socket, closed: int, kind: str) -> None:
    port = closed if kind == "closed" else silent.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    downloads = Downloads(name="some network", allowed=AllowedOrigins(base_url=base), limits=SHORT)
    with pytest.raises(Unavailable) as caught, downloads.open(f"{base}/f.csv?X-Amz-Signature=abc"):
        pass
    words = {"closed": "connection refused", "silent": "timed out"}
    assert caught.value.message == f"the file of some network at 127.0.0.1 did not respond ({words[kind]})"
    assert caught.value.unreachable


def test_a_download_host_that_has_answered_is_tried_with_patience(host: Callable[..., HTTPServer]) -> None:
    server = host()
    base = f"http://127.0.0.1:{server.server_port}"
    downloads = Downloads(name="some network", allowed=AllowedOrigins(base_url=base), limits=SHORT)
    with downloads.open(base) as body:
        assert body.status == 200
    server.shutdown()
    server.server_close()
    downloads.close()
    with pytest.raises(Unavailable) as caught, downloads.open(base):
        pass
    assert not caught.value.unreachable
