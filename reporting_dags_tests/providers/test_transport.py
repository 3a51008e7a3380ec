"""The shared HTTP way: retries, redirects, downloads whole or nothing, and no credential where none belongs."""

import contextlib
import gzip
import logging
from collections.abc import Callable, Generator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from reporting_dags.model.errors import Denied, Failed, Partial, ReportingError
from reporting_dags.providers.api import Ready
from reporting_dags.providers.digital_turbine.offer_wall import OfferWall
from reporting_dags.providers.digital_turbine.resource import OfferWallResource
from reporting_dags.providers.http.download import AllowedOrigins, Downloads
from reporting_dags.providers.http.errors import Unavailable
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import SandboxClock
from reporting_dags_tests.providers.test_offer_wall import REQUEST, read, submit


@pytest.mark.parametrize("fault", ["cut", "cut_chunked", "cut_close", "gzip_cut"])
def test_a_file_that_breaks_off_is_partial_and_never_whole(sandbox: Sandbox, offer_wall: OfferWall, fault: str) -> None:
    handle = submit(offer_wall)
    sandbox.faults.add("dt.file", do=fault)
    with pytest.raises(Partial):
        read(offer_wall, handle)
    assert read(offer_wall, handle), "the same address serves again"


def test_a_gzip_file_is_unpacked(sandbox: Sandbox, offer_wall: OfferWall) -> None:
    handle = submit(offer_wall)
    plain = read(offer_wall, handle)
    sandbox.faults.add("dt.file", do="gzip")
    assert read(offer_wall, handle) == plain


def test_credentials_never_reach_the_files_address(sandbox: Sandbox, offer_wall: OfferWall) -> None:
    handle = submit(offer_wall)
    offer_wall.poll(EVENT, REQUEST, handle)
    read(offer_wall, handle)
    for entry in sandbox.log.entries("dt.file"):
        assert "authorization" not in entry.headers
        assert "cookie" not in entry.headers


@pytest.mark.parametrize(
    "url",
    [
        "http://evil.example/f.csv?X-Amz-Signature=abc",
        "https://evil.example/f.csv",
        "https://bucket.s3.amazonaws.com.evil.example/f.csv",
        "http://bucket.s3.amazonaws.com/f.csv",
        "https://bucket.s3.amazonaws.com:8443/f.csv",
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data",
        r"http://127.0.0.1:9\@{base}/f.csv",
        r"https://127.0.0.1:9\@bucket.s3.amazonaws.com/f.csv",
        "http://127.0.0.1:9\t@{base}/f.csv",
        "http://user:word@{base}/f.csv",
        "http://{base} /f.csv",
    ],
)
def test_a_download_address_elsewhere_is_refused_unasked(sandbox: Sandbox, offer_wall: OfferWall, url: str) -> None:
    sandbox.faults.add("dt.report", do="bad_url", url=url.replace("{base}", sandbox.url.removeprefix("http://")))
    with pytest.raises(Failed, match=r"not followed") as caught:
        submit(offer_wall)
    assert "Signature" not in caught.value.line


def test_a_redirect_of_an_api_call_is_not_followed_with_credentials(sandbox: Sandbox, offer_wall: OfferWall) -> None:
    sandbox.faults.add("dt.report", do="redirect", to=f"{sandbox.url}/elsewhere")
    with pytest.raises(Failed, match="redirect"):
        submit(offer_wall)
    assert not [entry for entry in sandbox.log.entries() if entry.path == "/elsewhere"]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_transient_answers_are_tried_again_after_retry_after(
    sandbox: Sandbox, offer_wall: OfferWall, clock: SandboxClock, status: int
) -> None:
    sandbox.faults.add("dt.report", do="status", status=status, headers={"Retry-After": "7"}, times=1)
    submit(offer_wall)
    assert 7.0 in clock.slept


def test_retry_after_as_a_date_is_obeyed(sandbox: Sandbox, offer_wall: OfferWall, clock: SandboxClock) -> None:
    past = "Wed, 21 Oct 2015 07:28:00 GMT"
    sandbox.faults.add("dt.report", do="status", status=503, headers={"Retry-After": past}, times=1)
    submit(offer_wall)
    assert clock.slept == [0.0]


@pytest.mark.parametrize("wait", ["86400", "1000000000000"])
def test_a_retry_after_beyond_reason_ends_the_call_at_once(
    sandbox: Sandbox, offer_wall: OfferWall, clock: SandboxClock, wait: str
) -> None:
    sandbox.faults.add("dt.report", do="status", status=503, headers={"Retry-After": wait}, times=1)
    with pytest.raises(Unavailable):
        submit(offer_wall)
    assert clock.slept == []


