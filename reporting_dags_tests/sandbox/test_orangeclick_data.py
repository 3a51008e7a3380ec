import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import requests

from reporting_dags.sandbox.orangeclick.catalog import DIMENSIONS as EVERY_DIMENSION
from reporting_dags.sandbox.server import Sandbox, running_sandbox
from reporting_dags_tests.sandbox.client import NOW
from reporting_dags_tests.sandbox.orangeclick_client import (
    DIMENSIONS,
    METRICS,
    TRUTH,
    OrangeClient,
    dimension,
    group,
    in_order,
    metric,
)

DAY = "2026-11-12"
ONE: dict[str, Any] = {"start": DAY, "end": DAY}
NINETY = [(date(2026, 8, 24) + timedelta(days=n)).isoformat() for n in range(90)]


@pytest.fixture
def client(sandbox: Sandbox) -> OrangeClient:
    return OrangeClient(sandbox)


def test_truth_is_what_an_honest_answer_holds(client: OrangeClient) -> None:
    client.sandbox.settings.change("orangeclick", null_metrics=20)
    found = client.read(start="2026-11-10", end="2026-11-22")
    truth = [row for day in range(10, 23) for row in client.sandbox.truth(TRUTH, f"2026-11-{day}")]
    assert in_order(found) == in_order(truth)
    assert any(row["impressions"] is None for row in found)
    assert any(row["ecpm"] is None for row in found)


def test_truth_of_an_unknown_report_is_an_error(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match=TRUTH):
        sandbox.truth("orangeclick/other", DAY)


def test_data_depends_on_the_seed_alone(sandbox: Sandbox) -> None:
    with running_sandbox(seed=7, at=NOW, frozen=True) as again, running_sandbox(seed=8, at=NOW, frozen=True) as other:
        assert again.truth(TRUTH, DAY) == sandbox.truth(TRUTH, DAY)
        assert other.truth(TRUTH, DAY) != sandbox.truth(TRUTH, DAY)


def test_oc5_the_answer_has_dimensions_then_metrics_as_asked_and_an_honest_echo(client: OrangeClient) -> None:
    answer = client.ask(dimensions=["country", "day"], metrics=["ecpm", "impressions"], currency="EUR").json()
    assert list(answer) == ["status", "data", "meta"]
    assert answer["status"] == "success"
    assert all(list(row) == ["country", "day", "ecpm", "impressions"] for row in answer["data"])
    assert answer["meta"] == {
        "count": len(answer["data"]),
        "start_date": "2026-11-10",
        "end_date": "2026-11-12",
        "currency": "EUR",
    }


def test_oc5_every_dimension_can_be_asked_for(client: OrangeClient) -> None:
    rows = client.read(dimensions=list(EVERY_DIMENSION), **ONE)
    assert len(rows) > len(client.sandbox.truth(TRUTH, DAY))
    assert {(row["day"], row["month"], row["year"]) for row in rows} == {(DAY, "2026-11", "2026")}
    assert {row["deal_type"] for row in rows} == {"Open auction", "Deal", "Proposal"}
    assert len({tuple(row[name] for name in EVERY_DIMENSION) for row in rows}) == len(rows)


def test_oc5_metrics_are_numbers_or_strings(client: OrangeClient) -> None:
    rows = client.ask(**ONE).json()["data"]
    for row in rows:
        assert all(isinstance(row[name], str) for name in DIMENSIONS)
        for name in METRICS:
            assert isinstance(row[name], float if name in {"earnings", "ecpm"} else int) or row[name] is None
    client.sandbox.settings.change("orangeclick", numbers="string")
    texts = client.ask(**ONE).json()["data"]
    assert all(isinstance(row[name], str) or row[name] is None for row in texts for name in METRICS)
    assert in_order(texts) == client.sandbox.truth(TRUTH, DAY)


