"""What Mintegral responses in place of a report or of its state, and transport that fails on the way."""

from typing import Any

import pytest

from reporting_dags.model.days import Window
from reporting_dags.model.errors import Expired
from reporting_dags.model.outcome import Outcome
from reporting_dags.providers.api import Handle, Quota, Request
from reporting_dags.providers.mintegral.resource import MintegralResource
from reporting_dags.reports.mintegral import OFFER_PERFORMANCE as REPORT
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import SandboxClock
from reporting_dags_tests.providers.test_mintegral import ASK, DAY, FETCH, codes, jobs, secrets_of
from reporting_dags_tests.pulling import BenchOf, brought, check_truth, landed, line_of, refused_after_landing


@pytest.mark.rule("MT2", "MT8")
@pytest.mark.parametrize("data_missing", [True, False])
@pytest.mark.parametrize(
    ("code", "outcome", "says"),
    [
        (10000, Outcome.DENIED, "refused (code 10000): no *** today"),
        (999, Outcome.FAILED, "unknown code 999: no *** today"),
        (203, Outcome.FAILED, "unknown code 203"),
    ],
)
@pytest.mark.parametrize("after", [0, 1], ids=["at the first call", "while it is made"])
def test_every_code_of_the_request_ends_the_day_in_one_line(
    sandbox: Sandbox, bench_of: BenchOf, after: int, code: int, outcome: Outcome, says: str, data_missing: bool
) -> None:
    sandbox.settings.change("mintegral", data_missing=data_missing)
    keys = secrets_of(sandbox)
    fault = {"point": ASK, "do": "code", "after": after, "times": None, "code": code, "msg": f"no {keys[1]} today"}
    line = line_of(refused_after_landing(sandbox, bench_of("mintegral"), REPORT, DAY, fault), outcome, keys)
    assert says in line
    assert ("MINTEGRAL_API_KEY" in line) == (outcome is Outcome.DENIED)


@pytest.mark.rule("MT3")
@pytest.mark.parametrize("code", [203, 204, 205])
def test_a_file_that_is_not_there_is_asked_for_again(sandbox: Sandbox, bench_of: BenchOf, code: int) -> None:
    sandbox.faults.add(FETCH, do="json_error", code=code)
    context = bench_of("mintegral")
    landed(context, REPORT, [DAY])
    assert codes(sandbox, FETCH) == [str(code), "200"]
    assert len(jobs(sandbox)) == 1
    check_truth(context, sandbox, REPORT, [DAY])


@pytest.mark.rule("MT3")
@pytest.mark.parametrize(
    ("code", "outcome", "says"),
    [
        (203, Outcome.EXPIRED, "no longer knows the report (code 203)"),
        (204, Outcome.NOT_READY, "(code 204): sorry after 0:10:00"),
        (205, Outcome.NOT_READY, "(code 205): sorry after 0:10:00"),
        (10000, Outcome.DENIED, "refused (code 10000): sorry"),
        (999, Outcome.FAILED, "unknown code 999: sorry"),
    ],
)
def test_every_code_in_place_of_the_file_ends_the_day_in_one_line(
    sandbox: Sandbox, bench_of: BenchOf, code: int, outcome: Outcome, says: str
) -> None:
    fault = {"point": FETCH, "do": "json_error", "code": code, "msg": "sorry", "times": None}
    context = bench_of("mintegral", job_timeout_seconds=600)
    assert says in line_of(refused_after_landing(sandbox, context, REPORT, DAY, fault), outcome, secrets_of(sandbox))


@pytest.mark.rule("MT3")
def test_an_error_that_arrives_in_pieces_is_read_whole(sandbox: Sandbox, clock: SandboxClock) -> None:
    access_key, api_key = secrets_of(sandbox)
    client = MintegralResource(base_url=sandbox.url, access_key=access_key, api_key=api_key).client(clock)
    sandbox.faults.add(FETCH, do="drip", pieces=5, pause=0.02)
    with (
        pytest.raises(Expired, match="code 203"),
        client.download(REPORT, Request(Window(DAY, DAY)), Handle(), nothing_counted),
    ):
        pass
    client.close()


def nothing_counted(quota: Quota) -> None:
    """A meter that counts nothing."""