def test_a_query_whose_answer_was_lost_is_repeated_once_because_it_may_have_counted(
    sandbox: Sandbox, offer_wall: OfferWall, clock: SandboxClock
) -> None:
    sandbox.faults.add("dt.report", do="reset", times=1)
    submit(offer_wall)
    assert len(clock.slept) == 1
    assert clock.slept[0] >= 5
    sandbox.faults.add("dt.report", do="reset", times=None)
    sandbox.log.clear()
    with pytest.raises(Unavailable):
        submit(offer_wall)
    assert sandbox.log.count("dt.report") == 2


@pytest.mark.parametrize("wait", ["9" * 5000, "Wed, 21 Oct 99999 07:28:00 GMT", "soon", "-5", "1e9"])
def test_a_malformed_retry_after_counts_as_none(
    sandbox: Sandbox, offer_wall: OfferWall, clock: SandboxClock, wait: str
) -> None:
    sandbox.faults.add("dt.report", do="status", status=503, headers={"Retry-After": wait}, times=1)
    submit(offer_wall)
    assert len(clock.slept) == 1


@pytest.mark.parametrize(("status", "kind"), [(403, Denied), (404, Failed), (418, Failed)])
def test_other_refusals_are_not_tried_again(
    sandbox: Sandbox, offer_wall: OfferWall, status: int, kind: type[ReportingError]
) -> None:
    sandbox.faults.add("dt.report", do="status", status=status, body="no", times=None)
    with pytest.raises(kind):
        submit(offer_wall)
    assert sandbox.log.count("dt.report") == 1


def test_a_provider_that_is_not_there_is_unavailable_without_its_address(clock: SandboxClock) -> None:
    resource = OfferWallResource(base_url="http://127.0.0.1:9", client_id="some-client", client_secret="secret-x")
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1 did not respond"):
        submit(resource.client(clock))


def test_the_url_of_an_error_stays_out_of_its_chain(
    sandbox: Sandbox, offer_wall: OfferWall, clock: Callable[[], None]
) -> None:
    handle = submit(offer_wall)
    sandbox.faults.add("dt.file", do="reset", times=None)
    with pytest.raises(ReportingError) as caught:
        offer_wall.poll(EVENT, REQUEST, handle)
    assert caught.value.__suppress_context__
    assert "Signature" not in str(caught.value)


def test_netrc_and_cookies_add_nothing_to_a_request(
    sandbox: Sandbox, offer_wall: OfferWall, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password hush\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    sandbox.faults.add("dt.file", do="status", status=404, headers={"Set-Cookie": "session=1; Path=/"})
    handle = submit(offer_wall)
    offer_wall.poll(EVENT, REQUEST, handle)
    assert isinstance(offer_wall.poll(EVENT, REQUEST, handle), Ready)
    for entry in sandbox.log.entries("dt.file"):
        assert "authorization" not in entry.headers
        assert "cookie" not in entry.headers
    assert sandbox.log.entries("dt.token")[0].headers.get("authorization") is None


def test_urllib3s_debug_log_shows_no_query(
    sandbox: Sandbox, offer_wall: OfferWall, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        read(offer_wall, submit(offer_wall))
    told = [record.getMessage() for record in caplog.records if record.name.startswith("urllib3")]
    assert any("GET" in line for line in told)
    assert not [line for line in told if "Signature" in line]


@pytest.fixture
def unpacking() -> Generator[Callable[[bytes], Downloads]]:
    """A server whose one response is the given bytes, as gzip."""
    servers: list[HTTPServer] = []

    def serve(packed: bytes) -> Downloads:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Encoding", "gzip")
                self.send_header("Content-Length", str(len(packed)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(packed)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Nothing."""

        server = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        Thread(target=server.serve_forever, daemon=True).start()
        allowed = AllowedOrigins(base_url=f"http://127.0.0.1:{server.server_port}")
        return Downloads(name="some network", allowed=allowed)

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def fetched(downloads: Downloads) -> int:
    with downloads.open(downloads.allowed.base_url) as body:
        return sum(len(chunk) for chunk in body.chunks())


def test_gzip_in_members_is_unpacked_whole(unpacking: Callable[[bytes], Downloads]) -> None:
    assert fetched(unpacking(gzip.compress(b"a" * 1000) + gzip.compress(b"b" * 500))) == 1500


def test_gzip_that_unpacks_beyond_reason_is_refused(unpacking: Callable[[bytes], Downloads]) -> None:
    bomb = gzip.compress(bytes(300 * 1024 * 1024), compresslevel=9)
    with pytest.raises(Failed, match="decompresses to more than"):
        fetched(unpacking(bomb))


@pytest.mark.parametrize("harm", ["cut", "garbage behind", "damaged"])
def test_gzip_that_is_not_whole_is_partial(unpacking: Callable[[bytes], Downloads], harm: str) -> None:
    packed = gzip.compress(b"some rows" * 1000)
    harmed = {"cut": packed[:-4], "garbage behind": packed + b"xx", "damaged": packed[:-6] + b"xxxxxx"}[harm]
    with pytest.raises(Partial, match="gzip"):
        fetched(unpacking(harmed))
