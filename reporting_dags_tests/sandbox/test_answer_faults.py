import http.client
import zlib
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.sandbox.client import Client, get, query, rows


def raw_get(url: str) -> http.client.HTTPResponse:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    connection.request("GET", f"{parts.path}?{parts.query}")
    return connection.getresponse()


def test_status_strikes_after_so_many_and_so_many_times(client: Client) -> None:
    client.sandbox.faults.add(
        "dt.report", do="status", status=503, times=2, after=1, headers={"Retry-After": "1"}, body="busy"
    )
    answers = [client.ask(query()) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 503, 503, 200]
    assert answers[1].headers["Retry-After"] == "1"
    assert answers[1].text == "busy"
    assert client.sandbox.log.count("dt.report", fault="status") == 2


def test_a_status_can_carry_json(client: Client) -> None:
    client.sandbox.faults.add("dt.token", do="status", status=500, body={"error": "internal_server_error"})
    assert client.ask_token().json() == {"error": "internal_server_error"}
    assert client.ask_token().status_code == 200


def test_an_answer_can_be_lost_before_or_after_the_request_took_effect(client: Client) -> None:
    client.sandbox.settings.change("dt", daily_queries=1)
    client.sandbox.faults.add("dt.report", do="status", status=502)
    assert client.ask(query()).status_code == 502
    client.sandbox.faults.add("dt.report", do="status", status=502, effect=True)
    assert client.ask(query()).status_code == 502
    assert client.ask(query()).status_code == 429


def test_faults_that_fall_together_strike_one_after_another(client: Client) -> None:
    client.sandbox.faults.add("dt.token", do="status", status=500)
    client.sandbox.faults.add("*", do="status", status=503, times=None)
    assert [client.ask_token().status_code for _ in range(3)] == [500, 503, 503]
    assert client.ask(query()).status_code == 503


def test_a_fault_can_be_aimed_at_a_source_and_a_day(client: Client) -> None:
    client.sandbox.faults.add("dt.report", do="status", status=500, times=None, source="event", day="2026-11-12")
    assert client.ask(query(source="performance")).status_code == 200
    assert client.ask(query(end="2026-11-11")).status_code == 200
    assert client.ask(query()).status_code == 500
    assert client.ask({}).status_code == 400
    client.sandbox.faults.clear()
    client.sandbox.faults.add("dt.file", do="empty", times=None, day="2026-11-12")
    assert get(client.url(end="2026-11-11")).content
    assert not get(client.url()).content


def test_a_fault_can_be_taken_back(client: Client) -> None:
    number = client.sandbox.faults.add("dt.token", do="status", status=500, times=None)
    client.sandbox.faults.remove(number)
    assert client.ask_token().status_code == 200


