"""Digital Turbine's Offer Wall, step by step, against the sandbox over real HTTP."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from reporting_dags.model.days import Window
from reporting_dags.model.errors import Denied, Expired, ReportingError
from reporting_dags.providers.api import Handle, Pending, Provider, Quota, Ready, Request
from reporting_dags.providers.digital_turbine.errors import (
    InvalidClient,
    InvalidFormat,
    InvalidQuery,
    InvalidRequest,
    InvalidSource,
    InvalidToken,
    UnsupportedGrantType,
)
from reporting_dags.providers.digital_turbine.files import url_expires_at
from reporting_dags.providers.digital_turbine.offer_wall import OfferWall
from reporting_dags.providers.digital_turbine.resource import OfferWallResource
from reporting_dags.providers.http.errors import Unavailable
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import NOON, SandboxClock

REQUEST = Request(Window(date(2026, 11, 1), date(2026, 11, 3)))


def nothing(quota: Quota) -> None:
    """A meter that counts nothing."""


def submit(provider: Provider, request: Request = REQUEST) -> Handle:
    return provider.submit(EVENT, request, nothing)


def read(provider: OfferWall, handle: Handle) -> bytes:
    with provider.download(EVENT, REQUEST, handle, nothing) as chunks:
        return b"".join(chunks)


@pytest.mark.rule("OW1")
def test_ow1_the_query_has_all_five_keys_in_the_providers_own_words(sandbox: Sandbox, offer_wall: OfferWall) -> None:
    submit(offer_wall)
    (entry,) = sandbox.log.entries("dt.report")
    assert entry.body == {
        "source": "event",
        "dateRange": {"start": "2026-11-01", "end": "2026-11-03"},
        "metrics": ["Publisher Revenue", "Publisher ARPU", "Offer Impressions", "Offer Clicks", "OFW Unique Users"],
        "splits": ["Date", "DT Publisher App ID", "Country"],
        "filters": [],
    }


@pytest.mark.rule("DT1")
def test_dt1_the_token_is_fetched_once_and_shared_by_every_query(sandbox: Sandbox, offer_wall: OfferWall) -> None:
    for _ in range(3):
        submit(offer_wall)
    assert sandbox.log.count("dt.token") == 1
    assert sandbox.log.entries("dt.token")[0].body["grant_type"] == "client_credentials"


@pytest.mark.rule("DT1")
def test_dt1_a_token_is_renewed_before_it_runs_out(
    sandbox: Sandbox, offer_wall: OfferWall, clock: SandboxClock
) -> None:
    submit(offer_wall)
    clock.sleep(3599)
    submit(offer_wall)
    assert sandbox.log.count("dt.token") == 2
    assert sandbox.log.count("dt.report", status=401) == 0


@pytest.mark.rule("DT3")
def test_dt3_a_refused_token_is_refreshed_once_and_the_query_goes_through(
    sandbox: Sandbox, offer_wall: OfferWall
) -> None:
    submit(offer_wall)
    sandbox.faults.add("dt.report", do="status", status=401, body='{"error": "invalid_token"}')
    calls: list[int] = []
    offer_wall.submit(EVENT, REQUEST, lambda _: calls.append(1))
    assert sandbox.log.count("dt.token") == 2
    assert len(calls) == 2, "every try is counted"


@pytest.mark.rule("DT3")
def test_dt3_a_token_refused_again_after_the_refresh_fails_in_one_line(sandbox: Sandbox, offer_wall: OfferWall) -> None:
    sandbox.faults.add("dt.report", do="status", times=None, status=401, body='{"error": "invalid_token"}')
    with pytest.raises(InvalidToken, match="check in the DT Console") as caught:
        submit(offer_wall)
    assert sandbox.log.count("dt.report") == 2
    assert "\n" not in caught.value.line


@pytest.mark.rule("DT2")
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("unsupported_grant_type", UnsupportedGrantType),
        ("invalid_request", InvalidRequest),
        ("invalid_client", InvalidClient),
    ],
)
def test_dt2_every_login_error_is_typed_and_says_what_to_do(
    sandbox: Sandbox, offer_wall: OfferWall, code: str, kind: type[ReportingError]
) -> None:
    sandbox.faults.add("dt.token", do="status", status=400, body=f'{{"error": "{code}"}}')
    with pytest.raises(kind, match=code) as caught:
        submit(offer_wall)
    assert caught.value.advice


@pytest.mark.rule("OW6")
@pytest.mark.parametrize(
    ("code", "kind"),
    [("invalid_format", InvalidFormat), ("invalid_query", InvalidQuery), ("invalid_source", InvalidSource)],
)
def test_ow6_every_query_error_is_typed_and_says_what_to_do(
    sandbox: Sandbox, offer_wall: OfferWall, code: str, kind: type[ReportingError]
) -> None:
    sandbox.faults.add("dt.report", do="status", status=400, body=f'{{"error": "{code}", "id": "r-1"}}')
    with pytest.raises(kind, match=f"{code} .request r-1.") as caught:
        submit(offer_wall)
    assert caught.value.advice


@pytest.mark.rule("DT2")
def test_dt2_wrong_credentials_name_the_variables_and_never_show_them(sandbox: Sandbox, clock: SandboxClock) -> None:
    resource = OfferWallResource(base_url=sandbox.url, client_id="c0ffee-client", client_secret="hush-hush-hush")
    with pytest.raises(InvalidClient, match="DT_CLIENT_ID and DT_CLIENT_SECRET") as caught:
        submit(resource.client(clock))
    assert "hush-hush-hush" not in caught.value.line
    assert "c0ffee-client" not in caught.value.line


@pytest.mark.rule("DT2")
def test_dt2_a_server_error_of_the_login_is_tried_again(sandbox: Sandbox, offer_wall: OfferWall) -> None:
    sandbox.faults.add("dt.token", do="status", status=500, body='{"error": "internal_server_error"}', times=2)
    submit(offer_wall)
    assert sandbox.log.count("dt.token") == 3


@pytest.mark.rule("OW4")
def test_ow4_the_quota_of_the_day_ends_denied_with_the_time_of_reset(sandbox: Sandbox, offer_wall: OfferWall) -> None:
    for _ in range(50):
        submit(offer_wall)
    with pytest.raises(Denied, match=r"00:00 UTC, when the quota of 50 queries a day is renewed"):
        submit(offer_wall)
    assert sandbox.log.count("dt.report") == 51, "a spent quota is not asked again"


@pytest.mark.rule("DT6")
@pytest.mark.parametrize("form", ["empty", "404"])
def test_dt6_both_forms_of_not_yet_are_pending(sandbox: Sandbox, offer_wall: OfferWall, form: str) -> None:
    sandbox.settings.change("dt", fill_polls=2, pending=form)
    handle = submit(offer_wall)
    states = [offer_wall.poll(EVENT, REQUEST, handle) for _ in range(3)]
    assert [type(state) for state in states] == [Pending, Pending, Ready]


@pytest.mark.rule("DT4")
def test_dt4_the_handle_holds_the_requests_id_and_when_its_url_ends(sandbox: Sandbox, offer_wall: OfferWall) -> None:
    handle = submit(offer_wall)
    assert handle.id
    assert handle.url is not None
    assert handle.expires_at == NOON + timedelta(hours=3)
    assert handle.url not in repr(handle)


@pytest.mark.rule("DT6")
def test_dt6_an_expired_address_raises_expired(offer_wall: OfferWall, clock: SandboxClock) -> None:
    handle = submit(offer_wall)
    clock.sleep(3 * 3600 + 1)
    with pytest.raises(Expired, match="403 AccessDenied"):
        offer_wall.poll(EVENT, REQUEST, handle)


@pytest.mark.rule("DT6")
def test_dt6_expiry_is_read_from_either_form_of_signature() -> None:
    now = datetime(2026, 11, 1, tzinfo=UTC)
    assert url_expires_at(
        "https://x.amazonaws.com/f?X-Amz-Date=20261101T010203Z&X-Amz-Expires=60", submitted_at=now
    ) == datetime(2026, 11, 1, 1, 3, 3, tzinfo=UTC)
    assert url_expires_at("https://x/f?Expires=1570020564", submitted_at=now) == datetime(
        2019, 10, 2, 12, 49, 24, tzinfo=UTC
    )
    assert url_expires_at("https://x/f", submitted_at=now) == now + timedelta(hours=3)
    assert url_expires_at("https://x/f?Expires=soon", submitted_at=now) == now + timedelta(hours=3)


@pytest.mark.rule("DT8")
def test_dt8_the_file_is_what_the_truth_says(sandbox: Sandbox, offer_wall: OfferWall) -> None:
    text = read(offer_wall, submit(offer_wall)).decode()
    header, *rows = text.splitlines()
    assert header.split(",")[:3] == ["Date", "DT Publisher App ID", "Country"]
    assert len(rows) == sum(len(sandbox.truth("dt_offer_wall/event", day)) for day in REQUEST.window.days)


def test_a_login_that_breaks_off_is_tried_four_times_and_no_more(sandbox: Sandbox, offer_wall: OfferWall) -> None:
    sandbox.faults.add("dt.token", do="reset", times=None)
    with pytest.raises(Unavailable):
        submit(offer_wall)
    assert sandbox.log.count("dt.token") == 4


def test_a_login_over_its_rate_is_no_spent_quota(sandbox: Sandbox, offer_wall: OfferWall) -> None:
    sandbox.faults.add("dt.token", do="status", status=429)
    with pytest.raises(Unavailable, match="login"):
        submit(offer_wall)


@pytest.mark.rule("DT6")
@pytest.mark.parametrize(
    "answer",
    [
        {"status": 204},
        {"status": 202},
        {"status": 200, "body": "\n"},
        {"status": 200, "body": "\ufeff\r\n"},
        {"status": 200, "body": "<html>maintenance</html>"},
        {"status": 403, "body": "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"},
    ],
)
def test_dt6_other_forms_of_not_yet_cost_no_query(
    sandbox: Sandbox, offer_wall: OfferWall, answer: dict[str, Any]
) -> None:
    handle = submit(offer_wall)
    sandbox.faults.add("dt.file", do="status", **answer)
    assert isinstance(offer_wall.poll(EVENT, REQUEST, handle), Pending)
    assert isinstance(offer_wall.poll(EVENT, REQUEST, handle), Ready)


@pytest.mark.rule("DT4")
@pytest.mark.parametrize("request_id", ["7", "null", '"x\\u0000y"', f'"{"i" * 500}"'])
@pytest.mark.parametrize("status", [200, 201])
def test_dt4_an_accepted_query_is_not_lost_for_its_id(
    sandbox: Sandbox, offer_wall: OfferWall, request_id: str, status: int
) -> None:
    url = submit(offer_wall).url
    body = f'{{"id": {request_id}, "url": "{url}"}}'
    sandbox.faults.add("dt.report", do="status", status=status, body=body)
    handle = submit(offer_wall)
    assert handle.url == url
    assert len(handle.id) <= 200
    assert handle.id.isprintable()
