"""What lies at the data root is compared with what the ledger noted: whatever was altered is told, and nothing else."""

import shutil
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from reporting_dags.jobs.bench import Bench
from reporting_dags.jobs.combining import build
from reporting_dags.jobs.ledger import Ledger
from reporting_dags.jobs.verify import Verified, forgotten, verify
from reporting_dags.landing.store import Store
from reporting_dags.model.clock import SystemClock
from reporting_dags.model.days import Window
from reporting_dags.model.privacy import PersonalData, Privacy
from reporting_dags.model.report import Report
from reporting_dags.orchestration.home import ReportingHome, as_set
from reporting_dags.orchestration.network import COMBINATION
from reporting_dags.providers.digital_turbine.offer_wall_report import offer_wall_report
from reporting_dags.reports.catalog import all_reports
from reporting_dags.reports.dt_offer_wall import EVENT, PERFORMANCE
from reporting_dags.reports.integr8 import CLICKS, OFFERS
from reporting_dags.reports.network import NETWORK, SOURCES
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.orchestration.conftest import Place
from reporting_dags_tests.pulling import BenchOf, landed

NEWEST = date(2026, 11, 19)
DAYS = [NEWEST - timedelta(days=n) for n in (2, 1, 0)]
ALWAYS = Window(date.min, date.max)


@pytest.fixture
def bench(bench_of: BenchOf) -> Bench:
    """Three days of the event report have landed."""
    made = bench_of("dt_offer_wall")
    landed(made, EVENT, DAYS)
    return made


@pytest.fixture
def lies(bench: Bench, tmp_path: Path) -> Path:
    """The file of the middle day."""
    return tmp_path / "data" / EVENT.file(DAYS[1])


def verified(bench: Bench, report: Report[Any] = EVENT, window: Window = ALWAYS) -> Verified:
    (found,) = verify([report], window=window, ledger=bench.ledger, data=bench.data)
    return found


def told(found: Verified) -> list[str]:
    return [f"{finding.subject}: {finding.told}" for finding in found.findings]


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


def test_what_landed_is_whole(bench: Bench) -> None:
    found = verified(bench)
    assert (found.days, found.whole, found.sound, found.findings) == (3, 3, True, ())
    assert found.rows == sum(facts.rows for facts in bench.ledger.days(EVENT.key).values()) > 0


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
    bench: Bench, lies: Path, change: Callable[[pa.Table], pa.Table], telling: str
) -> None:
    rewritten(lies, change)
    found = verified(bench)
    (finding,) = found.findings
    assert finding.subject == f"{EVENT.key} {DAYS[1]}"
    assert telling in finding.told
    assert finding.mend.endswith(f" --select {EVENT.key} --partition {DAYS[1]}")
    assert (found.days, found.whole, found.sound) == (3, 2, False)


