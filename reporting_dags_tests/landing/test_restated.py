"""What a new version of a day has that the one before had not, and who earned in the one and is gone in the other."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reporting_dags.landing.reading.diff import RowDiff, diff_rows
from reporting_dags.landing.reading.entities import lost_share, weights
from reporting_dags.landing.storage.store import Store, open_store
from reporting_dags.model.errors import StorageError
from reporting_dags.reports.orangeclick import EARNINGS

DAY = date(2026, 11, 1)
KEY = EARNINGS.file(DAY)
Line = tuple[str, str, str]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "data"), scratch=tmp_path)


def written(path: Path, lines: Sequence[Line]) -> Path:
    """A file of the report: domain, country and earnings; all else is the same in every row."""
    rows = [{"domain": domain, "country": country, "earnings": Decimal(money)} for domain, country, money in lines]
    usual = {column.name: _usual(column.type) for column in EARNINGS.stored_columns}
    columns = [
        pa.array([row.get(one.name, usual[one.name]) for row in rows], one.type) for one in EARNINGS.stored_columns
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_arrays(columns, schema=EARNINGS.schema), path)
    return path


def _usual(kind: pa.DataType) -> object:
    if pa.types.is_decimal(kind):
        return None
    return "x" if pa.types.is_string(kind) else 1


def compared(store: Store, tmp_path: Path, before: Sequence[Line], after: Sequence[Line]) -> RowDiff | None:
    written(tmp_path / "data" / KEY, before)
    return diff_rows(EARNINGS, KEY, store, written(tmp_path / "new.parquet", after))


A, B, C = ("a.com", "DE", "1.00"), ("b.com", "DE", "2.00"), ("c.com", "US", "3.00")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([A, B], [B, A], RowDiff()),
        ([A], [A, B, C], RowDiff(added=2)),
        ([A, B, C], [B], RowDiff(gone=2)),
        ([A, B], [A, ("b.com", "DE", "2.01")], RowDiff(changed=1)),
        ([A, B], [("b.com", "DE", "9"), C], RowDiff(added=1, gone=1, changed=1)),
        ([], [A], RowDiff(added=1)),
        ([A], [], RowDiff(gone=1)),
        ([], [], RowDiff()),
        # Rows that share their grain, which is no more than assumed of some reports.
        ([A, A], [A, A], RowDiff()),
        ([A, ("a.com", "DE", "5.00")], [("a.com", "DE", "5.00"), A], RowDiff()),
        ([A, A], [A], RowDiff(gone=1)),
        ([A], [A, A, B], RowDiff(added=2)),
        ([A, A, B], [A, ("a.com", "DE", "5.00"), B], RowDiff(changed=1)),
        ([A, A, A], [("a.com", "DE", "5.00"), B], RowDiff(added=1, gone=2, changed=1)),
    ],
)
def test_rows_are_told_apart_by_their_grain(
    store: Store, tmp_path: Path, before: list[Line], after: list[Line], expected: RowDiff
) -> None:
    assert compared(store, tmp_path, before, after) == expected


def test_a_day_that_was_not_there_or_of_another_form_is_not_compared(store: Store, tmp_path: Path) -> None:
    new = written(tmp_path / "new.parquet", [A])
    assert diff_rows(EARNINGS, KEY, store, new) is None
    path = tmp_path / "data" / KEY
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"other": [1]}), path)
    assert diff_rows(EARNINGS, KEY, store, new) is None
    assert weights(EARNINGS, DAY, store) == {}


def test_a_file_that_is_none_is_named(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "data" / KEY
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no parquet")
    new = written(tmp_path / "new.parquet", [A])
    with pytest.raises(StorageError, match="cannot be read"):
        diff_rows(EARNINGS, KEY, store, new)
    with pytest.raises(StorageError, match="cannot be read"):
        weights(EARNINGS, DAY, store)


def test_what_earned_is_summed_by_entity_and_what_is_gone_has_its_share(store: Store, tmp_path: Path) -> None:
    written(tmp_path / "data" / KEY, [A, B, C, ("a.com", "US", "4.00")])
    assert weights(EARNINGS, DAY, store) == {"a.com": 5, "b.com": 2, "c.com": 3}
    before = {"a.com": Decimal(5), "b.com": Decimal(2), "c.com": Decimal(3), "d.com": Decimal(0)}
    assert lost_share(before, {"b.com": Decimal(1)}) == {"a.com": Decimal("0.5"), "c.com": Decimal("0.3")}
    assert list(lost_share(before, {"b.com": Decimal(1)})) == ["a.com", "c.com"], "largest first"
    assert lost_share(before, before) == {}
    assert lost_share({"a.com": Decimal(0)}, {}) == {}
    assert weights(EARNINGS, date(2026, 11, 2), store) == {}
