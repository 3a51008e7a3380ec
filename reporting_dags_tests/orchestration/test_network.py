from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import time_machine
from dagster._core.definitions.sensor_definition import SensorExecutionData

from reporting_dags.definitions import definitions
from reporting_dags.jobs.building import build as combining
from reporting_dags.landing.reading.combine import Source
from reporting_dags.model.errors import DeclarationError
from reporting_dags.orchestration import network
from reporting_dags.orchestration.network_build import SUMS_MATCH
from reporting_dags.orchestration.run_requests import RANGE_END, RANGE_START
from reporting_dags.orchestration.sensors.alerts import Alerts
from reporting_dags.orchestration.sensors.failure_events import Severity
from reporting_dags.orchestration.sensors.incidents import AlertCursor
from reporting_dags.providers.orangeclick.report import orangeclick_report
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags.reports.integr8 import CLICKS, CONVERSIONS, OFFERS
from reporting_dags.reports.mintegral import OFFER_PERFORMANCE
from reporting_dags.reports.network import NETWORK, SOURCES
from reporting_dags.reports.orangeclick import EARNINGS
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.orchestration.conftest import Place, failure_of
from reporting_dags_tests.orchestration.ticks import loaded_now

KEY = dg.AssetKey(["network", "daily"])
UNIT = Decimal(1).scaleb(-18)


def key(report: Any) -> dg.AssetKey:
    return dg.AssetKey([report.provider, report.name])


def rows(place: Place, day: date, source: str) -> list[dict[str, Any]]:
    table = pq.read_table(place.data / NETWORK.file(day))
    assert table.schema.equals(NETWORK.schema)
    return [row for row in table.to_pylist() if row["source_asset"] == source]


@pytest.fixture
def day(live: Sandbox, newest: date) -> date:
    """A day on which every network has traffic."""
    for provider in live.providers:
        live.settings.change(provider, empty_day_one_in=0)
    return newest - timedelta(days=1)


def test_a_day_holds_the_sources_that_have_landed_and_names_those_that_have_not(place: Place, day: date) -> None:
    for report in (EVENT, OFFER_PERFORMANCE, EARNINGS):
        assert place.run(day, key=key(report)).success
    assert place.run(day, key=KEY).success
    assert {row["source_asset"] for row in pq.read_table(place.data / NETWORK.file(day)).to_pylist()} == {
        EVENT.key,
        OFFER_PERFORMANCE.key,
        EARNINGS.key,
    }
    assert place.checks("sources_landed", KEY)[day.isoformat()] is False
    told = place.check_descriptions("sources_landed", KEY)[day.isoformat()]
    assert told is not None
    assert told.startswith("missing: dt_user_level/revenue, integr8/impressions")
    assert place.checks(SUMS_MATCH, KEY)[day.isoformat()] is True


def test_figures_are_the_sources_own_summed_exactly_with_currencies_apart(
    live: Sandbox, place: Place, day: date
) -> None:
    for report in (EVENT, OFFER_PERFORMANCE, EARNINGS):
        assert place.run(day, key=key(report)).success
    assert place.run(day, key=KEY).success
    spend: defaultdict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    clicks: Counter[tuple[str, str, str]] = Counter()
    for row in live.truth(OFFER_PERFORMANCE.key, day):
        group = (row["Offer Id"], row["Location"], row["Currency"])
        spend[group] += Decimal(row["Spend"]).quantize(UNIT)
        clicks[group] += int(row["Click"] or 0)
    found = rows(place, day, OFFER_PERFORMANCE.key)
    assert {(row["entity"], row["country"], row["currency"]): row["spend"] for row in found} == spend
    assert {(row["entity"], row["country"], row["currency"]): row["clicks"] for row in found} == clicks
    assert {row["currency"] for row in found} == {"USD", "CNY"}
    assert {(row["network"], row["report_timezone"], row["earnings"]) for row in found} == {("mintegral", "UTC", None)}
    earned = sum((Decimal(row["earnings"] or 0).quantize(UNIT) for row in live.truth(EARNINGS.key, day)), Decimal())
    assert sum(row["earnings"] or 0 for row in rows(place, day, EARNINGS.key)) == earned
    assert {row["clicks"] for row in rows(place, day, EARNINGS.key)} == {None}


