"""The shipped declarations, and what a user may do wrong in one."""

from typing import Any, cast

import pytest

from reporting_dags.model.column import identity
from reporting_dags.model.errors import DeclarationError
from reporting_dags.model.report import Report
from reporting_dags.providers.digital_turbine.offer_wall_report import Filter, offer_wall_report
from reporting_dags.reports.dt_offer_wall import EVENT, PERFORMANCE
from reporting_dags.reports.registry import all_reports

VERSIONS = {
    "dt_offer_wall/performance": "4ee0b0b72c0d3dd4",
    "dt_offer_wall/event": "07be91909224d03d",
    "dt_user_level/revenue": "a894cb86c38e97f3",
    "mintegral/offer_performance": "b75e3c689138ee5c",
    "mintegral/creative_performance": "fe719b14053007cf",
    "mintegral/offer_performance_hourly": "a63dd7711be03c9c",
    "orangeclick/earnings": "1fe78009e6ec45c8",
    "integr8/clicks": "f3d87bccd21f9082",
    "integr8/conversions": "fe2041b6136bd709",
    "integr8/impressions": "c41a15fd5248d0f0",
    "integr8/postbacks": "b56c60ca84e899b6",
    "integr8/offers": "cf9a68398bd38373",
    "integr8/publishers": "3cab6d6a3a8ccb80",
    "integr8/advertisers": "50899ad94075234a",
}
"""Of the shipped reports, under the default policy. Another version makes every landed day due again."""

GOOD: dict[str, Any] = {
    "name": "by_campaign",
    "source": "event",
    "splits": ("Date", "Campaign ID"),
    "metrics": ("Publisher Revenue",),
}


def declare(change: dict[str, Any]) -> Report:
    """The good declaration, with some of its fields changed."""
    fields: dict[str, Any] = {**GOOD, **change}
    return offer_wall_report(**fields)


def test_the_shipped_reports_are_those_of_the_contract() -> None:
    assert {report.key for report in all_reports()} >= {"dt_offer_wall/performance", "dt_offer_wall/event"}
    for report in (PERFORMANCE, EVENT):
        assert report.schema.names == [
            "dt_publisher_app_id",
            "country",
            "publisher_revenue",
            "publisher_arpu",
            "offer_impressions",
            "offer_clicks",
            "ofw_unique_users",
        ]
        assert report.window_days == 90
        assert report.grain_names == ("dt_publisher_app_id", "country")


@pytest.mark.rule("OW1", "OW2", "OW3", "OW4")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"metrics": ("Publisher Revenu",)}, "metrics: unknown 'Publisher Revenu'; known names: Publisher Revenue"),
        ({"metrics": ("publisher revenue",)}, "metrics: unknown 'publisher revenue'"),
        ({"metrics": ()}, "metrics: is empty"),
        ({"splits": ("Campaign ID",)}, "splits: lacks 'Date'"),
        ({"splits": ("Date", "Region")}, "splits: unknown 'Region'"),
        ({"source": "Event"}, "source: unknown 'Event'; known names: performance, event"),
        ({"filters": (Filter("Region", ("X",)),)}, "filters: unknown 'Region'"),
        ({"filters": (Filter("Country", ()),)}, "filters: 'Country' has no values to keep"),
        ({"filters": (Filter("Country", cast("Any", "GERMANY")),)}, "filters: 'Country' has the text 'GERMANY'"),
        ({"splits": "Date"}, "splits: is the text 'Date'. Fix: write a list"),
        ({"metrics": "Publisher Revenue"}, "metrics: is the text"),
        (
            {"splits": ("Date", *(identity(f"D{n}", "d") for n in range(6)))},
            "splits: has 6 dimensions besides Date; the maximum is 5 (OW4)",
        ),
    ],
)
def test_ow1_to_ow4_a_wrong_offer_wall_report_fails_at_load_in_one_line(change: dict[str, Any], says: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        declare(change)
    assert str(caught.value).startswith("reports/dt_offer_wall.py: dt_offer_wall/by_campaign: ")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_metric_that_no_document_names_can_be_declared_as_a_column() -> None:
    report = declare({"splits": ("Date", identity("Placement ID", "Placement"))})
    assert report.query.splits == ("Date", "Placement ID")
    assert report.schema.names == ["placement_id", "publisher_revenue"]


def test_the_shipped_reports_keep_their_versions_so_that_no_landed_day_becomes_due() -> None:
    assert {report.key: report.version for report in all_reports()} == VERSIONS
