"""Responses that are packed or labeled in other ways than was asked: unpacked, taken or named, never a short file."""

from typing import Any

import pytest

from reporting_dags.model.errors import Failed
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Ready
from reporting_dags.providers.digital_turbine.offer_wall import OfferWall
from reporting_dags.reports import dt_offer_wall, dt_user_level, integr8, mintegral, orangeclick
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import NOON
from reporting_dags_tests.providers.test_offer_wall import REQUEST, read, submit
from reporting_dags_tests.pulling import BenchOf, brought, check_truth, landed, line_of

DAY = NOON.date().replace(day=NOON.day - 1)
ANSWERS: dict[str, tuple[Report, str]] = {
    "dt_offer_wall": (dt_offer_wall.EVENT, "dt.file"),
    "dt_user_level": (dt_user_level.REVENUE, "dt.file"),
    "mintegral": (mintegral.OFFER_PERFORMANCE, "mintegral.download"),
    "orangeclick": (orangeclick.EARNINGS, "orangeclick.generate"),
    "integr8": (integr8.CONVERSIONS, "integr8.file"),
}
EVERY = pytest.mark.parametrize("provider", ANSWERS)


@EVERY
@pytest.mark.parametrize(
    "fault",
    [
        {"do": "gzip_file"},
        {"do": "gzip_file", "members": 3},
        {"do": "coding", "coding": "UTF-8"},
        {"do": "coding", "coding": "aws-chunked"},
        {"do": "coding", "coding": "identity, utf-8"},
        {"do": "media_type", "kind": "text/html; charset=UTF-8"},
    ],
    ids=str,
)
def test_a_complete_answer_lands_however_it_is_packed_or_labeled(
    sandbox: Sandbox, bench_of: BenchOf, provider: str, fault: dict[str, Any]
) -> None:
    report, point = ANSWERS[provider]
    context = bench_of(provider)
    sandbox.faults.add(point, times=None, **fault)
    landed(context, report, [DAY])
    check_truth(context, sandbox, report, [DAY])


@EVERY
@pytest.mark.parametrize(
    ("fault", "message"),
    [({"keep": 0.5}, "its gzip data is truncated"), ({"behind": "trailer"}, "its gzip data is damaged")],
    ids=["cut", "trailing bytes"],
)
def test_gzip_without_a_header_that_is_not_complete_is_partial(
    sandbox: Sandbox, bench_of: BenchOf, provider: str, fault: dict[str, Any], message: str
) -> None:
    report, point = ANSWERS[provider]
    context = bench_of(provider)
    sandbox.faults.add(point, do="gzip_file", times=None, after=int(point == "dt.file"), **fault)
    assert message in line_of(brought(context, report, [DAY])[DAY], Outcome.PARTIAL)


@EVERY
@pytest.mark.parametrize(("do", "message"), [("zip_file", "a zip file"), ("utf16_file", "UTF-16")])
def test_an_answer_of_another_kind_is_named_and_kept(
    sandbox: Sandbox, bench_of: BenchOf, provider: str, do: str, message: str
) -> None:
    report, point = ANSWERS[provider]
    context = bench_of(provider)
    sandbox.faults.add(point, do=do, times=None)
    result = brought(context, report, [DAY])[DAY]
    line = line_of(result, Outcome.FAILED)
    assert f"the response is {message}" in line
    assert "Fix: " in line
    (digest, *_) = result.provenance.raw_sha256
    assert any(digest in key for key in context.raw.sizes(""))


@pytest.mark.parametrize("coding", ["br", "zstd", "deflate", "gzip, br", "compress"])
def test_a_coding_that_was_not_asked_for_is_named(sandbox: Sandbox, offer_wall: OfferWall, coding: str) -> None:
    handle = submit(offer_wall)
    sandbox.faults.add("dt.file", do="coding", coding=coding, times=None)
    with pytest.raises(
        Failed, match=f"has the encoding '{coding.removeprefix('gzip, ')}', which was not requested"
    ) as caught:
        read(offer_wall, handle)
    assert "Fix: " in caught.value.line


def test_gzip_without_a_header_is_ready_when_it_holds_text(sandbox: Sandbox, offer_wall: OfferWall) -> None:
    handle = submit(offer_wall)
    sandbox.faults.add("dt.file", do="gzip_file", times=None)
    assert isinstance(offer_wall.poll(EVENT, REQUEST, handle), Ready)
