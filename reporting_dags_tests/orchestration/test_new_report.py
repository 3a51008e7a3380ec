"""A new report is one declaration: these stand in no catalogue, and go the whole way all the same."""

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pyarrow.parquet as pq
import pytest

from reporting_dags.definitions import definitions
from reporting_dags.model.report import Report
from reporting_dags.orchestration.asset_specs import CatalogSettings
from reporting_dags.orchestration.assets import report_asset
from reporting_dags.providers.digital_turbine.offer_wall_report import Filter, offer_wall_report
from reporting_dags.providers.integr8.report import integr8_log
from reporting_dags.providers.mintegral.report import advanced_performance_report
from reporting_dags.providers.orangeclick.report import DimensionFilter, orangeclick_report
from reporting_dags.sandbox.digital_turbine.report_request import ReportRequest as OfferWallQuestion
from reporting_dags.sandbox.mintegral.report_request import ReportRequest as MintegralQuestion
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.orchestration.conftest import Place, failure_of

NEW = (
    offer_wall_report(
        name="by_campaign",
        source="event",
        splits=("Date", "Campaign ID", "Campaign Name", "Country"),
        metrics=("Publisher Revenue", "Offer Conversions"),
        filters=(Filter("Country", ("GERMANY", "FRANCE")),),
    ),
    advanced_performance_report(name="by_sub_hourly", dimensions=("Offer", "Sub"), granularity="hourly", timezone="+8"),
    orangeclick_report(
        name="german_desktops",
        dimensions=("day", "domain"),
        metrics=("impressions", "earnings"),
        currency="EUR",
        filter_groups=((DimensionFilter("country", ("DE",)), DimensionFilter("device", ("desktop",))),),
    ),
    integr8_log(name="urgent_clicks", log="clicks", fields=("real_tx_id", "request_time", "status"), method="table"),
)


@pytest.mark.parametrize("report", NEW, ids=lambda report: report.key)
def test_a_new_declaration_becomes_an_asset_with_checks_and_lands(report: Report, place: Place) -> None:
    day = report.calendar.latest_available(datetime.now(UTC)) - timedelta(days=1)
    loaded = definitions()
    asset = report_asset(report, day - timedelta(days=10), day - timedelta(days=10), CatalogSettings())
    both = dg.Definitions.merge(dg.Definitions(assets=[asset], resources=loaded.resources))
    job = both.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(
        instance=place.instance, partition_key=day.isoformat(), raise_on_error=False, resources=loaded.resources
    )
    assert result.success, failure_of(result)
    table = pq.read_table(place.data / report.file(day))
    assert table.schema.equals(report.schema)
    assert table.num_rows > 0
    key = dg.AssetKey([report.provider, report.name])
    assert all(place.checks(name, key)[day.isoformat()] for name in ("schema", "grain_unique", "rows_complete"))


def test_the_new_offer_wall_report_holds_what_was_asked(live: Sandbox, place: Place) -> None:
    report = NEW[0]
    day = report.calendar.latest_available(datetime.now(UTC)) - timedelta(days=1)
    test_a_new_declaration_becomes_an_asset_with_checks_and_lands(report, place)
    query = report.query
    question = OfferWallQuestion("event", day, day, query.metrics, query.splits, (("Country", ("GERMANY", "FRANCE")),))
    truth: Any = live.providers["dt"]
    assert pq.read_table(place.data / report.file(day)).num_rows == len(truth.rows(question).rows)


def test_the_new_mintegral_report_holds_what_was_asked(live: Sandbox, place: Place) -> None:
    report = NEW[1]
    day = report.calendar.latest_available(datetime.now(UTC)) - timedelta(days=1)
    test_a_new_declaration_becomes_an_asset_with_checks_and_lands(report, place)
    truth: Any = live.providers["mintegral"]
    question = MintegralQuestion(day, day, ("Offer", "Sub"), granularity="hourly", zone=8 * 60)
    assert pq.read_table(place.data / report.file(day)).num_rows == len(truth.rows(question).rows)