def test_integr8s_money_is_in_its_offers_currency_and_rejected_rows_earn_nothing(
    live: Sandbox, place: Place, day: date
) -> None:
    days = (day - timedelta(days=age) for age in range(30))
    day = next(one for one in days if any(row["status"] == "Rejected" for row in live.truth(CONVERSIONS.key, one)))
    assert place.run(day, key=key(CONVERSIONS)).success
    assert place.run(day, key=key(CLICKS)).success
    assert place.run(day, key=KEY).success
    assert {row["currency"] for row in rows(place, day, CONVERSIONS.key)} == {None}
    assert place.snapshot(key(OFFERS)).success
    assert place.run(day, key=KEY).success
    currencies = {row["id"]: row["currency"] for row in live.truth(OFFERS.key, day)}
    earned: defaultdict[tuple[str, str, str | None], Decimal] = defaultdict(Decimal)
    counted: Counter[tuple[str, str, str | None]] = Counter()
    rejected = 0
    for row in live.truth(CONVERSIONS.key, day):
        group = (row["offer_db_id"], row["country"], currencies.get(row["offer_db_id"]))
        counted[group] += 1
        rejected += row["status"] == "Rejected"
        earned[group] += Decimal() if row["status"] == "Rejected" else Decimal(row["revenue"] or 0).quantize(UNIT)
    found = rows(place, day, CONVERSIONS.key)
    assert rejected
    assert {(row["entity"], row["country"], row["currency"]): row["conversions"] for row in found} == counted
    assert {(row["entity"], row["country"], row["currency"]): row["earnings"] or 0 for row in found} == earned
    assert {row["currency"] for row in found} <= {"USD", "EUR"}


def test_a_day_without_any_source_fails_in_one_line_and_leaves_the_others(place: Place, day: date) -> None:
    assert place.run(day, key=key(EARNINGS)).success
    result = place.run(day - timedelta(days=1), day, key=KEY)
    assert failure_of(result) == (
        f"network/daily {day - timedelta(days=1)} not ready: none of its sources has landed. Materialize them first. "
        "Next attempt: when one of its sources lands"
    )
    assert place.materialized(KEY) == {day.isoformat()}


def test_a_day_is_asked_for_when_a_source_lands_and_again_when_its_content_changes(
    live: Sandbox, place: Place, day: date
) -> None:
    assert asked(place) == (set(), "every day is built from the latest version of its sources")
    assert place.run(day, key=key(EARNINGS)).success
    assert asked(place)[0] == {day.isoformat()}
    assert place.run(day, key=KEY).success
    assert asked(place)[0] == set()
    # Run again with the same content, nothing is to be built; with another, the day is.
    assert place.run(day, key=key(EARNINGS)).success
    assert asked(place)[0] == set()
    live.settings.change("orangeclick", lost_domains=(live.truth(EARNINGS.key, day)[0]["domain"],))
    assert place.run(day, key=key(EARNINGS)).success
    assert asked(place)[0] == {day.isoformat()}


def test_a_source_that_lands_between_two_looks_is_never_lost(place: Place, day: date) -> None:
    assert place.run(day, key=key(EARNINGS)).success
    assert place.run(day, key=KEY).success
    assert place.run(day, key=key(EVENT)).success  # a second after the building, no look in between
    assert asked(place)[0] == {day.isoformat()}


def test_currencies_that_were_not_known_are_filled_in_once_the_offers_have_landed(place: Place, day: date) -> None:
    assert place.run(day, key=key(CLICKS)).success
    assert place.run(day, key=KEY).success
    assert asked(place)[0] == set()
    assert place.snapshot(key(OFFERS)).success
    assert asked(place)[0] == {day.isoformat()}
    assert place.run(day, key=KEY).success
    assert asked(place)[0] == set()
    assert {row["currency"] for row in rows(place, day, CLICKS.key)} <= {"USD", "EUR"}


def with_money(live: Sandbox, day: date) -> str:
    """An offer that earned on the day."""
    earned = (row for row in live.truth(CONVERSIONS.key, day) if row["status"] == "Approved" and row["revenue"])
    return next(row["offer_db_id"] for row in earned if Decimal(row["revenue"]))