@pytest.mark.parametrize(
    ("fault", "outcome", "says"),
    [
        ({"do": "html"}, Outcome.FAILED, "not a JSON object with a code. Fix: check MINTEGRAL_BASE_URL"),
        ({"do": "empty"}, Outcome.FAILED, "not a JSON object with a code"),
        ({"do": "status", "status": 200, "body": '{"code": "a lot"}'}, Outcome.FAILED, "not a JSON object with a code"),
        ({"do": "status", "status": 200, "body": f'{{"code": {"9" * 5000}}}'}, Outcome.FAILED, "not a JSON object"),
        ({"do": "status", "status": 403, "body": "no"}, Outcome.DENIED, "responded with 403"),
        ({"do": "status", "status": 503}, Outcome.FAILED, "with 503"),
        ({"do": "status", "status": 429}, Outcome.DENIED, "with 429"),
        ({"do": "reset"}, Outcome.FAILED, "did not respond"),
        ({"do": "redirect", "to": "http://127.0.0.1:9/"}, Outcome.FAILED, "redirect (302)"),
    ],
)
def test_a_request_that_is_not_answered_fails_and_costs_nothing_once_it_is(
    sandbox: Sandbox, bench_of: BenchOf, fault: dict[str, Any], outcome: Outcome, says: str
) -> None:
    context = bench_of("mintegral")
    result = refused_after_landing(sandbox, context, REPORT, DAY, {"point": ASK, "times": None, **fault})
    assert says in line_of(result, outcome, secrets_of(sandbox))
    sandbox.faults.clear()
    landed(context, REPORT, [DAY])
    assert len(jobs(sandbox)) == 1


@pytest.mark.parametrize("fault", [{"do": "html"}, {"do": "reset"}, {"do": "cut"}, {"do": "status", "status": 429}])
def test_a_look_that_goes_wrong_is_repeated(sandbox: Sandbox, bench_of: BenchOf, fault: dict[str, Any]) -> None:
    sandbox.faults.add(ASK, after=1, times=3, **fault)
    context = bench_of("mintegral")
    landed(context, REPORT, [DAY])
    check_truth(context, sandbox, REPORT, [DAY])


@pytest.mark.parametrize("fault", [{"do": "cut"}, {"do": "gzip_cut"}, {"do": "html"}, {"do": "empty"}])
def test_a_file_that_is_not_whole_is_fetched_again(sandbox: Sandbox, bench_of: BenchOf, fault: dict[str, Any]) -> None:
    sandbox.faults.add(FETCH, times=2, **fault)
    context = bench_of("mintegral")
    landed(context, REPORT, [DAY])
    assert sandbox.log.count(FETCH) == 3
    check_truth(context, sandbox, REPORT, [DAY])


@pytest.mark.parametrize("fault", ["gzip", "drip"])
def test_a_file_may_come_packed_or_slowly(sandbox: Sandbox, bench_of: BenchOf, fault: str) -> None:
    sandbox.faults.add(FETCH, do=fault)
    context = bench_of("mintegral")
    landed(context, REPORT, [DAY])
    assert sandbox.log.entries(FETCH)[0].headers["accept-encoding"] == "gzip", "the one kind that is unpacked"
    check_truth(context, sandbox, REPORT, [DAY])


@pytest.mark.parametrize(
    ("fault", "outcome", "says"),
    [
        ({"do": "html"}, Outcome.PARTIAL, "neither a report nor an error with a code. Fix: check MINTEGRAL_BASE_URL"),
        ({"do": "empty"}, Outcome.PARTIAL, "is empty"),
        ({"do": "cut_close"}, Outcome.PARTIAL, "no length"),
        ({"do": "status", "status": 503}, Outcome.FAILED, "with 503"),
        ({"do": "status", "status": 404, "body": "{}"}, Outcome.FAILED, "responded to the download with 404"),
        ({"do": "redirect", "to": "http://127.0.0.1:9/"}, Outcome.FAILED, "redirect (302)"),
    ],
)
def test_a_file_that_never_comes_leaves_the_job_and_the_partition(
    sandbox: Sandbox, bench_of: BenchOf, fault: dict[str, Any], outcome: Outcome, says: str
) -> None:
    context = bench_of("mintegral")
    result = refused_after_landing(sandbox, context, REPORT, DAY, {"point": FETCH, "times": None, **fault})
    assert says in line_of(result, outcome, secrets_of(sandbox))
    sandbox.faults.clear()
    landed(context, REPORT, [DAY])
    assert len(jobs(sandbox)) == 1


def test_wrong_keys_are_denied_by_name_and_never_shown(sandbox: Sandbox, bench_of: BenchOf) -> None:
    revoked = sandbox.providers["mintegral"].credentials["revoked"]
    context = bench_of("mintegral", access_key=revoked.access_key, api_key=revoked.api_key)
    line = line_of(
        brought(context, REPORT, [DAY])[DAY],
        Outcome.DENIED,
        (*secrets_of(sandbox), revoked.access_key, revoked.api_key),
    )
    assert "access-key is invalid. Fix: check MINTEGRAL_ACCESS_KEY and MINTEGRAL_API_KEY" in line