def test_sums_are_the_same_in_every_split_and_ecpm_is_made_from_sums(client: OrangeClient) -> None:
    fine = client.sandbox.truth(TRUTH, DAY)
    coarse = client.read(dimensions=["month"], **ONE)[0]
    assert int(coarse["impressions"]) == sum(int(row["impressions"] or 0) for row in fine)
    assert float(coarse["earnings"]) == pytest.approx(sum(float(row["earnings"] or 0) for row in fine))
    for row in fine:
        if row["impressions"] and row["earnings"]:
            impressions = int(row["impressions"])
            expected = 1000 * float(row["earnings"]) / impressions if impressions else 0.0
            assert row["ecpm"] == repr(expected)
        else:
            assert row["ecpm"] == ""


def test_euros_are_dollars_at_the_rate_of_the_day(client: OrangeClient) -> None:
    dollars = client.read(dimensions=["day"], metrics=["earnings"])
    euros = client.read(dimensions=["day"], metrics=["earnings"], currency="EUR")
    rates = {
        row["day"]: float(other["earnings"]) / float(row["earnings"])
        for row, other in zip(in_order(dollars), in_order(euros), strict=True)
    }
    assert all(0.88 <= rate <= 0.94 for rate in rates.values())
    assert len(set(rates.values())) == 3


def test_the_data_is_plausible_and_hostile_every_day(sandbox: Sandbox) -> None:
    days = [found for day in NINETY if (found := sandbox.truth(TRUTH, day))]
    assert 82 <= len(days) <= 89
    for found in days:
        assert 100 <= len(found) <= 300
        units = {row["ad_unit"] for row in found}
        assert {"null", "NA", "", "Été à Paris", "🎯 sticky", "وحدة إعلانية", 'top, "wide"', "left\tright"} <= units
        assert {"NA", ""} <= {row["country"] for row in found}
        earnings = [row["earnings"] for row in found]
        assert {"0.036300000000000006", "1.21e-05", "0.0", "-0.17", "0.30000000000000004"} <= set(earnings)
        assert any(int(row["impressions"] or 0) == 2**53 + 1 for row in found)
        assert len({tuple(row[name] for name in DIMENSIONS) for row in found}) == len(found)
    every = {row["ad_unit"] for found in days for row in found}
    assert {"00012345", "9007199254740993", "1234567890123456789", "9223372036854775808", "first\nsecond"} <= every
    assert any(row[name] == "" for found in days for row in found for name in METRICS)


def test_weekends_are_quieter(sandbox: Sandbox) -> None:
    sandbox.settings.change("orangeclick", huge=False, empty_day_one_in=0)
    by_weekday = dict.fromkeys(range(7), 0)
    for day in NINETY[:84]:
        found = sandbox.truth(TRUTH, day)
        by_weekday[date.fromisoformat(day).weekday()] += sum(int(row["impressions"] or 0) for row in found)
    assert max(by_weekday[5], by_weekday[6]) < min(by_weekday[n] for n in range(4))


def test_a_day_without_rows_is_an_empty_list(client: OrangeClient) -> None:
    client.sandbox.settings.change("orangeclick", empty_days=(DAY,))
    answer = client.ask(**ONE).json()
    assert (answer["data"], answer["meta"]["count"]) == ([], 0)


def test_a_day_can_have_more_rows_or_fewer(sandbox: Sandbox) -> None:
    usual = len(sandbox.truth(TRUTH, DAY))
    sandbox.settings.change("orangeclick", rows_factor=3.5)
    found = sandbox.truth(TRUTH, DAY)
    assert 3 * usual < len(found) < 4 * usual
    assert len({tuple(row[name] for name in DIMENSIONS) for row in found}) == len(found)
    sandbox.settings.change("orangeclick", rows_factor=0.5)
    assert len(sandbox.truth(TRUTH, DAY)) < usual


