"""A day's partition is absent, or exactly one complete, verified answer."""

import errno
import hashlib
import stat
import threading
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reporting_dags.landing.checks.duplicate_keys import describe_duplicates
from reporting_dags.landing.compute.hashing import row_hashes
from reporting_dags.landing.storage.store import open_store
from reporting_dags.landing.writing.land import LandedDay, RefusedDay, land
from reporting_dags.model.column import Column, Kind, day, identity, measure, money
from reporting_dags.model.errors import DataError, Partial, StorageError
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.privacy import Personal
from reporting_dags_tests.landing.answers import COLUMNS, FIRST, HEADER, SECOND, THIRD, WINDOW, Bench, report, rows

CHECKS = ["schema", "grain_unique", "day_and_currency", "rows_complete"]


def test_a_day_lands_whole_with_its_facts(context: Bench) -> None:
    answer = rows("2026-11-01,007,US,3,0.036300000000000006,1", "2026-11-01,9223372036854775808,NA,,,")
    landed = context.landed(answer, expected=2)
    assert (landed.outcome, landed.rows, landed.size) == (Outcome.DATA, 2, context.path().stat().st_size)
    assert landed.sha256 == hashlib.sha256(context.path().read_bytes()).hexdigest()
    assert landed.money == {"revenue": {"USD": Decimal("0.036300000000000006")}}
    assert [(check.name, check.passed) for check in landed.checks] == [(name, True) for name in CHECKS]
    assert landed.warnings == ()
    assert context.rows()[0] == {
        "app_id": "007",
        "country": "US",
        "clicks": 3,
        "revenue": Decimal("0.036300000000000006"),
        "arpu": Decimal(1),
    }
    assert context.rows()[1] == {
        "app_id": "9223372036854775808",
        "country": "NA",
        "clicks": None,
        "revenue": None,
        "arpu": None,
    }
    with pq.ParquetFile(context.path()) as file:
        assert file.schema_arrow.equals(report().schema, check_metadata=True)


@pytest.mark.parametrize("header", [HEADER, f"{HEADER}\n", f"\ufeff{HEADER}\r\n"])
def test_a_header_alone_is_a_report_without_rows_dt8(context: Bench, header: str) -> None:
    results = context.land(header, days=WINDOW.days, expected=0)
    assert [(each.day, isinstance(each, LandedDay) and each.outcome) for each in results] == [
        (each, Outcome.EMPTY) for each in WINDOW.days
    ]
    with pq.ParquetFile(context.path(THIRD)) as file:
        assert file.metadata.num_rows == 0
        assert file.schema_arrow.equals(report().schema, check_metadata=True)
    first = results[0]
    assert isinstance(first, LandedDay)
    assert first.money == {"revenue": {"USD": Decimal(0)}}


@pytest.mark.parametrize("body", [b"", b"\n", b" \r\n", b"\xef\xbb\xbf"])
def test_an_empty_body_is_never_a_report_dt8(context: Bench, body: bytes) -> None:
    with pytest.raises(Partial, match="empty response"):
        context.land(body)
    assert not context.path().exists()


def test_an_answer_of_no_files_publishes_nothing(context: Bench) -> None:
    with pytest.raises(Partial, match="empty response"):
        context.land()


def test_a_day_asked_without_rows_is_published_empty_beside_one_with_rows(context: Bench) -> None:
    first, second = context.land(rows("2026-11-02,1,US,1,1,1"), days=[SECOND, FIRST])
    assert isinstance(first, LandedDay)
    assert isinstance(second, LandedDay)
    assert [(first.day, first.outcome), (second.day, second.outcome)] == [
        (FIRST, Outcome.EMPTY),
        (SECOND, Outcome.DATA),
    ]


def test_rows_of_days_that_were_not_wanted_are_counted_and_dropped(context: Bench) -> None:
    answer = rows("2026-11-01,1,US,1,1,1", "2026-11-02,1,US,bad,1,1", "2026-11-03,1,US,1,1,1")
    landed = context.land(answer, days=[FIRST, THIRD], expected=3)
    assert [each.day for each in landed if isinstance(each, LandedDay)] == [FIRST, THIRD]
    assert not context.path(SECOND).exists()
    assert landed[0].checks[3].facts == {"rows_in_bytes": 3, "rows_decoded": 3, "rows_expected": 3}


