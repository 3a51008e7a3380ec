"""Raw responses are kept for as long as is set, and what cannot be removed harms no run."""

import os
import time
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from reporting_dags.model.errors import SettingError
from reporting_dags.orchestration.storage import StorageResource
from reporting_dags_tests.orchestration.conftest import Place, failure_of

EVENT = "dt_offer_wall/event"


def keep_of(instance: dg.DagsterInstance, home: StorageResource | None = None) -> timedelta | None:
    with (home or StorageResource()).open(instance) as opened:
        return opened.keep_raw


def raw(place: Place) -> set[str]:
    return {path.name for path in (place.home / "raw" / EVENT).glob("*")}


def written(path: Path, days_ago: float) -> None:
    moment = time.time() - days_ago * 86400
    os.utime(path, (moment, moment))


def grow_old(place: Place, days: float) -> None:
    for path in (place.home / "raw").rglob("*"):
        if path.is_file():
            written(path, days)


@pytest.mark.parametrize(
    ("text", "kept"), [(None, 90), ("2", 2), (" 365 ", 365), ("36500", 36500), ("forever", None), ("Forever", None)]
)
def test_raw_answers_are_kept_for_as_long_as_is_set(
    place: Place, monkeypatch: pytest.MonkeyPatch, text: str | None, kept: int | None
) -> None:
    if text is not None:
        monkeypatch.setenv("REPORTING_RAW_DAYS", text)
    assert keep_of(place.instance) == (None if kept is None else timedelta(days=kept))


def test_the_resource_s_own_field_wins(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPORTING_RAW_DAYS", "forever")
    assert keep_of(place.instance, StorageResource(raw_days="7")) == timedelta(days=7)


@pytest.mark.parametrize("text", ["", " ", "0", "1", "-3", "2.5", "ten", "٣", "36501", "9" * 5000, "for ever"])
def test_what_is_no_time_is_refused_in_one_line_that_names_the_variable(
    place: Place, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("REPORTING_RAW_DAYS", text)
    with pytest.raises(SettingError, match=r"^REPORTING_RAW_DAYS is ") as refused:
        keep_of(place.instance)
    assert "\n" not in refused.value.line
    assert refused.value.line.endswith("or forever.")


def test_a_run_that_may_not_know_how_long_asks_nobody(
    place: Place, newest: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORTING_RAW_DAYS", "0")
    line = failure_of(place.run(newest))
    assert "REPORTING_RAW_DAYS is '0'" in line
    assert not (place.home / "raw").exists()


def test_old_raw_answers_are_gone_at_the_end_of_the_next_run_of_their_report(
    place: Place, newest: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORTING_RAW_DAYS", "10")
    assert place.run(newest).success
    first = raw(place)
    other = place.home / "raw" / "mintegral" / "offer_performance" / "old.tsv"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"x")
    grow_old(place, 9.9)
    assert place.run(newest - timedelta(days=1)).success
    assert first < raw(place)
    young = raw(place) - first
    for path in (place.home / "raw" / EVENT).glob("*"):
        if path.name in first:
            written(path, 10.1)
    written(other, 20)
    assert place.run(newest - timedelta(days=2)).success
    assert young < raw(place)
    assert not first & raw(place)
    assert other.exists(), "another report's are not this run's business"


def test_forever_keeps_all(place: Place, newest: date, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPORTING_RAW_DAYS", "forever")
    assert place.run(newest).success
    first = raw(place)
    grow_old(place, 5000)
    assert place.run(newest - timedelta(days=1)).success
    assert first < raw(place)


def test_what_cannot_be_removed_is_a_warning_and_the_day_stands(
    place: Place, newest: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if "raw" in path.parts:
            raise PermissionError(13, "no")
        unlink(path, missing_ok)

    assert place.run(newest).success
    grow_old(place, 91)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        result = place.run(newest - timedelta(days=1))
    assert result.success
    assert len(place.materialized()) == 2
    warnings = [
        record.event_log_entry
        for record in place.instance.get_records_for_run(result.run_id).records
        if record.event_log_entry.level == 30
    ]
    told = [entry.user_message for entry in warnings]
    assert [text for text in told if text.startswith(f"{EVENT}: old raw responses are left: raw store")], told
