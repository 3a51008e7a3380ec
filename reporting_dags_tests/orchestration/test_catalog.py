"""What Dagster's catalog shows of the assets, and what an ordinary run logs."""

import logging
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from reporting_dags.definitions import definitions
from reporting_dags.orchestration.keys import key_of
from reporting_dags.reports.network import NETWORK
from reporting_dags.reports.registry import all_reports
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.orchestration.conftest import Place

SHOWN = (*all_reports(), NETWORK)


def specs() -> dict[dg.AssetKey, dg.AssetSpec]:
    return {spec.key: spec for spec in definitions().resolve_all_asset_specs()}


def test_assets_have_the_owners_that_the_setting_names(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {tuple(spec.owners) for spec in specs().values()} == {()}
    monkeypatch.setenv("REPORTING_OWNERS", "team:finance, anna@example.com")
    assert {tuple(spec.owners) for spec in specs().values()} == {("team:finance", "anna@example.com")}


@pytest.mark.parametrize("owner", ["finance", "team:", "team:a b", "anna@", "@example.com", "a@b@c.de"])
def test_an_owner_that_dagster_does_not_accept_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, owner: str
) -> None:
    monkeypatch.setenv("REPORTING_OWNERS", f"team:finance,{owner}")
    with pytest.raises(Exception, match=f"REPORTING_OWNERS contains '{owner}', which is neither an e-mail address"):
        definitions()


def test_a_dataset_shows_its_address_kind_provider_columns_and_declaration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPORTING_DATA_URL", "s3://reports/ads/")
    found = specs()
    for report in SHOWN:
        spec = found[key_of(report)]
        assert spec.metadata["dagster/uri"] == f"s3://reports/ads/{report.key}"
        assert {"parquet", "s3"} <= spec.kinds
        assert spec.tags["provider"] == report.provider
        columns = {column.name for column in spec.metadata["dagster/column_schema"].columns}
        assert set(report.schema.names) <= columns
        references: Any = spec.metadata["dagster/code_references"]
        (reference,) = references.code_references
        line = Path(reference.file_path).read_text().splitlines()[reference.line_number - 1]
        assert f'name="{report.name}"' in line


@pytest.mark.parametrize(
    "address",
    [
        "s3://a-key-id:a-secret-key@reports/ads?region=eu-west-1",
        "s3://reports/ads/?access_key=a-key-id&secret_key=a-secret-key&endpoint_override=127.0.0.1:9",
    ],
)
def test_the_address_of_a_dataset_shows_neither_credentials_nor_parameters(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("REPORTING_DATA_URL", address)
    found = specs()
    assert {found[key_of(report)].metadata["dagster/uri"] for report in SHOWN} == {
        f"s3://reports/ads/{report.key}" for report in SHOWN
    }
    assert not any("a-secret-key" in repr(spec) for spec in found.values())


def test_the_code_version_is_that_of_the_declaration_also_of_what_has_landed(
    live: Sandbox, place: Place, newest: date
) -> None:
    found = specs()
    assert [found[key_of(report)].code_version for report in SHOWN] == [report.version for report in SHOWN]
    assert place.run(newest).success
    report = next(report for report in all_reports() if report.key == "dt_offer_wall/event")
    record = place.instance.get_latest_materialization_event(key_of(report))
    assert record is not None
    materialization = record.asset_materialization
    assert materialization is not None
    assert (materialization.tags or {})["dagster/code_version"] == found[key_of(report)].code_version


def test_an_ordinary_run_logs_no_warning_and_skips_no_step(live: Sandbox, place: Place, newest: date) -> None:
    result = place.run(newest)
    assert result.success
    entries = place.instance.all_logs(result.run_id)
    assert [entry.user_message for entry in entries if int(entry.level) >= logging.WARNING] == []
    skipped = [entry for entry in entries if entry.dagster_event_type is dg.DagsterEventType.STEP_SKIPPED]
    assert skipped == []