@pytest.mark.rule("IN9")
def test_the_currency_of_an_offer_that_was_deleted_is_not_forgotten(live: Sandbox, place: Place, day: date) -> None:
    offer = with_money(live, day)
    currency = next(row["currency"] for row in live.truth(OFFERS.key, day) if row["id"] == offer)
    assert place.run(day, key=key(CONVERSIONS)).success
    assert place.snapshot(key(OFFERS)).success
    live.settings.change("integr8", lost_offers=(offer,))
    assert place.snapshot(key(OFFERS)).success
    assert place.run(day, key=KEY).success
    assert {row["currency"] for row in rows(place, day, CONVERSIONS.key) if row["entity"] == offer} == {currency}
    assert place.checks("currency_known", KEY)[day.isoformat()] is True


@pytest.mark.rule("IN9")
def test_an_offer_whose_currency_was_edited_keeps_the_earlier_one_for_earlier_days(
    live: Sandbox, place: Place, day: date
) -> None:
    offer = with_money(live, day)
    currency = next(row["currency"] for row in live.truth(OFFERS.key, day) if row["id"] == offer)
    assert place.run(day, key=key(CONVERSIONS)).success
    assert place.snapshot(key(OFFERS)).success
    assert place.run(day, key=KEY).success
    live.settings.change("integr8", offer_currencies=(f"{offer}=GBP",))
    assert place.snapshot(key(OFFERS)).success
    assert asked(place)[0] == set(), "a new snapshot alone rebuilds nothing"
    assert place.run(day, key=KEY).success
    assert {row["currency"] for row in rows(place, day, CONVERSIONS.key) if row["entity"] == offer} == {currency}


@pytest.mark.rule("IN9")
def test_money_without_a_known_currency_is_a_warning_that_names_entity_and_money(
    live: Sandbox, place: Place, day: date
) -> None:
    offer = with_money(live, day)
    live.settings.change("integr8", lost_offers=(offer,))
    assert place.run(day, key=key(CONVERSIONS)).success
    assert place.snapshot(key(OFFERS)).success
    assert place.run(day, key=KEY).success
    assert place.checks("currency_known", KEY)[day.isoformat()] is False
    told = place.check_descriptions("currency_known", KEY)[day.isoformat()] or ""
    assert told.startswith(f"no currency was ever known of 1 entity: {offer} (earnings ")
    assert told.endswith("Fix: materialize integr8/offers; the day is rebuilt as soon as that names them")
    live.settings.change("integr8", lost_offers=())
    assert place.snapshot(key(OFFERS)).success
    assert asked(place)[0] == {day.isoformat()}
    assert place.run(day, key=KEY).success
    assert place.checks("currency_known", KEY)[day.isoformat()] is True


def test_while_a_run_is_building_no_other_is_asked_for(place: Place, day: date) -> None:
    assert place.run(day, key=key(EARNINGS)).success
    job = dg.Definitions.resolve_implicit_global_asset_job_def(definitions())
    run = place.instance.create_run_for_job(job, asset_selection=frozenset([KEY]), status=dg.DagsterRunStatus.STARTED)
    assert asked(place) == (set(), "a run is building network/daily")
    place.instance.delete_run(run.run_id)
    assert asked(place)[0] == {day.isoformat()}