def test_oc7_before_six_a_day_is_partial_or_not_there(sandbox: Sandbox) -> None:
    six = datetime(2026, 11, 13, 6, tzinfo=UTC)
    whole = sandbox.truth(TRUTH, DAY, six)
    assert 0 < len(sandbox.truth(TRUTH, DAY, six - timedelta(seconds=1))) < len(whole)
    assert 0 < len(sandbox.truth(TRUTH, DAY, six - timedelta(hours=7))) < len(whole)
    assert sandbox.truth(TRUTH, DAY, six - timedelta(hours=31)) == []
    sandbox.settings.change("orangeclick", early="none")
    assert sandbox.truth(TRUTH, DAY, six - timedelta(seconds=1)) == []
    assert sandbox.truth(TRUTH, DAY, six) == whole


def test_oc7_a_day_is_final_once_it_is_out_or_restates(sandbox: Sandbox) -> None:
    def at_age(days: int) -> list[dict[str, str]]:
        return sandbox.truth(TRUTH, DAY, datetime(2026, 11, 12, 7, tzinfo=UTC) + timedelta(days=days))

    assert at_age(1) == at_age(2) == at_age(400)
    sandbox.settings.change("orangeclick", restate_days=3)
    assert at_age(1) != at_age(2) != at_age(3)
    assert len(at_age(1)) <= len(at_age(2)) <= len(at_age(3))
    assert at_age(3) == at_age(400)


def test_oc6_lost_domains_vanish_silently(client: OrangeClient) -> None:
    whole = client.sandbox.truth(TRUTH, DAY)
    client.sandbox.settings.change("orangeclick", lost_domains=("example.com", "null"))
    left = [row for row in whole if row["domain"] not in {"example.com", "null"}]
    assert client.sandbox.truth(TRUTH, DAY) == left
    answer = client.ask(**ONE).json()
    assert answer["meta"]["count"] == len(answer["data"]) == len(left) < len(whole)


@pytest.mark.parametrize("comparator", ["in", "is_any_of", "nin"])
def test_dimension_filters_keep_or_drop_the_named_values(client: OrangeClient, comparator: str) -> None:
    wanted = {"example.com", "NA"}
    asked = [group(dimension("domain", *wanted, comparator=comparator))]
    truth = client.sandbox.truth(TRUTH, DAY)
    kept = [row for row in truth if (row["domain"] in wanted) is (comparator != "nin")]
    assert in_order(client.read(filter_groups=asked, **ONE)) == kept


def test_oc3_groups_are_alternatives_and_filters_in_one_hold_together(client: OrangeClient) -> None:
    asked = [
        group(dimension("domain", "example.com"), dimension("device", "desktop")),
        group(dimension("country", "GR", "DE"), dimension("device", "mobile")),
    ]
    kept = [
        row
        for row in client.sandbox.truth(TRUTH, DAY)
        if (row["domain"] == "example.com" and row["device"] == "desktop")
        or (row["country"] in {"GR", "DE"} and row["device"] == "mobile")
    ]
    assert in_order(client.read(filter_groups=asked, **ONE)) == kept
    assert client.read(filter_groups=[], **ONE)


def test_a_filter_need_not_be_among_the_asked_dimensions(client: OrangeClient) -> None:
    found = client.read(
        dimensions=["day"],
        metrics=["impressions"],
        filter_groups=[group(dimension("domain", "another-domain.net"))],
        **ONE,
    )
    truth = [row for row in client.sandbox.truth(TRUTH, DAY) if row["domain"] == "another-domain.net"]
    assert found == [{"day": DAY, "impressions": str(sum(int(row["impressions"] or 0) for row in truth))}]


HOLDS: dict[str, Callable[[int], bool]] = {
    "gte": lambda value: value >= 1000,
    "lte": lambda value: value <= 1000,
    "eq": lambda value: value == 1000,
    "neq": lambda value: value != 1000,
    "between": lambda value: 1000 <= value <= 5000,
}


