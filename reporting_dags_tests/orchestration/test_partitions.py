"""Which days are offered as partitions: exactly those that are published, from the oldest one that can be had."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from reporting_dags.definitions import definitions
from reporting_dags.model.days import Calendar
from reporting_dags.orchestration.partitions import combined_calendar, day_partitions, first_partitions, same_day
from reporting_dags.orchestration.storage import StorageResource
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags.reports.dt_user_level import REVENUE
from reporting_dags.reports.registry import all_reports
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests import processes
from reporting_dags_tests.orchestration.conftest import Place

FIRST = date(2026, 1, 1)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Etc/GMT-8", "Asia/Kathmandu")
CHANGES = {
    "Europe/Berlin": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
}
"""Days on which the clocks of a zone change."""
AFTER = [timedelta(minutes=minutes) for minutes in (0, 90, 150, 720, 1800)]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("after", AFTER, ids=str)
def test_a_day_is_offered_from_the_minute_in_which_it_is_published(zone: str, after: timedelta) -> None:
    calendar = Calendar(timezone=zone, publish_delay=after)
    partitions = day_partitions(calendar, FIRST)
    days = [change + timedelta(days=n) for change in (*CHANGES.get(zone, ()), date(2026, 6, 10)) for n in range(-2, 2)]
    for day in days:
        published = calendar.published_at(day)
        for moment, newest in ((published - timedelta(minutes=1), day - timedelta(days=1)), (published, day)):
            assert calendar.latest_available(moment) == newest
            assert partitions.get_partition_keys(current_time=moment)[-1] == newest.isoformat()


def test_a_day_is_published_at_the_same_time_of_day_all_year() -> None:
    calendar = Calendar(timezone="America/New_York", publish_delay=timedelta(hours=6))
    for day in (date(2026, 3, 7), date(2026, 3, 8), date(2026, 6, 1), date(2026, 10, 31), date(2026, 11, 1)):
        assert calendar.published_at(day).astimezone(ZoneInfo("America/New_York")).hour == 6


def test_the_web_server_and_the_daemon_are_offered_published_days_alone() -> None:
    partitions = day_partitions(EVENT.calendar, FIRST)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    assert partitions.has_partition_key(tomorrow), "a command may name it, and is told when it is published"
    copy = dg.DailyPartitionsDefinition(FIRST.isoformat(), hour_offset=12, timezone="UTC")
    assert partitions == copy
    assert type(partitions) is type(copy)
    assert not copy.has_partition_key(tomorrow)
    assert copy.get_partition_keys()[-1] == EVENT.calendar.latest_available(datetime.now(UTC)).isoformat()


def test_the_first_partition_is_never_one_that_cannot_be_had() -> None:
    now = datetime(2026, 11, 30, 15, tzinfo=UTC)
    start = date(2026, 6, 1)
    oldest = REVENUE.calendar.earliest_available(now)
    assert oldest > start
    assert first_partitions([REVENUE, EVENT], start, {}, now) == {REVENUE.key: oldest, EVENT.key: start}
    requested = date(2026, 11, 2)
    assert first_partitions([REVENUE], start, {REVENUE.key: requested}, now)[REVENUE.key] == requested
    assert first_partitions([REVENUE], date(2026, 11, 10), {REVENUE.key: requested}, now)[REVENUE.key] == date(
        2026, 11, 10
    )
    # Where the ledger cannot be read, no landed day may disappear.
    assert first_partitions([REVENUE], start, None, now)[REVENUE.key] == start


def test_a_partition_that_has_landed_stays_when_the_provider_serves_it_no_longer(live: Sandbox, place: Place) -> None:
    day = REVENUE.calendar.latest_available(datetime.now(UTC)) - timedelta(days=1)
    key = dg.AssetKey(["dt_user_level", "revenue"])
    oldest = definitions().resolve_assets_def(key).partitions_def
    assert oldest is not None
    assert oldest.get_first_partition_key() == REVENUE.calendar.earliest_available(datetime.now(UTC)).isoformat()
    assert place.run(day, key=key).success
    later = datetime.now(UTC) + timedelta(days=40)
    firsts = first_partitions(all_reports(), date(2026, 6, 1), StorageResource().first_requested(), later)
    assert firsts[REVENUE.key] == day
    start = day + timedelta(days=1)
    firsts = first_partitions(all_reports(), start, StorageResource().first_requested(start), later)
    assert firsts[REVENUE.key] == REVENUE.calendar.earliest_available(later), (
        "what was had before the first day counts no longer"
    )


CALENDARS = [
    Calendar(publish_delay=timedelta(hours=hours, minutes=minutes))
    for hours, minutes in ((0, 0), (1, 0), (1, 30), (6, 0), (12, 0), (25, 0))
]


@pytest.mark.parametrize("upstream", CALENDARS, ids=lambda calendar: str(calendar.publish_delay))
@pytest.mark.parametrize("downstream", CALENDARS, ids=lambda calendar: str(calendar.publish_delay))
def test_partitions_of_the_same_day_correspond_whenever_they_are_published(
    upstream: Calendar, downstream: Calendar
) -> None:
    theirs, mine = day_partitions(upstream, date(2026, 5, 1)), day_partitions(downstream, date(2026, 4, 1))
    mapping = same_day(upstream, downstream)
    above = mapping.get_upstream_mapped_partitions_result_for_partitions(
        mine.subset_with_partition_keys(["2026-04-20", "2026-06-10"]), mine, theirs
    )
    assert list(above.partitions_subset.get_partition_keys()) == ["2026-06-10"]
    assert above.required_but_nonexistent_subset.is_empty
    below = mapping.get_downstream_partitions_for_partitions(
        theirs.subset_with_partition_keys(["2026-06-10"]), theirs, mine
    )
    assert list(below.get_partition_keys()) == ["2026-06-10"]


def test_what_is_built_from_several_reports_exists_when_the_first_of_them_does() -> None:
    six, noon = timedelta(hours=6), timedelta(hours=12)
    assert combined_calendar([Calendar(publish_delay=noon), Calendar(publish_delay=six)]).publish_delay == six
    shanghai = Calendar(timezone="Etc/GMT-8", publish_delay=noon)
    assert combined_calendar([shanghai]).publish_delay == timedelta(hours=4)
    assert combined_calendar([Calendar(timezone="Etc/GMT-8")]).publish_delay == timedelta(), "a day is whole days"
    new_york = Calendar(timezone="America/New_York", publish_delay=six)
    assert combined_calendar([new_york]).publish_delay == timedelta(hours=10), "in summer"


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--partition", "{early}"], 1, "{early} not ready: not published yet: the provider publishes it on"),
        (["--partition", "2019-07-01"], 1, "2019-07-01 expired: older than the provider's retention"),
        (["--partition-range", "{newest}...{early}"], 0, "left out {early}, not published yet"),
    ],
    ids=["not published", "too old", "range"],
)
def test_a_command_that_names_a_day_that_is_not_offered_says_why(
    live: Sandbox, place: Place, newest: date, arguments: Sequence[str], code: int, text: str
) -> None:
    days = {"newest": newest, "early": newest + timedelta(days=1)}
    select = ["asset", "materialize", "-m", "reporting_dags.definitions", "--select", EVENT.key]
    command = ["-m", "dagster", *select, *(argument.format(**days) for argument in arguments)]
    done = processes.run(command, cwd=place.home)
    assert done.returncode == code, done.stderr
    assert text.format(**days) in done.stdout + done.stderr
    assert "DagsterInvalidSubsetError" not in done.stderr