@pytest.mark.parametrize(
    ("point", "do", "parameters"),
    [
        ("dt.other", "html", {}),
        ("dt.token", "other", {}),
        ("dt.token", "never", {}),
        ("dt.report", "expired", {}),
        ("dt.file", "bom", {}),
        ("dt.data", "html", {}),
        ("dt.report", "status", {}),
        ("dt.report", "html", {"colour": "red"}),
        ("*", "bad_url", {"url": "x"}),
    ],
)
def test_a_fault_that_cannot_be_is_an_error(sandbox: Sandbox, point: str, do: str, parameters: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the messages differ
        sandbox.faults.add(point, do=do, **parameters)


def test_reset_breaks_the_connection_and_has_no_status(client: Client) -> None:
    client.sandbox.faults.add("dt.report", do="reset")
    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        client.ask(query())
    assert client.sandbox.log.entries("dt.report")[0].status is None
    assert client.ask(query()).status_code == 200


@pytest.mark.parametrize("at", ["head", "body"])
def test_stall_delays_the_answer(client: Client, at: str) -> None:
    url = client.url()
    client.sandbox.faults.add("dt.file", do="stall", seconds=0.3, at=at)
    start = perf_counter()
    assert rows(get(url))
    assert perf_counter() - start > 0.3


def test_a_stall_outlasts_a_read_timeout(client: Client) -> None:
    url = client.url()
    client.sandbox.faults.add("dt.file", do="stall", seconds=0.5)
    with pytest.raises(requests.ReadTimeout):
        requests.get(url, timeout=0.1)


def test_drip_sends_piece_by_piece(client: Client) -> None:
    url = client.url()
    client.sandbox.faults.add("dt.file", do="drip", pieces=5, pause=0.05)
    start = perf_counter()
    dripped = get(url).content
    assert perf_counter() - start > 0.19
    assert dripped == get(url).content


def test_cut_sends_less_than_it_declares(client: Client) -> None:
    url = client.url()
    whole = get(url).content
    client.sandbox.faults.add("dt.file", do="cut", keep=0.5, times=2)
    with pytest.raises(http.client.IncompleteRead) as cut:
        raw_get(url).read()
    assert cut.value.partial == whole[: len(whole) // 2]
    assert cut.value.expected == len(whole) - len(whole) // 2
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        get(url)
    assert get(url).content == whole


def test_cut_can_keep_a_number_of_bytes(client: Client) -> None:
    url = client.url()
    client.sandbox.faults.add("dt.file", do="cut", keep=10)
    with pytest.raises(http.client.IncompleteRead) as cut:
        raw_get(url).read()
    assert len(cut.value.partial) == 10


def test_cut_chunked_ends_without_the_last_chunk(client: Client) -> None:
    url = client.url()
    client.sandbox.faults.add("dt.file", do="cut_chunked", times=2)
    answer = raw_get(url)
    assert answer.getheader("Transfer-Encoding") == "chunked"
    with pytest.raises(http.client.IncompleteRead):
        answer.read()
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        get(url)


def test_cut_close_looks_whole_but_lacks_rows(client: Client) -> None:
    url = client.url()
    whole = get(url)
    client.sandbox.faults.add("dt.file", do="cut_close", keep=0.5)
    cut = get(url)
    assert "Content-Length" not in cut.headers
    assert cut.headers["Connection"] == "close"
    assert cut.headers["ETag"] == whole.headers["ETag"]
    assert 0 < len(rows(cut)) < len(rows(whole))
    assert whole.content.startswith(cut.content)
    assert cut.content.endswith(b"\n")


def test_html_is_a_200_with_a_page(client: Client) -> None:
    client.sandbox.faults.add("dt.report", do="html")
    answer = client.ask(query())
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "<html>" in answer.text


def test_empty_is_a_200_with_nothing(client: Client) -> None:
    client.sandbox.faults.add("dt.report", do="empty")
    answer = client.ask(query())
    assert (answer.status_code, answer.content) == (200, b"")


def test_gzip_is_the_same_content_compressed(client: Client) -> None:
    url = client.url()
    client.sandbox.faults.add("dt.file", do="gzip")
    answer = get(url)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert int(answer.headers["Content-Length"]) < len(answer.content)
    assert answer.content == get(url).content


def test_gzip_cut_is_whole_to_http_but_not_to_gzip(client: Client) -> None:
    url = client.url()
    client.sandbox.faults.add("dt.file", do="gzip_cut")
    answer = raw_get(url)
    body = answer.read()
    assert len(body) == int(answer.getheader("Content-Length", "0"))
    unpacker = zlib.decompressobj(wbits=31)
    assert get(url).content.startswith(unpacker.decompress(body))
    assert not unpacker.eof


def test_gzip_corrupt_is_as_long_as_it_says_and_cannot_be_unpacked(client: Client) -> None:
    url = client.url()
    client.sandbox.faults.add("dt.file", do="gzip_corrupt")
    answer = raw_get(url)
    packed = answer.read()
    assert len(packed) == int(answer.headers["Content-Length"])
    with pytest.raises(zlib.error):
        zlib.decompress(packed, wbits=31)


def test_gzip_bomb_is_small_until_it_is_unpacked(client: Client) -> None:
    url = client.url()
    client.sandbox.faults.add("dt.file", do="gzip_bomb", mebibytes=5)
    packed = raw_get(url).read()
    assert len(packed) < 100_000
    assert len(zlib.decompress(packed, wbits=31)) == 5 << 20


def test_xml_is_a_200_with_a_document(client: Client) -> None:
    client.sandbox.faults.add("dt.report", do="xml")
    answer = client.ask(query())
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/xml")
    assert answer.text.startswith("<?xml")


def test_endless_says_the_same_until_nobody_listens(client: Client) -> None:
    url = client.url()
    whole = get(url).content
    client.sandbox.faults.add("dt.file", do="endless", mebibytes=3, times=2)
    with requests.get(url, timeout=10, stream=True) as answer:
        assert answer.headers["Transfer-Encoding"] == "chunked"
        assert next(answer.iter_content(2 * len(whole))) == 2 * whole
    assert 3 << 20 <= len(get(url).content) < 3 * ((1 << 20) + len(whole))


def test_drip_head_outlasts_no_read_timeout_and_comes_whole(client: Client) -> None:
    url = client.url()
    whole = get(url).content
    client.sandbox.faults.add("dt.file", do="drip_head", pieces=6, pause=0.1)
    began = perf_counter()
    assert requests.get(url, timeout=0.4).content == whole
    assert perf_counter() - began >= 0.5


def test_garbled_head_has_a_line_that_is_no_header(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    url = client.url()
    client.sandbox.faults.add("dt.file", do="garbled_head")
    get(url)
    assert "Failed to parse headers" in caplog.text


def test_redirect_points_elsewhere(client: Client) -> None:
    url = client.url()
    client.sandbox.faults.add("dt.file", do="redirect", to="http://127.0.0.2:1/other", status=307)
    answer = get(url)
    assert (answer.status_code, answer.headers["Location"]) == (307, "http://127.0.0.2:1/other")


def test_bad_url_is_what_the_report_answer_carries(client: Client) -> None:
    client.sandbox.faults.add("dt.report", do="bad_url", url="file:///somewhere")
    assert client.ask(query()).json()["url"] == "file:///somewhere"
    assert client.ask(query()).json()["url"].startswith(client.sandbox.url)


def test_never_leaves_a_report_s_file_unfilled_but_not_the_next_one_s(client: Client) -> None:
    client.sandbox.faults.add("dt.report", do="never")
    first, second = client.url(), client.url()
    client.sandbox.clock.advance(7200)
    assert [len(get(first).content) for _ in range(3)] == [0, 0, 0]
    assert rows(get(second))


def test_never_at_the_file_answers_pending(client: Client) -> None:
    url = client.url()
    client.sandbox.faults.add("dt.file", do="never", times=2)
    assert [bool(get(url).content) for _ in range(3)] == [False, False, True]


def test_expired_answers_as_after_three_hours(client: Client) -> None:
    url = client.url()
    client.sandbox.faults.add("dt.file", do="expired")
    expired = get(url)
    assert expired.status_code == 403
    assert "Request has expired" in expired.text
    assert rows(get(url))