@pytest.mark.parametrize("comparison", HOLDS)
def test_metric_filters_look_at_the_summed_row(client: OrangeClient, comparison: str) -> None:
    more = {"secondValue": 5000} if comparison == "between" else {}
    asked = [group(metric("impressions", comparison, 1000, **more))]
    truth = client.sandbox.truth(TRUTH, DAY)
    kept = [row for row in truth if row["impressions"] and HOLDS[comparison](int(row["impressions"]))]
    assert in_order(client.read(filter_groups=asked, **ONE)) == kept


def test_a_quarter_is_answered_whole(client: OrangeClient) -> None:
    rows = client.ask(start=NINETY[0], end=NINETY[-1]).json()["data"]
    assert len(rows) > 12000


def test_meta_is_an_echo_that_lies(client: OrangeClient) -> None:
    honest = client.ask().json()
    client.sandbox.faults.add("orangeclick.generate", do="meta", count=1, currency="EUR")
    client.sandbox.faults.add("orangeclick.generate", do="meta", start_date="2026-11-09", end_date="2026-11-13")
    lie, other = client.ask().json(), client.ask().json()
    assert lie["meta"] == {**honest["meta"], "count": 1, "currency": "EUR"}
    assert other["meta"] == {**honest["meta"], "start_date": "2026-11-09", "end_date": "2026-11-13"}
    assert lie["data"] == other["data"] == honest["data"]


def damaged(client: OrangeClient, do: str, **parameters: Any) -> requests.Response:
    client.sandbox.faults.clear()
    client.sandbox.faults.add("orangeclick.data", do=do, **parameters)
    return client.ask(**ONE)


def test_damage_reaches_the_rows_and_the_echo_goes_with_it(client: OrangeClient) -> None:
    client.sandbox.settings.change("orangeclick", requests_per_minute=100)
    whole = client.ask(**ONE).json()["data"]
    for do, parameters, more in (
        ("duplicate_row", {}, 1),
        ("header_only", {}, -len(whole)),
        ("repeat_header", {}, 1),
        ("lose_app", {"app": "null"}, -1 * sum(row["domain"] == "null" for row in whole)),
    ):
        answer = damaged(client, do, **parameters).json()
        assert answer["meta"]["count"] == len(answer["data"]) == len(whole) + more
    assert all("ecpm" not in row for row in damaged(client, "drop_column", column="ecpm").json()["data"])
    assert all(row["Surprise"] == 1 for row in damaged(client, "extra_column").json()["data"])
    renamed = damaged(client, "rename_column", column="earnings", to="revenue").json()["data"]
    assert [row["revenue"] for row in renamed] == [row["earnings"] for row in whole]
    bad = damaged(client, "bad_value", column="earnings", value="1,5").json()["data"]
    assert [row["earnings"] for row in bad].count("1,5") == 1
    missing = damaged(client, "bad_value", column="earnings", value="").json()["data"]
    assert missing[0]["earnings"] is None
    assert "complete" not in damaged(client, "short_row").json()["data"][0]
    assert damaged(client, "long_row").json()["data"][0]["14"] == 1
    assert damaged(client, "wrong_day").json()["data"][0]["day"] == "2026-11-13"
    assert "\0" in damaged(client, "nul", column="domain").json()["data"][0]["domain"]


def test_damage_reaches_the_bytes(client: OrangeClient) -> None:
    client.sandbox.settings.change("orangeclick", requests_per_minute=100)
    assert damaged(client, "bom").content.startswith(b'\xef\xbb\xbf{"status"')
    twice = damaged(client, "duplicate_header", column="domain").text
    assert twice.count('"domain":') == 2 * json.loads(twice)["meta"]["count"]
    assert "münchen".encode("latin-1") in damaged(client, "latin1").content
    with pytest.raises(ValueError, match="line 1 column"):
        json.loads(damaged(client, "open_quote").content)
