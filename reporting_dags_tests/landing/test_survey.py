"""The first look at the bytes: quotes that neither open nor close a field are refused, wherever a chunk ends."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reporting_dags.landing.parsing import row_count as module
from reporting_dags.landing.parsing.row_count import count_rows
from reporting_dags.model.errors import DataError
from reporting_dags.model.format import DelimitedText

CHUNKS = st.integers(1, 9)
FIELD = st.text(st.sampled_from('ab",é'), max_size=6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(rows=st.lists(st.lists(FIELD, min_size=2, max_size=3), min_size=1, max_size=5), chunk=CHUNKS)
def test_what_a_csv_writer_writes_is_accepted(
    rows: list[list[str]], chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHUNK_BYTES", chunk)
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    path = tmp_path / "answer"
    path.write_text(written.getvalue(), encoding="utf-8")
    assert count_rows(path, DelimitedText()).records == len(rows)


@pytest.mark.parametrize("row", ['"1"2,x', 'x,"1"2', '"1" ,x', '"a""b"c",x"'])
@pytest.mark.parametrize("chunk", [*range(1, 10), 1 << 20])
def test_a_stray_quote_is_refused(row: str, chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK_BYTES", chunk)
    path = tmp_path / "answer"
    path.write_text(f"App,Revenue\n{row}\n", encoding="utf-8")
    with pytest.raises(DataError, match="neither opens nor closes a field"):
        count_rows(path, DelimitedText())
    assert count_rows(path, DelimitedText(quoted=False)).records == 2


@pytest.mark.parametrize("chunk", [*range(4, 10), 1 << 20])
@pytest.mark.parametrize("multiline", [False, True])
def test_a_quote_within_a_plain_field_is_taken_as_it_is(
    chunk: int, multiline: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHUNK_BYTES", chunk)
    path = tmp_path / "answer"
    path.write_text('App,Revenue\n5" wide,1\n"a, b",2\nx,3"\n', encoding="utf-8-sig")
    assert count_rows(path, DelimitedText(multiline=multiline)).records == 4


@pytest.mark.parametrize("chunk", [7, 16, 1000])
@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"a,b\n" + b"1,2\n" * 9 + b"1,\0\n", "a NUL byte, at byte 42$"),
        (b"a,b\n" + b"1,2\n" * 9 + b"1,\xe9\n", "not UTF-8, about byte 42$"),
        (b"a,b\n" + b"1,2\n" * 9 + b"1,\xc3", "not UTF-8, about byte 43$"),
        (b"a,b\n1,\xc3" + b"\n1,2" * 9, "not UTF-8, about byte"),
    ],
)
def test_where_bytes_are_no_text_is_told(
    chunk: int, body: bytes, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reporting_dags.landing.parsing.row_count._CHUNK_BYTES", chunk)
    (tmp_path / "answer.csv").write_bytes(body)
    with pytest.raises(DataError, match=told):
        count_rows(tmp_path / "answer.csv", DelimitedText())


@pytest.mark.parametrize("multiline", [True, False])
def test_one_quote_in_all_the_answer_opens_nothing_where_it_stands_within_a_field(
    multiline: bool, tmp_path: Path
) -> None:
    (tmp_path / "answer.csv").write_bytes(b'a,b\n1,5" pipe\n2,x\n')
    assert count_rows(tmp_path / "answer.csv", DelimitedText(multiline=multiline)).records == 3


def test_half_a_character_is_not_made_whole_by_what_comes_two_reads_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHUNK_BYTES", 4)
    (tmp_path / "answer.csv").write_bytes(b"a,b\n1,x\xc3abcd\xa9yz\n")
    with pytest.raises(DataError, match="not UTF-8"):
        count_rows(tmp_path / "answer.csv", DelimitedText())