def test_every_flipped_bit_is_told(bench: Bench, lies: Path) -> None:
    """In the file's footer too: by what it says of a column, readers skip rows."""
    whole = lies.read_bytes()
    missed: list[int] = []
    for place in [*range(0, len(whole), max(1, len(whole) // 60)), *range(len(whole) - 400, len(whole), 20)]:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        lies.write_bytes(flipped)
        if verified(bench).sound:
            missed.append(place)
    assert not missed
    lies.write_bytes(whole)
    assert verified(bench).sound


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
    bench: Bench, lies: Path, break_it: Callable[[Path], object], telling: str
) -> None:
    break_it(lies)
    (finding,) = verified(bench).findings
    assert telling in finding.told
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
def test_an_edited_row_of_the_ledger_is_told(bench: Bench, tmp_path: Path, edit: str, telling: str) -> None:
    with sqlite3.connect(tmp_path / "reporting_ledger.db") as connection:
        changed = connection.execute(f"UPDATE reporting_days SET {edit} WHERE day = ?", [DAYS[1].isoformat()])
        assert changed.rowcount == 1
    connection.close()
    (finding,) = verified(bench).findings
    assert finding.subject == f"{EVENT.key} {DAYS[1]}"
    assert telling in finding.told


def test_files_that_nobody_landed_are_told(bench: Bench, lies: Path) -> None:
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
    found = verified(bench)
    assert (found.days, found.whole, found.sound) == (3, 3, False)
    assert {line.rpartition(": ")[2] for line in told(found)} == set(map(str, strays))
    mends = {finding.told.rpartition(": ")[2]: finding.mend for finding in found.findings}
    assert mends.pop(str(strays[1])).endswith(f"--select {EVENT.key} --partition {other}")
    assert set(mends.values()) == {f"rm {stray}" for stray in strays if stray != strays[1]}
    assert len(verified(bench, window=Window(NEWEST, NEWEST)).findings) == 3, "those of other days are not asked for"


def test_only_the_days_asked_for_are_read(bench: Bench, lies: Path) -> None:
    lies.unlink()
    assert verified(bench, window=Window(NEWEST, NEWEST)).sound
    assert not verified(bench, window=Window(DAYS[0], DAYS[1])).sound


def test_a_day_that_is_replaced_while_it_is_read_is_no_damage(
    bench: Bench, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    landed(bench, PERFORMANCE, [NEWEST])
    before = bench.ledger.days(PERFORMANCE.key)[NEWEST]
    reads = 0
    opened = bench.data.open

    def open_and_replace(key: str) -> pa.NativeFile:
        nonlocal reads
        reads += 1
        if reads == 1:
            sandbox.clock.advance(3 * 86400)
            with pytest.MonkeyPatch.context() as landing:
                # A landing reads the version before it.
                landing.setattr(bench.data, "open", opened)
                landed(bench, PERFORMANCE, [NEWEST])
        return opened(key)

    monkeypatch.setattr(bench.data, "open", open_and_replace)
    found = verified(bench, PERFORMANCE)
    now = bench.ledger.days(PERFORMANCE.key)[NEWEST]
    assert now.fingerprint != before.fingerprint, "another version landed meanwhile"
    assert (found.sound, found.whole, found.rows) == (True, 1, now.rows)
    assert reads == 2


def test_what_a_disk_garbles_once_is_read_again(bench: Bench, lies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, garbled = bench.data.open, [EVENT.file(DAYS[1])]

    def open_once_badly(key: str) -> pa.NativeFile:
        if key in garbled:
            garbled.remove(key)
            return pa.PythonFile((lies.parent / "..").joinpath("nothing").open("wb"))
        return opened(key)

    monkeypatch.setattr(bench.data, "open", open_once_badly)
    assert verified(bench).sound
    assert not garbled


def test_what_a_disk_garbles_twice_in_different_ways_is_read_a_third_time(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes, key = bench.data.size, EVENT.file(DAYS[1])
    wrong = [1, 2]

    def size(of: str) -> int | None:
        return wrong.pop(0) if of == key and wrong else sizes(of)

    monkeypatch.setattr(bench.data, "size", size)
    assert verified(bench).sound
    assert wrong == []


def test_what_is_garbled_alike_of_two_versions_of_a_day_is_read_a_third_time(
    bench: Bench, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    landed(bench, PERFORMANCE, [NEWEST])
    exists, key, seen = bench.data.exists, PERFORMANCE.file(NEWEST), list[bool]()

    def garbled(of: str) -> bool:
        if of != key or len(seen) == 2:
            return exists(of)
        seen.append(False)
        if len(seen) == 1:
            sandbox.clock.advance(3 * 86400)
            with pytest.MonkeyPatch.context() as landing:
                # A landing looks for the version before it.
                landing.setattr(bench.data, "exists", exists)
                landed(bench, PERFORMANCE, [NEWEST])
        return False

    monkeypatch.setattr(bench.data, "exists", garbled)
    assert verified(bench, PERFORMANCE).sound, "each version has been seen to be damaged once"
    assert len(seen) == 2


def test_damage_that_shows_twice_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, key, reads = bench.data.size, EVENT.file(DAYS[1]), list[str]()

    def size(of: str) -> int | None:
        if of != key:
            return sizes(of)
        reads.append(of)
        return 1

    monkeypatch.setattr(bench.data, "size", size)
    found = verified(bench)
    assert not found.sound
    assert len(reads) == 2


def test_a_day_of_an_earlier_declaration_is_told_and_no_damage(bench: Bench, lies: Path) -> None:
    now = offer_wall_report(name="event", source="event", splits=("Date", "Country"), metrics=("Offer Clicks",))
    found = verified(bench, now)
    assert (found.days, found.whole, found.sound) == (3, 3, True)
    assert told(found) == [f"{EVENT.key} {DAYS[0]}...{NEWEST}: landed under an earlier declaration"]
    rewritten(lies, one_cent_more)
    found = verified(bench, now)
    assert [finding.damage for finding in found.findings] == [True, False, False]
    assert "publisher_revenue sums to " in found.findings[0].told


def test_a_day_of_another_policy_for_personal_data_is_told(bench_of: BenchOf) -> None:
    bench = bench_of("integr8")
    landed(bench, CLICKS, [NEWEST])
    assert verified(bench, CLICKS).findings == ()
    found = verified(bench, replace(CLICKS, privacy=Privacy(PersonalData.KEEP)))
    assert told(found) == [f"{CLICKS.key} {NEWEST}: landed under an earlier declaration"]
    assert found.sound


def test_a_report_that_is_declared_no_longer_is_read_all_the_same(bench: Bench, lies: Path) -> None:
    assert forgotten([EVENT], ledger=bench.ledger, data=bench.data) == []
    (gone,) = forgotten([], ledger=bench.ledger, data=bench.data)
    found = verified(bench, gone)
    assert (found.report, found.days, found.whole, found.sound) == (EVENT.key, 3, 3, True)
    rewritten(lies, swapped)
    assert not verified(bench, gone).sound


def test_a_snapshot_is_read_whatever_the_days_asked_for(bench_of: BenchOf, tmp_path: Path) -> None:
    bench = bench_of("integr8")
    landed(bench, OFFERS, [date(1970, 1, 1)])
    found = verified(bench, OFFERS, Window(NEWEST, NEWEST))
    assert (found.days, found.whole, found.findings) == (1, 1, ())
    (tmp_path / "data" / OFFERS.file(NEWEST)).unlink()
    (finding,) = verified(bench, OFFERS).findings
    assert finding.subject == f"{OFFERS.key} the snapshot"
    assert finding.mend.endswith(f" --select {OFFERS.key}")


def test_a_file_of_many_row_groups_is_read_in_stretches(
    bench: Bench, lies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pq.ParquetFile(lies).read()
    pq.write_table(table, lies, compression="zstd", compression_level=1, row_group_size=1)
    monkeypatch.setattr("reporting_dags.landing.verify._BATCH_ROWS", 2)
    (finding,) = verified(bench).findings
    assert finding.told == f"{lies.stat().st_size} bytes in place of {bench.ledger.days(EVENT.key)[DAYS[1]].size}"


def test_every_kind_of_dataset_is_whole_after_real_runs(live: Sandbox, place: Place, newest: date) -> None:
    days = [newest - timedelta(days=n) for n in range(1, 9)]
    daily = [report for report in all_reports() if report.partitioned]
    day = next(day for day in days if all(live.truth(report.key, day) for report in daily))
    for report in all_reports():
        key = dg.AssetKey([report.provider, report.name])
        assert (place.run(day, key=key) if report.partitioned else place.snapshot(key)).success
    with ReportingHome().open(place.instance) as opened:
        build(COMBINATION, day, ledger=opened.ledger, data=opened.data, clock=SystemClock())
        reports = [*map(as_set, all_reports()), NETWORK]
        found = list(_verified_all(reports, opened.ledger, opened.data))
        assert [line for verified in found for line in told(verified)] == []
        assert [(verified.report, verified.days, verified.whole) for verified in found] == [
            (report.key, 1, 1) for report in reports
        ]
        assert [verified.report for verified in found if not verified.rows] == []
        # One cent in the table of all networks, and in each of the days that it is built from.
        for report in (NETWORK, *(source.report for source in SOURCES)):
            money = next(name for name, sums in opened.ledger.days(report.key)[day].money.items() if sums)
            rewritten(place.data / report.file(day), lambda table, name=money: _dearer(table, name))
        damaged = [verified for verified in _verified_all(reports, opened.ledger, opened.data) if not verified.sound]
    assert {verified.report for verified in damaged} == {NETWORK.key, *(source.report.key for source in SOURCES)}
    untold = [line for verified in damaged for line in told(verified) if " sums to " not in line]
    assert untold == []


def _verified_all(reports: Sequence[Report[Any]], ledger: Ledger, data: Store) -> list[Verified]:
    return list(verify(reports, window=ALWAYS, built={NETWORK.key}, ledger=ledger, data=data))


def _dearer(table: pa.Table, name: str) -> pa.Table:
    values: list[Any] = table.column(name).to_pylist()
    place = next(n for n, value in enumerate(values) if value is not None)
    values[place] += Decimal("0.01")
    return with_column(table, name, values)


def test_an_empty_ledger_knows_nothing(bench_of: BenchOf) -> None:
    found = verified(bench_of("dt_offer_wall"))
    assert (found.days, found.rows, found.whole, found.findings) == (0, 0, 0, ())
