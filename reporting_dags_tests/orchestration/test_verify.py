"""What is at the data root is compared with what the ledger noted: whatever was altered is told, and nothing else."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from reporting_dags.jobs.building.build import build
from reporting_dags.jobs.ledger.database import Database, open_database
from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.pulling.replay import replay
from reporting_dags.jobs.verification.verify import Locations, VerifiedReport, forgotten, verify
from reporting_dags.local import sandbox_accounts
from reporting_dags.model.clock import SystemClock
from reporting_dags.model.days import SNAPSHOT, Window
from reporting_dags.model.errors import StorageError
from reporting_dags.model.privacy import PersonalData, Privacy
from reporting_dags.model.report import Report
from reporting_dags.orchestration.network import NETWORK_DAILY
from reporting_dags.orchestration.storage import StorageResource, with_settings
from reporting_dags.providers.digital_turbine.offer_wall_report import offer_wall_report
from reporting_dags.providers.digital_turbine.resource import OfferWallResource
from reporting_dags.reports.dt_offer_wall import EVENT, PERFORMANCE
from reporting_dags.reports.dt_user_level import REVENUE
from reporting_dags.reports.integr8 import CLICKS, OFFERS
from reporting_dags.reports.network import NETWORK, SOURCES
from reporting_dags.reports.orangeclick import EARNINGS
from reporting_dags.reports.registry import all_reports
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import SandboxClock
from reporting_dags_tests.orchestration.conftest import Place
from reporting_dags_tests.pulling import BenchOf, bench_in, landed

NEWEST = date(2026, 11, 19)
DAYS = [NEWEST - timedelta(days=n) for n in (2, 1, 0)]
ALWAYS = Window(date.min, date.max)


@pytest.fixture
def context(bench_of: BenchOf) -> PullContext:
    """Three days of the event report have landed."""
    made = bench_of("dt_offer_wall")
    landed(made, EVENT, DAYS)
    return made


@pytest.fixture
def lies(context: PullContext, tmp_path: Path) -> Path:
    """The file of the middle day."""
    return tmp_path / "data" / EVENT.file(DAYS[1])


def verified(context: PullContext, report: Report = EVENT, window: Window = ALWAYS) -> VerifiedReport:
    (found,) = verify([report], window=window, places=places_of(context))
    return found


def places_of(context: PullContext, *, at: datetime | None = None) -> Locations:
    now = at or context.clock.now()
    return Locations(ledger=context.ledger, data=context.data, raw=context.raw, scratch=context.scratch, now=now)


def told(found: VerifiedReport) -> list[str]:
    return [f"{finding.subject}: {finding.message}" for finding in found.findings]


def replay_of(report: Report, days: str) -> str:
    """The command that rebuilds days from their raw responses."""
    option = "--partition-range" if "..." in days else "--partition"
    config = '{"ops": {"%s__%s": {"config": {"replay": true}}}}' % (report.provider, report.name)  # noqa: UP031
    return f"{request_of(report)} {option} {days} --config-json '{config}'"


def request_of(report: Report) -> str:
    return f"dagster asset materialize -m reporting_dags.definitions --select {report.key}"


def rewritten(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    table = change(pq.ParquetFile(path).read())
    pq.write_table(table, path, compression="zstd", compression_level=1)


def with_column(table: pa.Table, name: str, values: Sequence[Any]) -> pa.Table:
    place = table.schema.get_field_index(name)
    return table.set_column(place, table.schema.field(name), pa.array(values, table.schema.field(name).type))


def one_cent_more(table: pa.Table) -> pa.Table:
    values: list[Any] = table.column("publisher_revenue").to_pylist()
    return with_column(table, "publisher_revenue", [values[0] + Decimal("0.01"), *values[1:]])


def swapped(table: pa.Table) -> pa.Table:
    """The same sums, rows and values of each column, but for two values that changed places."""
    values: list[Any] = table.column("country").to_pylist()
    other = next(n for n, value in enumerate(values) if value != values[0])
    values[0], values[other] = values[other], values[0]
    return with_column(table, "country", values)


def one_row_twice(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table.slice(0, 1), table.slice(0, table.num_rows - 1)])


def without_a_row(table: pa.Table) -> pa.Table:
    return table.slice(0, table.num_rows - 1)


def without_rows(table: pa.Table) -> pa.Table:
    return table.slice(0, 0)


def without_a_column(table: pa.Table) -> pa.Table:
    return table.drop_columns(["offer_clicks"])


def of_another_type(table: pa.Table) -> pa.Table:
    place = table.schema.get_field_index("offer_clicks")
    return table.set_column(place, "offer_clicks", pc.cast(table.column("offer_clicks"), pa.int32()))


def test_what_landed_is_whole(context: PullContext) -> None:
    found = verified(context)
    assert (found.days, found.whole, found.is_ok, found.findings) == (3, 3, True, ())
    assert found.rows == sum(facts.rows for facts in context.ledger.materializations.days(EVENT.key).values()) > 0


@pytest.mark.parametrize(
    ("change", "telling"),
    [
        (one_cent_more, "publisher_revenue sums to "),
        (one_cent_more, "other values"),
        (swapped, "other values"),
        (one_row_twice, "other values"),
        (without_a_column, "other values or columns"),
        (of_another_type, "other values or columns"),
        (without_a_row, " rows in place of "),
        (without_rows, "0 rows in place of "),
    ],
)
def test_edited_rows_are_told_with_the_command_that_mends_them(
    context: PullContext, lies: Path, change: Callable[[pa.Table], pa.Table], telling: str
) -> None:
    rewritten(lies, change)
    found = verified(context)
    (finding,) = found.findings
    assert finding.subject == f"{EVENT.key} {DAYS[1]}"
    assert telling in finding.message
    assert finding.fix[1:] == (replay_of(EVENT, str(DAYS[1])),)
    assert (found.days, found.whole, found.is_ok) == (3, 2, False)


def test_every_flipped_bit_is_told(context: PullContext, lies: Path) -> None:
    """In the file's footer too: by what it says of a column, readers skip rows."""
    whole = lies.read_bytes()
    missed: list[int] = []
    for place in [*range(0, len(whole), max(1, len(whole) // 60)), *range(len(whole) - 400, len(whole), 20)]:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        lies.write_bytes(flipped)
        if verified(context).is_ok:
            missed.append(place)
    assert not missed
    lies.write_bytes(whole)
    assert verified(context).is_ok


def gone(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def a_web_page(path: Path) -> None:
    path.write_text("<html>")


def of_another_day(path: Path) -> None:
    shutil.copy(path.parents[1] / f"date={DAYS[0]}" / path.name, path)


@pytest.mark.parametrize(
    ("break_it", "telling"),
    [
        (gone, "the file is gone"),
        (cut, "cannot be read as Parquet"),
        (emptied, "0 bytes in place of "),
        (a_web_page, "cannot be read as Parquet"),
        (of_another_day, "other values"),
    ],
)
def test_a_file_that_is_gone_cut_or_another_is_told(
    context: PullContext, lies: Path, break_it: Callable[[Path], object], telling: str
) -> None:
    break_it(lies)
    (finding,) = verified(context).findings
    assert telling in finding.message
    assert finding.damage


@pytest.mark.parametrize(
    ("edit", "telling"),
    [
        ("rows = rows + 1", " rows in place of "),
        ("bytes = bytes - 1", " bytes in place of "),
        ("fingerprint = 'feed'", "other values"),
        ("""money = replace(money, '"USD": "', '"USD": "1')""", "publisher_revenue sums to "),
        ("""money = replace(money, 'USD', 'EUR')""", " USD in place of nothing"),
        ("money = '{}'", "publisher_revenue sums to "),
    ],
)
def test_an_edited_row_of_the_ledger_is_told(context: PullContext, tmp_path: Path, edit: str, telling: str) -> None:
    with sqlite3.connect(tmp_path / "reporting_ledger.db") as connection:
        changed = connection.execute(f"UPDATE reporting_days SET {edit} WHERE day = ?", [DAYS[1].isoformat()])
        assert changed.rowcount == 1
    connection.close()
    (finding,) = verified(context).findings
    assert finding.subject == f"{EVENT.key} {DAYS[1]}"
    assert telling in finding.message


def test_files_that_nobody_landed_are_told(context: PullContext, lies: Path) -> None:
    root = lies.parents[1]
    other = NEWEST - timedelta(days=9)
    strays = [
        root / f"date={DAYS[0]}" / "part-1.parquet",
        root / f"date={other}" / "part-0.parquet",
        root / "date=soon" / "part-0.parquet",
        root / ".tmp-x.parquet",
        root / "old" / "inner" / "x.parquet",
        root / f"date={DAYS[0]}" / "rows.csv",
    ]
    for stray in (*strays, root / "README.txt"):
        stray.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(lies, stray)
    found = verified(context)
    assert (found.days, found.whole, found.is_ok) == (3, 3, False)
    landed_elsewhere, unknown = found.findings
    assert (landed_elsewhere.days, unknown.days) == ((other,), ())
    names, paths = unknown.message.rpartition(": ")[2].split(", "), map(str, strays)
    assert {f"{root}/{name}" for name in names} == set(paths) - {str(strays[1])}
    assert unknown.fix == (f"Fix: move them out of {root}",)
    (few,) = verified(context, window=Window(NEWEST, NEWEST)).findings
    assert few.message.startswith("3 files that no run has landed"), "those of other days are not requested"


def test_only_the_days_asked_for_are_read(context: PullContext, lies: Path) -> None:
    lies.unlink()
    assert verified(context, window=Window(NEWEST, NEWEST)).is_ok
    assert not verified(context, window=Window(DAYS[0], DAYS[1])).is_ok


def test_a_day_that_is_replaced_while_it_is_read_is_no_damage(
    context: PullContext, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    landed(context, PERFORMANCE, [NEWEST])
    before = context.ledger.materializations.days(PERFORMANCE.key)[NEWEST]
    reads = 0
    opened = context.data.open

    def open_and_replace(key: str) -> pa.NativeFile:
        nonlocal reads
        reads += 1
        if reads == 1:
            sandbox.clock.advance(3 * 86400)
            with pytest.MonkeyPatch.context() as landing:
                # A landing reads the version before it.
                landing.setattr(context.data, "open", opened)
                landed(context, PERFORMANCE, [NEWEST])
        return opened(key)

    monkeypatch.setattr(context.data, "open", open_and_replace)
    found = verified(context, PERFORMANCE)
    now = context.ledger.materializations.days(PERFORMANCE.key)[NEWEST]
    assert now.data_version != before.data_version, "another version landed meanwhile"
    assert (found.is_ok, found.whole, found.rows) == (True, 1, now.rows)
    assert reads == 2


def test_what_a_disk_garbles_once_is_read_again(
    context: PullContext, lies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, garbled = context.data.open, [EVENT.file(DAYS[1])]

    def open_once_badly(key: str) -> pa.NativeFile:
        if key in garbled:
            garbled.remove(key)
            return pa.PythonFile((lies.parent / "..").joinpath("nothing").open("wb"))
        return opened(key)

    monkeypatch.setattr(context.data, "open", open_once_badly)
    assert verified(context).is_ok
    assert not garbled


def test_what_a_disk_garbles_twice_in_different_ways_is_read_a_third_time(
    context: PullContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes, key = context.data.size, EVENT.file(DAYS[1])
    wrong = [1, 2]

    def size(of: str) -> int | None:
        return wrong.pop(0) if of == key and wrong else sizes(of)

    monkeypatch.setattr(context.data, "size", size)
    assert verified(context).is_ok
    assert wrong == []


def test_what_is_garbled_alike_of_two_versions_of_a_day_is_read_a_third_time(
    context: PullContext, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    landed(context, PERFORMANCE, [NEWEST])
    exists, key, seen = context.data.exists, PERFORMANCE.file(NEWEST), list[bool]()

    def garbled(of: str) -> bool:
        if of != key or len(seen) == 2:
            return exists(of)
        seen.append(False)
        if len(seen) == 1:
            sandbox.clock.advance(3 * 86400)
            with pytest.MonkeyPatch.context() as landing:
                # A landing looks for the version before it.
                landing.setattr(context.data, "exists", exists)
                landed(context, PERFORMANCE, [NEWEST])
        return False

    monkeypatch.setattr(context.data, "exists", garbled)
    assert verified(context, PERFORMANCE).is_ok, "each version has been seen to be damaged once"
    assert len(seen) == 2


def test_damage_that_shows_twice_is_told(context: PullContext, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, key, reads = context.data.size, EVENT.file(DAYS[1]), list[str]()

    def size(of: str) -> int | None:
        if of != key:
            return sizes(of)
        reads.append(of)
        return 1

    monkeypatch.setattr(context.data, "size", size)
    found = verified(context)
    assert not found.is_ok
    assert len(reads) == 2


def test_a_day_of_an_earlier_declaration_is_told_and_no_damage(context: PullContext, lies: Path) -> None:
    now = offer_wall_report(name="event", source="event", splits=("Date", "Country"), metrics=("Offer Clicks",))
    found = verified(context, now)
    assert (found.days, found.whole, found.is_ok) == (3, 3, True)
    assert told(found) == [f"{EVENT.key} {DAYS[0]}...{NEWEST}: landed under an earlier declaration"]
    rewritten(lies, one_cent_more)
    found = verified(context, now)
    damaged, whole = found.findings
    assert (damaged.days, damaged.damage) == ((DAYS[1],), True)
    assert (whole.days, whole.damage, whole.fix) == ((DAYS[0], NEWEST), False, ())
    assert "publisher_revenue sums to " in damaged.message


def test_a_day_of_another_policy_for_personal_data_is_told(bench_of: BenchOf) -> None:
    context = bench_of("integr8")
    landed(context, CLICKS, [NEWEST])
    assert verified(context, CLICKS).findings == ()
    found = verified(context, replace(CLICKS, privacy=Privacy(PersonalData.KEEP)))
    assert told(found) == [f"{CLICKS.key} {NEWEST}: landed under an earlier declaration"]
    assert found.is_ok


def test_a_report_that_is_declared_no_longer_is_read_all_the_same(context: PullContext, lies: Path) -> None:
    assert forgotten([EVENT], ledger=context.ledger, data=context.data) == []
    (gone,) = forgotten([], ledger=context.ledger, data=context.data)
    found = verified(context, gone)
    assert (found.report, found.days, found.whole, found.is_ok) == (EVENT.key, 3, 3, True)
    rewritten(lies, swapped)
    assert not verified(context, gone).is_ok


def test_a_snapshot_is_read_whatever_the_days_asked_for(bench_of: BenchOf, tmp_path: Path) -> None:
    context = bench_of("integr8")
    landed(context, OFFERS, [date(1970, 1, 1)])
    found = verified(context, OFFERS, Window(NEWEST, NEWEST))
    assert (found.days, found.whole, found.findings) == (1, 1, ())
    (tmp_path / "data" / OFFERS.file(NEWEST)).unlink()
    (finding,) = verified(context, OFFERS).findings
    assert finding.subject == f"{OFFERS.key} the snapshot"
    config = '{"ops": {"integr8__offers": {"config": {"replay": true}}}}'
    assert finding.fix[1:] == (f"{request_of(OFFERS)} --config-json '{config}'",)


def raw_files(context: PullContext) -> list[Path]:
    return [path for path in Path(context.raw.url).rglob("*") if path.is_file()]


def test_days_that_are_damaged_alike_are_one_finding_with_a_command_for_each_range(
    bench_of: BenchOf, tmp_path: Path
) -> None:
    context = bench_of("dt_offer_wall")
    days = [NEWEST - timedelta(days=n) for n in reversed(range(40))]
    landed(context, EVENT, days)
    files = {day: tmp_path / "data" / EVENT.file(day) for day in days}
    # Twelve ranges without a file, of three days and of single days; and one range of files that are no Parquet.
    gone_days = [*days[:3], *days[4:26:2]]
    for day in gone_days:
        files[day].unlink()
    for n, day in enumerate(days[30:35]):
        files[day].write_bytes(b"x" * (n + 1))
    gone, unreadable = verified(context).findings
    assert gone.days == tuple(gone_days)
    assert gone.subject.startswith(f"{EVENT.key} {days[0]}...{days[2]}, {days[4]}, {days[6]}, ")
    assert gone.subject.endswith(f"{days[20]}, and 2 more ranges")
    assert gone.message == "the file is gone"
    assert gone.fix[0] == "Fix: rebuild from the stored raw responses, without a call to the provider:"
    assert gone.fix[1:3] == (replay_of(EVENT, f"{days[0]}...{days[2]}"), replay_of(EVENT, str(days[4])))
    assert (len(gone.fix), gone.fix[-1]) == (12, "and 2 more ranges")
    assert unreadable.subject == f"{EVENT.key} {days[30]}...{days[34]}"
    assert unreadable.message.startswith(f"cannot be read as Parquet ({days[30]}: 1 bytes in place of ")
    assert unreadable.fix[1:] == (replay_of(EVENT, f"{days[30]}...{days[34]}"),)


def test_the_advice_to_rebuild_repairs_without_a_call(context: PullContext, lies: Path, sandbox: Sandbox) -> None:
    lies.unlink()
    (finding,) = verified(context).findings
    assert "without a call" in finding.fix[0]
    sandbox.log.clear()
    assert [result.error for result in replay(context, EVENT, finding.days)] == [None]
    assert sandbox.log.entries() == []
    assert verified(context).is_ok


@pytest.mark.parametrize("harm", ["removed", "altered"])
@pytest.mark.parametrize("served", [True, False])
def test_without_its_raw_response_a_day_is_requested_while_the_provider_serves_it(
    context: PullContext, lies: Path, harm: str, served: bool
) -> None:
    for raw in raw_files(context):
        raw.unlink() if harm == "removed" else raw.write_bytes(raw.read_bytes()[:-1])
    lies.unlink()
    reach = EVENT.calendar.expires_at(DAYS[1])
    assert reach is not None
    now = reach - timedelta(seconds=1) if served else reach
    (found,) = verify([EVENT], window=ALWAYS, places=places_of(context, at=now))
    (finding,) = found.findings
    if served:
        assert finding.fix == (
            "Fix: request again from the provider:",
            f"{request_of(EVENT)} --partition {DAYS[1]}",
        )
    else:
        (line,) = finding.fix
        assert line.startswith("Fix: restore the file from a backup: these days cannot be requested any more")
        assert "dagster" not in line


def test_days_with_and_without_a_raw_response_are_told_apart(bench_of: BenchOf, tmp_path: Path) -> None:
    context = bench_of("dt_offer_wall")
    landed(context, EVENT, DAYS[:1])
    for raw in raw_files(context):
        raw.unlink()
    landed(context, EVENT, DAYS[1:])
    shutil.rmtree(tmp_path / "data" / EVENT.key)
    requested, replayed = verified(context).findings
    assert (requested.days, requested.fix[1:]) == ((DAYS[0],), (f"{request_of(EVENT)} --partition {DAYS[0]}",))
    assert (replayed.days, replayed.fix[1:]) == (tuple(DAYS[1:]), (replay_of(EVENT, f"{DAYS[1]}...{NEWEST}"),))


def test_what_is_requested_otherwise_now_is_not_rebuilt(context: PullContext, lies: Path) -> None:
    lies.unlink()
    now = offer_wall_report(name="event", source="event", splits=("Date", "Country"), metrics=("Offer Clicks",))
    finding = verified(context, now).findings[0]
    assert finding.fix[0] == "Fix: request again from the provider:"


def test_an_app_that_was_added_is_not_rebuilt(
    bench_of: BenchOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apps = os.environ["DT_USER_LEVEL_APP_IDS"]
    monkeypatch.setenv("DT_USER_LEVEL_APP_IDS", apps.split(",")[0])
    context, report = bench_of("dt_user_level"), with_settings(REVENUE)
    landed(context, report, [NEWEST])
    (tmp_path / "data" / REVENUE.file(NEWEST)).unlink()
    assert "without a call" in verified(context, with_settings(REVENUE)).findings[0].fix[0]
    monkeypatch.setenv("DT_USER_LEVEL_APP_IDS", apps)
    assert "request again" in verified(context, with_settings(REVENUE)).findings[0].fix[0]


def test_a_raw_store_that_refuses_is_no_error(
    context: PullContext, lies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(key: str) -> bool:
        raise StorageError(f"no {key}")

    lies.unlink()
    monkeypatch.setattr(context.raw, "exists", refuses)
    assert "request again" in verified(context).findings[0].fix[0]


@pytest.fixture
def elsewhere(tmp_path: Path, clock: SandboxClock) -> Iterator[Callable[[PullContext], PullContext]]:
    """Another instance: a ledger and a raw store of its own, on the data root of a context."""
    databases: list[Database] = []

    def make(context: PullContext) -> PullContext:
        home = tmp_path / f"elsewhere-{len(databases)}"
        home.mkdir()
        databases.append(open_database(None, home, lock_seconds=2))
        return replace(bench_in(home, context.provider, databases[-1], clock), data=context.data)

    yield make
    for database in databases:
        database.close()


def test_what_another_instance_has_landed_is_one_line_a_report(
    bench_of: BenchOf, elsewhere: Callable[[PullContext], PullContext]
) -> None:
    days = [NEWEST - timedelta(days=n) for n in reversed(range(30)) if n not in {7, 8}]
    for name, report in (("dt_offer_wall", EVENT), ("integr8", OFFERS)):
        other = bench_of(name)
        expected = days if report.partitioned else [SNAPSHOT]
        landed(other, report, expected)
        account = other.provider.account
        here = elsewhere(other)
        (finding,) = verified(here, report).findings
        assert (finding.days, finding.damage, finding.fix) == (tuple(expected), True, ())
        many = f"{len(days)} partitions are" if report.partitioned else "1 partition is"
        assert finding.message == (
            f"{many} not in this ledger: another instance, such as the demo, landed them (account {account}). Fix: set "
            "REPORTING_DATA_URL to a folder of this instance's own, or DAGSTER_HOME to the instance that landed them."
        )
        assert verified(other, report).is_ok
        if report.partitioned:
            assert finding.subject == f"{EVENT.key} {days[0]}...{NEWEST - timedelta(days=9)}, {days[-7]}...{NEWEST}"
            assert verified(here, report, Window(days[0], days[1])).findings[0].days == (days[0], days[1])


def test_beside_days_of_its_own_those_of_another_instance_are_moved(
    context: PullContext, elsewhere: Callable[[PullContext], PullContext], tmp_path: Path
) -> None:
    here = elsewhere(context)
    landed(here, EVENT, [NEWEST - timedelta(days=9)])
    (finding,) = verified(here).findings
    assert finding.days == tuple(DAYS)
    folder = tmp_path / "data" / EVENT.key
    assert finding.message.endswith(f" Fix: move them out of {folder}, to the data root of that instance.")


def test_a_day_that_an_instance_of_another_account_has_replaced_is_not_overwritten(
    context: PullContext,
    elsewhere: Callable[[PullContext], PullContext],
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    clock: Any,
) -> None:
    for name, value in sandbox_accounts(sandbox.url, "other").items():
        monkeypatch.setenv(name, value)
    provider = OfferWallResource().client(clock)
    other = replace(elsewhere(context), provider=provider, allow_data_loss=True)
    landed(other, EVENT, DAYS[1:])
    provider.close()
    (finding,) = verified(context).findings
    assert (finding.days, finding.damage) == (tuple(DAYS[1:]), True)
    assert finding.message == f"replaced by another instance, of account {provider.account}"
    assert "dagster asset" not in "".join(finding.fix)


def test_a_table_that_another_instance_has_built_is_named(
    context: PullContext, elsewhere: Callable[[PullContext], PullContext]
) -> None:
    build(NETWORK_DAILY, NEWEST, ledger=context.ledger, data=context.data, clock=context.clock)
    (finding,) = verified(elsewhere(context), NETWORK).findings
    assert finding.message.startswith("1 partition is not in this ledger: another instance, such as the demo, landed")
    assert "account" not in finding.message


def test_a_table_that_another_instance_of_the_account_has_built_from_more_is_not_overwritten(
    context: PullContext, bench_of: BenchOf, elsewhere: Callable[[PullContext], PullContext]
) -> None:
    here, before = elsewhere(context), NEWEST - timedelta(days=1)
    landed(here, EVENT, [NEWEST])
    build(NETWORK_DAILY, NEWEST, ledger=here.ledger, data=here.data, clock=here.clock)
    landed(bench_of("orangeclick"), EARNINGS, [before, NEWEST])
    for day in (before, NEWEST):
        build(NETWORK_DAILY, day, ledger=context.ledger, data=context.data, clock=context.clock)
    (found,) = verify([NETWORK], window=ALWAYS, built={NETWORK.key}, places=places_of(here))
    replaced, others = found.findings
    assert (replaced.days, replaced.damage) == ((NEWEST,), True)
    assert replaced.message == "replaced by another instance that lands in the same folder"
    assert others.days == (before,)
    assert "dagster asset" not in "".join((*replaced.fix, *others.fix))


def test_a_damaged_table_of_all_networks_is_built_again(context: PullContext, tmp_path: Path) -> None:
    build(NETWORK_DAILY, NEWEST, ledger=context.ledger, data=context.data, clock=context.clock)
    (tmp_path / "data" / NETWORK.file(NEWEST)).unlink()
    (found,) = verify([NETWORK], window=ALWAYS, built={NETWORK.key}, places=places_of(context))
    assert found.findings[0].fix == (
        "Fix: build again from its sources:",
        f"{request_of(NETWORK)} --partition {NEWEST}",
    )


def test_the_file_of_another_program_is_moved_and_not_overwritten(context: PullContext, lies: Path) -> None:
    """A command that lands the day would replace the only copy."""
    day = NEWEST - timedelta(days=5)
    strange = lies.parents[1] / f"date={day}" / "part-0.parquet"
    strange.parent.mkdir()
    pq.write_table(pa.table({"x": [1]}), strange)
    (finding,) = verified(context).findings
    assert finding.message == f"no run has landed this file, in {lies.parents[1]}: date={day}/part-0.parquet"
    assert finding.fix == (f"Fix: move it out of {lies.parents[1]}",)


def test_hundreds_of_files_that_no_run_has_landed_are_one_finding(context: PullContext, lies: Path) -> None:
    for n in range(200):
        (lies.parent / f"part-{n + 1}.parquet").write_bytes(b"")
    (finding,) = verified(context).findings
    assert finding.message.startswith("200 files that no run has landed")
    assert finding.message.endswith(", and 190 more files")


def test_no_advice_removes_or_overwrites_anything(context: PullContext, lies: Path) -> None:
    (gone,) = forgotten([], ledger=context.ledger, data=context.data)
    lies.write_bytes(b"")
    finding = verified(context, gone).findings[0]
    assert finding.damage
    assert finding.fix == ("Fix: declare the report again and verify it, or restore the files from a backup.",)


def test_a_file_of_many_row_groups_is_read_in_stretches(
    context: PullContext, lies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pq.ParquetFile(lies).read()
    pq.write_table(table, lies, compression="zstd", compression_level=1, row_group_size=1)
    monkeypatch.setattr("reporting_dags.landing.reading.verify._BATCH_ROWS", 2)
    (finding,) = verified(context).findings
    assert (
        finding.message
        == f"{lies.stat().st_size} bytes in place of {context.ledger.materializations.days(EVENT.key)[DAYS[1]].size}"
    )


def test_every_kind_of_dataset_is_whole_after_real_runs(live: Sandbox, place: Place, newest: date) -> None:
    days = [newest - timedelta(days=n) for n in range(1, 9)]
    daily = [report for report in all_reports() if report.partitioned]
    day = next(day for day in days if all(live.truth(report.key, day) for report in daily))
    for report in all_reports():
        key = dg.AssetKey([report.provider, report.name])
        assert (place.run(day, key=key) if report.partitioned else place.snapshot(key)).success
    with StorageResource().open(place.instance) as opened:
        places = Locations(
            ledger=opened.ledger, data=opened.data, raw=opened.raw, scratch=opened.scratch, now=datetime.now(UTC)
        )
        build(NETWORK_DAILY, day, ledger=opened.ledger, data=opened.data, clock=SystemClock())
        reports = [*map(with_settings, all_reports()), NETWORK]
        found = _verified_all(reports, places)
        assert [line for verified in found for line in told(verified)] == []
        assert [(verified.report, verified.days, verified.whole) for verified in found] == [
            (report.key, 1, 1) for report in reports
        ]
        assert [verified.report for verified in found if not verified.rows] == []
        # One cent in the table of all networks, and in each of the days that it is built from.
        for report in (NETWORK, *(source.report for source in SOURCES)):
            record = opened.ledger.materializations.days(report.key)[day]
            money = next(name for name, sums in record.money.items() if sums)
            rewritten(place.data / report.file(day), lambda table, name=money: _dearer(table, name))
        damaged = [verified for verified in _verified_all(reports, places) if not verified.is_ok]
    assert {verified.report for verified in damaged} == {NETWORK.key, *(source.report.key for source in SOURCES)}
    untold = [line for verified in damaged for line in told(verified) if " sums to " not in line]
    assert untold == []


def _verified_all(reports: Sequence[Report], places: Locations) -> list[VerifiedReport]:
    return list(verify(reports, window=ALWAYS, built={NETWORK.key}, places=places))


def _dearer(table: pa.Table, name: str) -> pa.Table:
    values: list[Any] = table.column(name).to_pylist()
    place = next(n for n, value in enumerate(values) if value is not None)
    values[place] += Decimal("0.01")
    return with_column(table, name, values)


def test_an_empty_ledger_knows_nothing(bench_of: BenchOf) -> None:
    found = verified(bench_of("dt_offer_wall"))
    assert (found.days, found.rows, found.whole, found.findings) == (0, 0, 0, ())
