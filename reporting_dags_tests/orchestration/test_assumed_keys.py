"""Rows that share a key which no document promises: the days land, and Dagster shows a warning."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from reporting_dags.model.report import Report
from reporting_dags.orchestration.asset_checks import check_specs
from reporting_dags.orchestration.keys import key_of
from reporting_dags.reports.dictionary import dictionary
from reporting_dags.reports.integr8 import CONVERSIONS, POSTBACKS
from reporting_dags.reports.registry import all_reports
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.orchestration.conftest import Place
from reporting_dags_tests.truth import expected_rows, landed_rows

ASSUMED = {"dt_user_level/revenue", "integr8/clicks", "integr8/conversions", "integr8/impressions", "integr8/postbacks"}


def evaluations(place: Place, key: dg.AssetKey) -> list[dg.AssetCheckEvaluation]:
    """Every result of the check of the grain."""
    records = place.instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(key, "grain_unique"), limit=100
    )
    events = [record.event.dagster_event for record in records if record.event is not None]
    return [
        event.asset_check_evaluation_data
        for event in events
        if event is not None and event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
    ]


@pytest.mark.rule("IN10")
def test_days_whose_rows_share_an_assumed_key_land_and_the_check_warns(live: Sandbox, place: Place) -> None:
    live.settings.change("integr8", shared_keys=4, unknown_fields=("attempt", "method"), empty_day_one_in=0)
    for report in (CONVERSIONS, POSTBACKS):
        key, day = key_of(report), report.calendar.latest_available(datetime.now(UTC))
        result = place.run(day, key=key)
        assert result.success
        assert landed_rows(place.store, report, day) == expected_rows(live, report, day)
        told = evaluations(place, key)
        assert {each.partition for each in told} == {day.isoformat()}
        for each in told:
            assert (each.passed, each.severity, each.blocking) == (False, dg.AssetCheckSeverity.WARN, False)
            assert f"keys of {', '.join(report.grain_names)}, such as " in (each.description or "")
            assert int(str(each.metadata["rows_sharing_keys"].value)) > 1
        warnings = place.metadata(day, key)["warnings"]
        assert "no document promises that keys are unique" in warnings
        assert ("does not name: attempt, method" in warnings) is (report is POSTBACKS)


@pytest.mark.rule("IN4")
def test_postbacks_land_where_the_provider_leaves_out_the_fields_that_it_does_not_know(
    live: Sandbox, place: Place
) -> None:
    unknown = ("attempt", "id", "response_code")
    live.settings.change("integr8", unknown_fields=unknown, unknown_fields_shown=False, empty_day_one_in=0)
    key, day = key_of(POSTBACKS), POSTBACKS.calendar.latest_available(datetime.now(UTC))
    assert place.run(day, key=key).success
    warnings = place.metadata(day, key)["warnings"]
    assert "does not name: attempt, id, response_code" in warnings
    rows = len(live.truth(POSTBACKS.key, day))
    assert f"{rows} rows share 1 keys of id" in warnings
    assert landed_rows(place.store, POSTBACKS, day).total() == rows


@pytest.mark.parametrize("report", all_reports(), ids=lambda report: report.key)
def test_a_key_blocks_where_a_document_promises_it_and_the_specs_and_the_dictionary_say_so(
    report: Report,
) -> None:
    assert report.grain_promised is (report.key not in ASSUMED)
    (spec,) = [spec for spec in check_specs(report, None) if spec.name == "grain_unique"]
    assert spec.blocking is report.grain_promised
    assert ("A warning: no document promises it." in (spec.description or "")) is not report.grain_promised
    document = dictionary([report], [])
    assert ("(assumed: rows" in document) is not report.grain_promised
    if report.control is not None:
        assert report.control.grain_promised