def test_a_ledger_that_is_locked_is_told_by_the_tick(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    asked(place)
    monkeypatch.setattr(network, "TICK_LOCK_SECONDS", 0.2)
    with place.locked():
        days, told = asked(place)
    assert not days
    assert "stays locked by another process" in str(told)


def asked(place: Place) -> tuple[set[str], str | None]:
    """The days that a look at the sources requests, and what it says when it requests none."""
    told = tick(place)
    requests = told.run_requests or []
    assert all(request.asset_selection == [KEY] for request in requests)
    return {request.partition_key or str(request.tags) for request in requests}, told.skip_message


def tick(place: Place) -> SensorExecutionData:
    """One look of the sensor at the sources."""
    loaded = loaded_now()
    sensor = loaded.resolve_sensor_def("network_daily_rebuild")
    home = {"home": loaded.resources["home"]} if loaded.resources else {}
    context = dg.build_sensor_context(
        instance=place.instance, resources=home, repository_def=loaded.get_repository_def()
    )
    with context:
        return sensor.evaluate_tick(context)


def test_what_was_read_while_a_source_landed_anew_is_not_published(
    place: Place, day: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert place.run(day, key=key(EARNINGS)).success
    read = combining.combine
    calls: list[str] = []

    def slow(source: Any, *args: Any, **settings: Any) -> Any:
        table = read(source, *args, **settings)
        calls.append(source.report.key)
        if len(calls) == 1:  # between the reading and the publishing, another source lands
            assert place.run(day, key=key(EVENT)).success
        return table

    monkeypatch.setattr(combining, "combine", slow)
    assert place.run(day, key=KEY).success
    assert calls == [EARNINGS.key, EVENT.key, EARNINGS.key]
    assert rows(place, day, EVENT.key)


def test_a_source_whose_file_is_gone_fails_its_day_by_name_and_no_other(place: Place, day: date) -> None:
    before = day - timedelta(days=1)
    assert place.run(before, day, key=key(EARNINGS)).success
    (place.data / EARNINGS.file(before)).unlink()
    line = failure_of(place.run(before, day, key=KEY))
    assert line.startswith(f"network/daily {before} failed: orangeclick/earnings {before} cannot be read")
    assert place.materialized(KEY) == {day.isoformat()}


def after(minutes: Iterable[int]) -> Iterator[int]:
    """Each of `minutes` from now on, while it is the present one."""
    start = datetime.now(UTC)
    for minute in minutes:
        with time_machine.travel(start + timedelta(minutes=minute), tick=True):
            yield minute


def rebuilt(place: Place) -> list[tuple[str, bool]]:
    """One look of the sensor, and its runs as the daemon starts them: a run key that was used starts none."""
    outcomes: list[tuple[str, bool]] = []
    for request in tick(place).run_requests or []:
        assert request.run_key is not None
        if place.instance.get_runs(dg.RunsFilter(tags={"dagster/run_key": request.run_key})):
            continue
        result = (
            loaded_now()
            .resolve_implicit_global_asset_job_def()
            .execute_in_process(
                instance=place.instance,
                asset_selection=list(request.asset_selection or ()),
                partition_key=request.partition_key,
                tags={**request.tags, "dagster/run_key": request.run_key},
                raise_on_error=False,
            )
        )
        days = [request.tags[name] for name in (RANGE_START, RANGE_END) if name in request.tags]
        outcomes.append((request.partition_key or "...".join(days), result.success))
    return outcomes


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Sequence[str]]]:
    """Every alert, as it would be sent."""
    sent: list[tuple[str, Sequence[str]]] = []

    def send(_: Alerts, title: str, lines: Sequence[str], path: str, severity: Severity) -> Sequence[str]:
        assert path.startswith(("runs/", "assets/"))
        assert severity in Severity
        sent.append((title, lines))
        return []

    monkeypatch.setenv("REPORTING_ALERT_URLS", "json://localhost")
    monkeypatch.setattr(Alerts, "send", send)
    return sent


def alert(place: Place) -> None:
    """The sensor of the alerts, for all that ever happened."""
    context = dg.build_sensor_context(
        instance=place.instance,
        cursor=AlertCursor(after=0).text,
        resources={"alerts": Alerts()},
        repository_def=loaded_now().get_repository_def(),
    )
    with context:
        loaded_now().resolve_sensor_def("alerts").evaluate_tick(context)


def test_a_day_that_cannot_be_built_is_tried_after_growing_pauses_with_one_alert(
    place: Place, day: date, told: list[tuple[str, Sequence[str]]]
) -> None:
    assert place.run(day, key=key(EARNINGS)).success
    file = place.data / EARNINGS.file(day)
    whole = file.read_bytes()
    file.write_bytes(b"harmed")
    tried = [minute for minute in after([*range(5), *range(15, 9 * 60, 15)]) for _ in rebuilt(place)]
    assert tried == [0, 165 + 15, 165 + 15 + 330 + 15]
    alert(place)
    ((title, lines),) = [each for each in told if each[0].startswith("network/daily") and "failed" in each[0]]
    assert title == f"network/daily {day}: failed"
    assert lines[0].startswith(
        f"network/daily {day} failed: orangeclick/earnings {day} cannot be read: its file is damaged (ArrowInvalid). "
        f"Fix: materialize orangeclick/earnings {day} again, with replay: true from the kept raw response, or "
        "without it from the provider. Next attempt: when one of its sources lands again, or on "
    )
    # The same response again is no other version, but another landing.
    assert place.run(day, key=key(EARNINGS)).success
    assert file.read_bytes() == whole
    assert rebuilt(place) == [(day.isoformat(), True)]
    assert asked(place) == (set(), "every day is built from the latest version of its sources")


