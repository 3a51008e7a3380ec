from datetime import UTC, date, datetime, timedelta

import pytest

from reporting_dags.sandbox.digital_turbine.catalog import UNDOCUMENTED_DIMENSIONS, UNDOCUMENTED_METRICS
from reporting_dags.sandbox.server import Sandbox, running_sandbox
from reporting_dags_tests.sandbox.client import METRICS, NOW, SPLITS, Client, get, in_order, query, rows

DAY = "2026-11-12"
EVENT = "dt_offer_wall/event"
PERFORMANCE = "dt_offer_wall/performance"
FIRST = date(2026, 8, 24)
NINETY = [(FIRST + timedelta(days=n)).isoformat() for n in range(90)]


@pytest.mark.parametrize("source", ["event", "performance"])
def test_truth_is_what_an_honest_answer_holds(client: Client, source: str) -> None:
    found = client.read(source=source, start="2026-11-10", end="2026-11-21")
    days = [f"2026-11-{n}" for n in range(10, 22)]
    truth = [row for day in days for row in client.sandbox.truth(f"dt_offer_wall/{source}", day)]
    assert in_order(found) == in_order(truth)


def test_truth_of_an_unknown_report_is_an_error(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="dt_offer_wall/event"):
        sandbox.truth("dt_offer_wall/other", DAY)


def test_data_depends_on_the_seed_alone(sandbox: Sandbox) -> None:
    with running_sandbox(seed=7, at=NOW, frozen=True) as again, running_sandbox(seed=8, at=NOW, frozen=True) as other:
        assert again.truth(EVENT, DAY) == sandbox.truth(EVENT, DAY)
        assert other.truth(EVENT, DAY) != sandbox.truth(EVENT, DAY)


def test_dt8_the_header_is_splits_then_metrics_as_requested(client: Client) -> None:
    url = client.url(splits=["Country", "Date"], metrics=["Offer Clicks", "Publisher Revenue"])
    assert get(url).text.split("\n")[0] == "Country,Date,Offer Clicks,Publisher Revenue"


def test_dt8_rows_are_unsorted_and_can_be_shuffled_anew(client: Client) -> None:
    found = client.read()
    assert found != in_order(found)
    assert client.read() == found
    client.sandbox.settings.change("dt", row_order="request")
    again = client.read()
    assert again != client.read()
    assert in_order(again) == in_order(found)


def test_dt8_a_day_without_rows_is_a_header_alone(client: Client) -> None:
    client.sandbox.settings.change("dt", empty_days=(DAY,))
    assert get(client.url(start=DAY, end=DAY)).text == ",".join([*SPLITS, *METRICS]) + "\n"


def test_dt8_about_one_day_in_forty_has_no_rows_in_either_source(sandbox: Sandbox) -> None:
    sandbox.settings.change("dt", empty_day_one_in=40)
    empty = [day for day in NINETY if not sandbox.truth(EVENT, day)]
    assert 1 <= len(empty) <= 8
    assert empty == [day for day in NINETY if not sandbox.truth(PERFORMANCE, day)]


def test_the_data_is_plausible_and_hostile(sandbox: Sandbox) -> None:
    days = [found for day in NINETY[:-1] if (found := sandbox.truth(EVENT, day))]
    assert all(120 <= len(found) <= 250 for found in days)
    every = [row for found in days for row in found]
    countries = {row["Country"] for row in every}
    hostile = {"NA", "null", "KOREA, REPUBLIC OF", "CÔTE D'IVOIRE", 'VIRGIN ISLANDS "U.S."', "UNITED STATES"}
    assert hostile <= countries
    assert all({"NA", "null", "CÔTE D'IVOIRE"} <= {row["Country"] for row in found} for found in days)
    apps = {row["DT Publisher App ID"] for row in every}
    assert {"171893", "00171893", "1234567890123456789", "9223372036854775808"} <= apps
    revenues = [row["Publisher Revenue"] for row in every]
    assert any("e-05" in revenue for revenue in revenues)
    assert any(len(revenue) > 16 for revenue in revenues)
    for metric in ("Publisher Revenue", "Offer Impressions", "Offer Clicks", "OFW Unique Users"):
        assert any(row[metric] == "" for row in every)
    assert len({(row["Date"], row["DT Publisher App ID"], row["Country"]) for row in every}) == len(every)


def test_integers_over_two_to_the_53_come_now_and_then(sandbox: Sandbox) -> None:
    sandbox.settings.change("dt", huge_one_in=100)
    impressions = [row["Offer Impressions"] for row in sandbox.truth(EVENT, DAY)]
    assert any(int(value or 0) > 2**53 for value in impressions)


def test_dt8_floats_can_print_as_javascript_prints_them(sandbox: Sandbox) -> None:
    python = sandbox.truth(EVENT, "2026-11-20")
    sandbox.settings.change("dt", floats="javascript")
    script = sandbox.truth(EVENT, "2026-11-20")
    values = [
        (one[metric], other[metric])
        for one, other in zip(python, script, strict=True)
        for metric in ("Publisher Revenue", "Publisher ARPU")
        if one[metric]
    ]
    assert all(float(one) == float(other) for one, other in values)
    assert ("0.0", "0") in values
    assert any("e-05" in one and other.startswith("0.0000") for one, other in values)


