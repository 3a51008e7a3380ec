import hashlib
import re

import pytest
import requests

from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.sandbox.client import Client, get, query, rows


def test_dt4_the_id_and_the_url_stand_in_the_log_with_the_query(client: Client) -> None:
    answer = client.ask(query()).json()
    entry = client.sandbox.log.entries("dt.report")[0]
    assert dict(entry.facts) == {"account": "ordinary", "id": answer["id"], "url": answer["url"]}
    assert entry.body == query()
    assert entry.query == "format=csv"
    assert entry.headers["authorization"] == f"Bearer {client.token}"


def test_dt4_two_requests_have_two_ids_and_two_urls(client: Client) -> None:
    first, second = client.ask(query()).json(), client.ask(query()).json()
    assert first["id"] != second["id"]
    assert first["url"] != second["url"]


def test_dt4_a_filled_file_is_csv_with_its_length_and_md5(client: Client) -> None:
    answer = get(client.url())
    assert answer.headers["Content-Length"] == str(len(answer.content))
    assert answer.headers["ETag"] == f'"{hashlib.md5(answer.content).hexdigest()}"'
    assert answer.headers["Content-Type"].startswith("text/csv")


def test_dt5_a_file_is_pending_until_its_time_has_passed(client: Client) -> None:
    client.sandbox.settings.change("dt", fill_seconds=30)
    url = client.url()
    client.sandbox.clock.advance(29)
    pending = get(url)
    assert (pending.status_code, pending.content, pending.headers["Content-Length"]) == (200, b"", "0")
    client.sandbox.clock.advance(1)
    assert rows(get(url))


def test_dt5_a_file_is_pending_for_its_first_polls(client: Client) -> None:
    client.sandbox.settings.change("dt", fill_polls=2)
    url = client.url()
    assert [bool(get(url).content) for _ in range(4)] == [False, False, True, True]
    states = [entry.facts["state"] for entry in client.sandbox.log.entries("dt.file")]
    assert states == ["pending", "pending", "filled", "filled"]


def test_dt5_the_url_is_valid_for_three_hours_of_sandbox_time(client: Client) -> None:
    url = client.url()
    client.sandbox.clock.advance(10799)
    assert get(url).status_code == 200
    client.sandbox.clock.advance(1)
    expired = get(url)
    assert expired.status_code == 403
    assert "<Code>AccessDenied</Code><Message>Request has expired</Message>" in expired.text


def test_dt6_a_pending_file_can_be_a_404(client: Client) -> None:
    client.sandbox.settings.change("dt", fill_polls=1, pending="404")
    url = client.url()
    pending = get(url)
    assert pending.status_code == 404
    assert "<Code>NoSuchKey</Code>" in pending.text
    assert rows(get(url))


def test_dt6_the_url_tells_its_expiry(client: Client) -> None:
    url = client.url()
    assert url.startswith(client.sandbox.url + "/")
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url
    assert "X-Amz-Date=20261122T150000Z" in url
    assert "X-Amz-Expires=10800" in url
    assert re.search(r"X-Amz-Signature=[0-9a-f]{64}$", url)


def test_dt6_the_older_signature_tells_its_expiry_as_an_epoch(client: Client) -> None:
    client.sandbox.settings.change("dt", signature="aws2")
    url = client.url()
    assert "AWSAccessKeyId=" in url
    assert f"Expires={1795359600 + 10800}" in url
    assert rows(get(url))
    client.sandbox.clock.advance(10800)
    assert "Request has expired" in get(url).text


@pytest.mark.parametrize("style", ["amz", "aws2"])
def test_dt6_a_url_that_was_touched_is_refused(client: Client, style: str) -> None:
    client.sandbox.settings.change("dt", signature=style)
    url = client.url()
    for old, new in (("Expires=1", "Expires=9"), (".csv", "x.csv"), ("Signature=", "Signature=0")):
        touched = get(url.replace(old, new))
        assert touched.status_code == 403, touched.text
        assert "<Code>SignatureDoesNotMatch</Code>" in touched.text
    assert "<Code>SignatureDoesNotMatch</Code>" in get(url + "&more=1").text
    assert get(url.partition("?")[0]).status_code == 403
    assert requests.head(url, timeout=10).status_code == 403


def test_credentials_sent_to_the_file_s_url_are_refused_as_a_second_signature(client: Client) -> None:
    answer = get(client.url(), Authorization=f"Bearer {client.token}")
    assert answer.status_code == 400
    assert "<Code>InvalidArgument</Code>" in answer.text
    assert "authorization" in client.sandbox.log.entries("dt.file")[0].headers


def test_a_file_s_content_is_fixed_when_it_is_requested(client: Client) -> None:
    url = client.url(source="performance", start="2026-11-20", end="2026-11-20")
    at = client.sandbox.clock.now()
    client.sandbox.clock.advance(9000)
    client.sandbox.settings.change("dt", floats="javascript")
    text = get(url).text
    client.sandbox.settings.change("dt", floats="python")
    found = rows(get(url))
    assert get(url).text == text
    assert len(found) == len(client.sandbox.truth("dt_offer_wall/performance", "2026-11-20", at))


def test_the_log_counts_and_forgets(client: Client, sandbox: Sandbox) -> None:
    client.ask(query())
    client.ask({})
    assert sandbox.log.count("dt.report") == 2
    assert sandbox.log.count("dt.report", status=200) == 1
    last = sandbox.log.entries()[-1].number
    assert sandbox.log.entries(since=last) == []
    sandbox.log.clear()
    assert sandbox.log.count() == 0