def test_a_row_of_a_day_outside_the_window_refutes_the_answer(context: Bench) -> None:
    answer = rows("2026-11-01,1,US,1,1,1", "2026-11-04,1,US,1,1,1", "2026-11-04,2,US,1,1,1")
    with pytest.raises(
        DataError, match=r"rows of 2026-11-04 \(2 or more\) in the response for 2026-11-01...2026-11-03"
    ):
        context.land(answer)
    assert not context.path().exists()
    assert context.leftovers() == []


def test_a_day_outside_the_window_cannot_be_wanted(context: Bench) -> None:
    with pytest.raises(ValueError, match="2026-12-01"):
        context.land(rows(), days=[date(2026, 12, 1)])


def test_a_bad_value_refuses_its_day_alone(context: Bench) -> None:
    answer = rows("2026-11-01,1,US,12.5,1,1", "2026-11-01,2,US,x" + "y" * 90 + ",1,1", "2026-11-02,1,US,1,1,1")
    first, second = context.land(answer, days=[FIRST, SECOND])
    assert isinstance(first, RefusedDay)
    assert isinstance(first.error, DataError)
    assert first.error.line == "column 'Clicks': 2 values are not integers, such as '12.5'"
    assert [check.name for check in first.checks if not check.passed] == ["schema"]
    assert isinstance(second, LandedDay)
    assert not context.path(FIRST).exists()


def test_a_personal_value_is_not_shown(context: Bench) -> None:
    secret = Column(header="IP", kind=Kind.MEASURE, type=measure("x", "", unit="").type, personal=Personal.ADDRESS)
    told = context.refused(rows("2026-11-01,10.1.2.3", header="Date,IP"), of=report((day("Date"), secret), grain=()))
    assert told.error.line == "column 'IP': 1 values are not integers"
    who = (day("Date"), identity("IDFA", "", personal=Personal.DEVICE))
    told = context.refused(
        rows("2026-11-01,abc-1", "2026-11-01,abc-1", header="Date,IDFA"), of=report(who, grain=("IDFA",))
    )
    assert "abc-1" not in told.error.line


def test_a_grain_that_stands_twice_refuses_its_day_alone(context: Bench) -> None:
    lines = [f"2026-11-01,{n},US,1,1,1" for n in range(5)]
    answer = rows(*lines, *lines[:3], "2026-11-01,1,DE,1,1,1", "2026-11-02,1,US,1,1,1")
    first, second = context.land(answer, days=[FIRST, SECOND])
    assert isinstance(first, RefusedDay)
    assert first.error.line == "grain twice: app_id=0, country=US (2 rows, 3 grains in all)"
    assert [check.name for check in first.checks if not check.passed] == ["grain_unique"]
    assert isinstance(second, LandedDay)


def test_a_report_without_grain_is_one_row_a_day(context: Bench) -> None:
    totals = report((day("Date"), measure("Clicks", "", unit="clicks")), grain=())
    assert context.landed(rows("2026-11-01,4", header="Date,Clicks"), of=totals).rows == 1
    told = context.refused(rows("2026-11-01,4", "2026-11-01,5", header="Date,Clicks"), of=totals)
    assert told.error.line == "2 rows, where a day is one row"


def test_sums_are_kept_by_the_currency_that_each_row_names(context: Bench) -> None:
    spend = money("Spend", "", currency_from="Currency")
    spent = report((day("Date"), identity("Offer", ""), identity("Currency", ""), spend), grain=("Offer",))
    lines = ["20261101,a,USD,0.1", "20261101,b,CNY,5", "20261101,c,USD,0.2", "20261102,a,US$,1"]
    answer = rows(*lines, header="Date,Offer,Currency,Spend")
    first, second = context.land(answer, of=spent, days=[FIRST, SECOND])
    assert isinstance(first, LandedDay)
    assert first.money == {"spend": {"CNY": Decimal(5), "USD": Decimal("0.3")}}
    assert isinstance(second, RefusedDay)
    assert second.error.line == "Currency holds 'US$', which is not a currency code such as USD"
    assert [check.name for check in second.checks if not check.passed] == ["day_and_currency"]


def test_sums_do_not_wrap_round(context: Bench) -> None:
    huge = "99999999999999999999.999999999999999999"
    landed = context.landed(rows(*(f"2026-11-01,{n},US,1,{huge},-{huge}" for n in range(1000))))
    assert landed.money["revenue"]["USD"] == Decimal("99999999999999999999999.999999999999999")