def test_ow2_event_is_final_at_once(sandbox: Sandbox) -> None:
    assert sandbox.truth(EVENT, "2026-11-21") == sandbox.truth(EVENT, "2026-11-21", NOW + timedelta(days=30))


def test_ow2_ow7_performance_changes_every_day_for_ten_days(sandbox: Sandbox) -> None:
    def at_age(days: int) -> list[dict[str, str]]:
        return sandbox.truth(PERFORMANCE, DAY, datetime(2026, 11, 12, 13, tzinfo=UTC) + timedelta(days=days))

    for age in range(1, 10):
        assert at_age(age) != at_age(age + 1)
        assert len(at_age(age)) <= len(at_age(age + 1))
    assert len(at_age(1)) < len(at_age(10))
    assert at_age(10) == at_age(11) == at_age(400)
    assert at_age(10) != sandbox.truth(EVENT, DAY)


def test_ow7_before_noon_yesterday_is_partial_or_not_there(sandbox: Sandbox) -> None:
    noon = datetime(2026, 11, 13, 12, tzinfo=UTC)
    whole = sandbox.truth(EVENT, DAY, noon)
    partial = sandbox.truth(EVENT, DAY, noon - timedelta(seconds=1))
    assert 0 < len(partial) < len(whole)
    sandbox.settings.change("dt", early="none")
    assert sandbox.truth(EVENT, DAY, noon - timedelta(seconds=1)) == []
    assert sandbox.truth(EVENT, DAY, noon) == whole


def test_ow3_every_known_metric_and_dimension_is_served(client: Client) -> None:
    every = client.read(
        splits=[*SPLITS, *UNDOCUMENTED_DIMENSIONS], metrics=[*METRICS, *UNDOCUMENTED_METRICS], start=DAY, end=DAY
    )
    assert set(every[0]) == {*SPLITS, *UNDOCUMENTED_DIMENSIONS, *METRICS, *UNDOCUMENTED_METRICS}
    assert "Shop\nfirst order" in {row["Campaign Name"] for row in every}
    assert len(every) > len(client.sandbox.truth(EVENT, DAY))


def test_ow4_without_date_in_the_splits_days_are_summed(client: Client) -> None:
    by_day = client.read(splits=["Date"], metrics=["Offer Clicks"])
    assert sorted(row["Date"] for row in by_day) == ["2026-11-10", "2026-11-11", "2026-11-12"]
    whole = client.read(splits=[], metrics=["Offer Clicks"])
    assert whole == [{"Offer Clicks": str(sum(int(row["Offer Clicks"]) for row in by_day))}]


def test_sums_are_the_same_in_every_split_but_unique_users_are_fewer(client: Client) -> None:
    fine = client.sandbox.truth(EVENT, DAY)
    by_app = client.read(start=DAY, end=DAY, splits=["DT Publisher App ID"])
    for metric in ("Offer Impressions", "Offer Clicks"):
        assert sum(int(row[metric] or 0) for row in fine) == sum(int(row[metric] or 0) for row in by_app)
    money = sum(float(row["Publisher Revenue"] or 0) for row in fine)
    assert sum(float(row["Publisher Revenue"] or 0) for row in by_app) == pytest.approx(money)
    users = sum(int(row["OFW Unique Users"] or 0) for row in fine)
    assert sum(int(row["OFW Unique Users"] or 0) for row in by_app) < users


def test_arpu_is_revenue_by_unique_users(sandbox: Sandbox) -> None:
    for row in sandbox.truth(EVENT, DAY):
        if row["Publisher Revenue"] and int(row["OFW Unique Users"] or 0):
            arpu = float(row["Publisher Revenue"]) / int(row["OFW Unique Users"])
            assert row["Publisher ARPU"] == repr(arpu)
        else:
            assert row["Publisher ARPU"] == ""


def test_ow1_filters_keep_the_named_values_alone(client: Client) -> None:
    wanted = [
        {"dimension": "Country", "values": ["NA", "KOREA, REPUBLIC OF"]},
        {"dimension": "DT Publisher App ID", "values": ["171893"]},
        {"dimension": "Date", "values": [DAY]},
    ]
    truth = [
        row
        for row in client.sandbox.truth(EVENT, DAY)
        if row["Country"] in {"NA", "KOREA, REPUBLIC OF"} and row["DT Publisher App ID"] == "171893"
    ]
    assert in_order(client.read(filters=wanted)) == in_order(truth)
    assert client.read(filters=[{"dimension": "Country", "values": ["ATLANTIS"]}]) == []


def test_ninety_days_are_answered_whole(client: Client) -> None:
    answer = client.ask(query(start=NINETY[0], end=NINETY[-1]))
    found = rows(get(answer.json()["url"]))
    assert len(found) > 12000


def test_lines_can_end_as_windows_ends_them(client: Client) -> None:
    client.sandbox.settings.change("dt", line_end="\r\n")
    content = get(client.url(start=DAY, end=DAY)).content
    assert content.count(b"\r\n") == 1 + len(client.sandbox.truth(EVENT, DAY))