def test_the_tick_says_which_day_is_left_alone_and_builds_the_others(place: Place, day: date) -> None:
    before = day - timedelta(days=1)
    assert place.run(before, day, key=key(EARNINGS)).success
    (place.data / EARNINGS.file(before)).unlink()
    assert not place.run(before, day, key=KEY).success
    assert place.materialized(KEY) == {day.isoformat()}
    days, said = asked(place)
    assert days == set()
    cause = f"{before} failed 1 time: orangeclick/earnings {before} cannot be read: its file is gone; next attempt when"
    assert str(said).startswith(cause)
    assert place.run(day, key=key(EVENT)).success
    assert asked(place)[0] == {day.isoformat()}
    assert place.run(before, key=key(EVENT)).success
    assert rebuilt(place) == [(f"{before}...{day}", False)], "a source has landed, and so the day is tried at once"
    assert asked(place)[0] == set()


def test_a_data_root_that_takes_nothing_fails_all_days_of_a_run_at_once(place: Place, day: date) -> None:
    before = day - timedelta(days=1)
    assert place.run(before, day, key=key(EARNINGS)).success
    staging = place.data / ".staging"
    staging.rmdir()
    staging.write_text("no folder")
    line = failure_of(place.run(before, day, key=KEY))
    assert line.startswith(f"network/daily {before}...{day} failed: data root {place.data} cannot be written: ")
    assert "Next attempt: when one of its sources lands again, or on " in line
    assert asked(place)[0] == set()
    staging.unlink()
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=3), tick=True):
        assert [success for _, success in rebuilt(place)] == [True]


def test_a_run_that_dies_before_it_notes_anything_is_started_once_an_hour(place: Place, day: date) -> None:
    assert place.run(day, key=key(EARNINGS)).success
    keys = [request.run_key for _ in after(range(0, 120, 5)) for request in tick(place).run_requests or []]
    assert len(keys) == 24
    assert len(set(keys)) <= 3


def test_an_asset_of_ones_own_reads_the_table_in_the_same_run(place: Place, day: date) -> None:
    seen: list[int] = []

    @dg.asset(ins={"table": dg.AssetIn(KEY)}, partitions_def=definitions().get_assets_def(KEY).partitions_def)
    def summary(table: pa.Table) -> None:
        seen.append(table.num_rows)

    assert place.run(day, key=key(EARNINGS)).success
    job = dg.Definitions.merge(definitions(), dg.Definitions(assets=[summary])).resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(
        instance=place.instance,
        asset_selection=[KEY, dg.AssetKey("summary")],
        partition_key=day.isoformat(),
        raise_on_error=False,
    )
    assert result.success
    assert seen == [pq.read_metadata(place.data / NETWORK.file(day)).num_rows]
    assert place.metadata(day, KEY)["sources"] == EARNINGS.key


def test_a_report_that_lacks_what_the_table_needs_is_refused_at_load() -> None:
    lacking = orangeclick_report(name="earnings", dimensions=("day", "domain"))
    with pytest.raises(DeclarationError) as caught:
        Source(report=lacking, entity="domain", country="country", money={"earnings": "earnings"})
    assert caught.value.line == (
        "reports/network.py: orangeclick/earnings: 'country' is gone, which network/daily needs: "
        "give it back, or take the source out there"
    )


def test_every_network_of_the_contract_is_a_source() -> None:
    assert {source.report.provider for source in SOURCES} == {
        "dt_offer_wall",
        "dt_user_level",
        "mintegral",
        "orangeclick",
        "integr8",
    }
