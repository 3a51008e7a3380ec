import csv
import io
from typing import Any

import pytest

from reporting_dags_tests.sandbox.client import METRICS, SPLITS, Client, get, in_order, rows

DAY = "2026-11-11"
HEADER = [*SPLITS, *METRICS]


def damaged(client: Client, do: str, **parameters: Any) -> bytes:
    client.sandbox.faults.clear()
    client.sandbox.faults.add("dt.data", do=do, **parameters)
    return get(client.url()).content


def cells(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8"), newline="")))


@pytest.fixture
def whole(client: Client) -> list[list[str]]:
    return cells(get(client.url()).content)


def test_damage_lasts_until_it_is_removed(client: Client) -> None:
    honest = client.read()
    client.sandbox.faults.add("dt.data", do="header_only")
    damaged_url = client.url()
    assert [client.read(), client.read()] == [[], []]
    client.sandbox.faults.clear()
    assert client.read() == honest
    assert rows(get(damaged_url)) == []


def test_damage_can_be_scripted_by_occurrence_day_and_source(client: Client) -> None:
    client.sandbox.faults.add("dt.data", do="header_only", times=1, after=1, source="event", day=DAY)
    assert client.read(source="performance")
    assert client.read(start="2026-11-12")
    assert len(client.read()) > 300
    assert {row["Date"] for row in client.read()} == {"2026-11-10", "2026-11-12"}
    assert len({row["Date"] for row in client.read()}) == 3


def test_kinds_of_damage_strike_together(client: Client) -> None:
    client.sandbox.faults.add("dt.data", do="bom")
    client.sandbox.faults.add("dt.data", do="rename_column", column="Country", to="Land")
    assert get(client.url()).content.startswith("\ufeffDate,DT Publisher App ID,Land,".encode())


def test_duplicate_row(client: Client, whole: list[list[str]]) -> None:
    found = cells(damaged(client, "duplicate_row", day=DAY))
    assert len(found) == len(whole) + 1
    twice = [row for row in whole if found.count(row) == 2]
    assert [row[0] for row in twice] == [DAY]


def test_wrong_day(client: Client, whole: list[list[str]]) -> None:
    found = cells(damaged(client, "wrong_day", day=DAY, to="2026-12-24"))
    changed = [(old[0], new[0]) for old, new in zip(whole, found, strict=True) if old != new]
    assert changed == [(DAY, "2026-12-24")]
    found = cells(damaged(client, "wrong_day", day=DAY))
    changed = [(old[0], new[0]) for old, new in zip(whole, found, strict=True) if old != new]
    assert changed == [(DAY, "2026-11-12")]


def test_drop_column(client: Client, whole: list[list[str]]) -> None:
    found = cells(damaged(client, "drop_column", column="Country"))
    assert found == [row[:2] + row[3:] for row in whole]


def test_rename_column(client: Client, whole: list[list[str]]) -> None:
    found = cells(damaged(client, "rename_column", column="Offer Clicks", to="Clicks"))
    assert found[0] == ["Clicks" if name == "Offer Clicks" else name for name in HEADER]
    assert found[1:] == whole[1:]


def test_extra_column(client: Client, whole: list[list[str]]) -> None:
    found = cells(damaged(client, "extra_column", column="New", value="x"))
    assert found == [[*whole[0], "New"], *[[*row, "x"] for row in whole[1:]]]


def test_duplicate_header(client: Client, whole: list[list[str]]) -> None:
    assert cells(damaged(client, "duplicate_header", column="Country")) == [[*row, row[2]] for row in whole]
    assert cells(damaged(client, "duplicate_header")) == [[*row, row[-1]] for row in whole]


def test_repeat_header(client: Client, whole: list[list[str]]) -> None:
    found = cells(damaged(client, "repeat_header"))
    assert found.count(HEADER) == 2
    assert len(found) == len(whole) + 1


def test_bad_value(client: Client, whole: list[list[str]]) -> None:
    found = cells(damaged(client, "bad_value", column="Publisher Revenue", value="1,5", day=DAY))
    changed = [new for old, new in zip(whole, found, strict=True) if old != new]
    assert [(row[0], row[3]) for row in changed] == [(DAY, "1,5")]


def test_bom(client: Client) -> None:
    assert damaged(client, "bom").startswith(b"\xef\xbb\xbfDate,")


def test_latin1(client: Client) -> None:
    content = damaged(client, "latin1")
    assert "CÔTE D'IVOIRE".encode("latin-1") in content
    with pytest.raises(UnicodeDecodeError):
        content.decode("utf-8")


def test_nul(client: Client) -> None:
    content = damaged(client, "nul", column="Country", day=DAY)
    assert content.count(b"\0") == 1
    assert damaged(client, "nul").count(b"\0") == 1


def test_open_quote(client: Client, whole: list[list[str]]) -> None:
    content = damaged(client, "open_quote", day=DAY)
    assert content.count(b'"') % 2 == 1
    assert len(cells(content)) < len(whole)


def test_short_row_and_long_row(client: Client, whole: list[list[str]]) -> None:
    for do, width in (("short_row", 7), ("long_row", 9)):
        found = cells(damaged(client, do, day=DAY))
        odd = [row for row in found if len(row) != 8]
        assert [(row[0], len(row)) for row in odd] == [(DAY, width)]
        assert len(found) == len(whole)


def test_header_only(client: Client) -> None:
    assert cells(damaged(client, "header_only")) == [HEADER]


def test_lose_app(client: Client, whole: list[list[str]]) -> None:
    found = cells(damaged(client, "lose_app", app="205511", day=DAY))
    assert sorted(found) == sorted(row for row in whole if (row[0], row[1]) != (DAY, "205511"))
    found = cells(damaged(client, "lose_app"))
    assert len({row[1] for row in found}) == len({row[1] for row in whole}) - 1


def test_damage_with_no_row_to_harm_does_nothing(client: Client, whole: list[list[str]]) -> None:
    client.sandbox.settings.change("dt", empty_days=(DAY,))
    honest = in_order(client.read())
    for do in ("duplicate_row", "wrong_day", "nul", "open_quote", "short_row", "long_row", "header_only", "lose_app"):
        assert in_order(list(csv.DictReader(io.StringIO(damaged(client, do, day=DAY).decode())))) == honest
    assert len(honest) < len(whole) - 1