def test_a_raw_answer_that_is_gone_is_one_line(context: Bench) -> None:
    part = context.part(rows())
    part.path.unlink()
    with pytest.raises(StorageError, match=r"^raw response on this machine cannot be read: no such file or directory$"):
        context.land(part)


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("reporting_dags.landing.parsing.delimited.pa_csv.open_csv", "^raw response on this machine cannot be read: "),
        ("reporting_dags.landing.checks.partition.pq.ParquetFile", "^data root .* cannot be written: "),
    ],
)
def test_a_disk_that_fails_in_the_middle_is_one_line_and_publishes_nothing(
    context: Bench, monkeypatch: pytest.MonkeyPatch, what: str, told: str
) -> None:
    def failing(*_: Any, **__: Any) -> None:
        raise OSError(errno.EIO, "of the disk")

    monkeypatch.setattr(what, failing)
    with pytest.raises(StorageError, match=f"{told}input/output error"):
        context.land(rows("2026-11-01,1,US,1,1,1"))
    assert not context.path().exists()
    assert context.leftovers() == []


@pytest.mark.parametrize(("expected", "told"), [(2, "has 1 rows, the provider said 2"), (0, "has 1 rows")])
def test_another_number_of_rows_than_was_said_refuses_every_day(context: Bench, expected: int, told: str) -> None:
    results = context.land(rows("2026-11-01,1,US,1,1,1"), days=[FIRST, SECOND], expected=expected)
    assert [each.day for each in results] == [FIRST, SECOND]
    for each in results:
        assert isinstance(each, RefusedDay)
        assert isinstance(each.error, Partial)
        assert told in each.error.line
        assert [(check.name, check.passed) for check in each.checks] == [("rows_complete", False)]
    assert not context.path().exists()


def test_rows_swallowed_by_an_open_quote_refuse_every_day(context: Bench) -> None:
    answer = rows('2026-11-01,"1,US,1,1,1', '2026-11-01,2",US,1,1,1', "2026-11-02,1,US,1,1,1")
    for each in context.land(answer, days=[FIRST, SECOND]):
        assert isinstance(each, RefusedDay)
        assert isinstance(each.error, Partial)
        assert each.error.line.startswith("2 rows decoded of the 3 in the response: an open quote")


def test_several_files_are_one_answer_with_their_constants(context: Bench) -> None:
    header = "Date,Country,Clicks,Revenue,ARPU"
    parts = [context.part(rows("2026-11-01,US,1,1,1", header=header), App_ID=app) for app in ("7", "8")]
    assert context.landed(*parts, expected=2).rows == 2
    assert {each["app_id"] for each in context.rows()} == {"7", "8"}
    told = "'App ID' holds '9' in the response for '7'"
    with pytest.raises(DataError, match=told):
        context.land(context.part(rows("2026-11-01,9,US,1,1,1"), App_ID="7"))


def test_nothing_more_is_written_once_publishing_is_refused(context: Bench) -> None:
    asked: list[date] = []

    def claim(landed: LandedDay, put: Callable[[], None]) -> None:
        asked.append(landed.day)
        if landed.day == SECOND:
            raise RuntimeError("taken over")
        put()

    with pytest.raises(RuntimeError, match="taken over"):
        context.land(rows("2026-11-01,1,US,1,1,1"), days=WINDOW.days, publish=claim)
    assert asked == [FIRST, SECOND]
    assert context.path(FIRST).exists()
    assert not context.path(SECOND).exists()
    assert context.leftovers() == []


def test_a_refused_day_leaves_what_was_there(context: Bench) -> None:
    context.landed(rows("2026-11-01,1,US,1,1,1"))
    before = context.path().read_bytes()
    context.refused(rows("2026-11-01,1,US,?,1,1"))
    assert context.path().read_bytes() == before


def test_staging_is_private_and_empty_after_an_early_close(context: Bench) -> None:
    threads = threading.active_count()
    days = land(
        report(),
        [context.part(rows("2026-11-01,1,US,1,1,1"))],
        window=WINDOW,
        days=WINDOW.days,
        store=context.store,
        expected_rows=None,
        publish=lambda _, put: put(),
    )
    next(days)
    (folder,) = context.leftovers()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert list(context.root.rglob("*.parquet")) == [context.path()]
    days.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert context.leftovers() == []
    assert threading.active_count() == threads


def test_a_day_is_replaced_as_a_whole_and_its_version_follows_its_rows(context: Bench) -> None:
    lines = [f"2026-11-01,{n},US,1,1,1" for n in range(9)]
    versions = [
        context.landed(rows(*some)).data_version
        for some in (lines, lines[::-1], lines[:8], [*lines[:8], lines[8] + ".5"])
    ]
    assert versions[0] == versions[1]
    assert len(set(versions)) == 3
    assert len(context.rows()) == 9
    assert [path.name for path in context.path().parent.iterdir()] == ["part-0.parquet"]


def test_many_days_interleaved_land_apart(context: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reporting_dags.landing.writing.day_files._BUFFER_BYTES", 40_000)
    monkeypatch.setattr("reporting_dags.landing.writing.split._GATHER_ROWS", 100)
    monkeypatch.setattr("reporting_dags.landing.parsing.delimited._BLOCK_BYTES", 4096)
    lines = [f"2026-11-{n % 3 + 1:02},{n},US,{n},{n}.5,1" for n in range(6000)]
    results = context.land(rows(*lines), days=WINDOW.days, expected=6000)
    for each, start in zip(results, range(3), strict=True):
        assert isinstance(each, LandedDay)
        assert [row["clicks"] for row in context.rows(each.day)] == list(range(start, 6000, 3))
        with pq.ParquetFile(context.path(each.day)) as file:
            assert file.metadata.num_row_groups > 3


def test_new_columns_and_an_unfinished_last_line_are_told(context: Bench) -> None:
    answer = f"{HEADER},Fill,Bids\n2026-11-01,1,US,1,1,1,2,3"
    landed = context.landed(answer)
    assert landed.warnings == (
        "new columns, not landed: Fill, Bids",
        "the response does not end in a line break: its last value may be incomplete",
    )


def test_a_store_that_refuses_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    context = Bench(tmp_path)
    context.store = open_store(str(tmp_path / "file" / "data"), scratch=tmp_path)
    with pytest.raises(StorageError, match=r"data root .* cannot be written: not a directory. Set REPORTING_DATA_URL"):
        context.land(rows())


def test_columns_are_found_by_name_or_alias_in_any_order(context: Bench) -> None:
    context.landed(rows("1,US,2026-11-01,2,3,4", header="Fyber App ID,Country,Date,ARPU,Clicks,Revenue"))
    assert context.rows() == [{"app_id": "1", "country": "US", "clicks": 3, "revenue": Decimal(4), "arpu": Decimal(2)}]
    assert len(COLUMNS) == 6


def test_a_disk_that_takes_no_more_publishes_nothing_and_leaves_nothing(context: Bench, small_files: None) -> None:
    lines = [[f"2026-11-01,{part}{n * 7919**3},US,{n * n},{n}.{n},1" for n in range(1000)] for part in range(20)]
    with pytest.raises(StorageError, match=r"data root .* cannot be written: file too large"):
        context.land(*(rows(*some) for some in lines))
    assert not context.path().exists()
    assert context.leftovers() == []


def test_rows_whose_hashes_meet_by_chance_are_no_duplicates(context: Bench) -> None:
    context.landed(rows("2026-11-01,1,US,1,1,1", "2026-11-01,2,US,1,1,1"))
    apps = [column for column in COLUMNS if column.header in {"App ID", "Country"}]
    one, two = (row_hashes(["app_id", "country"], [pa.array([app]), pa.array(["US"])]) for app in "12")
    assert describe_duplicates(context.path(), apps, np.concatenate([one, two])) == ""


def test_grains_that_only_share_a_hash_are_not_counted_among_those_that_stand_twice(
    context: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reporting_dags.landing.checks.duplicate_keys._CONFIRMED_AT_ONCE", 2)
    free = report((*COLUMNS, identity("Line", "")), grain=("App ID", "Country", "Line"))
    apps = [0, 1, 2, 3, 4, 4]
    context.landed(
        rows(*(f"2026-11-01,{app},US,1,1,1,{n}" for n, app in enumerate(apps)), header=f"{HEADER},Line"), of=free
    )
    grain = [column for column in COLUMNS if column.header in {"App ID", "Country"}]
    hashes = row_hashes(["app_id", "country"], [pa.array([str(n) for n in range(5)]), pa.array(["US"] * 5)])
    assert (
        describe_duplicates(context.path(), grain, hashes)
        == "grain twice: app_id=4, country=US (2 rows, 1 grains in all)"
    )
