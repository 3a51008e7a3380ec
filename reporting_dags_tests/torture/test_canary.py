"""No secret and no personal value is found where it has no business; the long form searches PostgreSQL too."""

import base64
import contextlib
import json
import sqlite3
import zlib
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reporting_dags_tests.torture.canary import rows, searched
from reporting_dags_tests.torture.needles import Needles, contents, personal_values
from reporting_dags_tests.torture.row import held


@pytest.mark.timeout(900)
def test_no_secret_and_no_personal_value_is_found_outside_its_place() -> None:
    found = held(rows(quick=True))
    assert len(found) > 20


SECRET = 'a+secret/of "mine"=='


@pytest.mark.parametrize(
    "content",
    [
        SECRET,
        f"key={quote(SECRET, safe='')}&x=1",
        quote(quote(SECRET, safe=""), safe=""),
        json.dumps({"key": SECRET}),
        json.dumps(json.dumps({"key": SECRET})),
        json.dumps({"key": SECRET}).replace("/", "\\/"),
        SECRET.encode().hex(),
        *(base64.b64encode(f"{'x' * n}{SECRET}{'y' * n}".encode()).decode() for n in range(4)),
        *(base64.urlsafe_b64encode(f"{'x' * n}:{SECRET}".encode()).decode() for n in range(3)),
    ],
)
def test_a_secret_is_found_in_whatever_form(content: str) -> None:
    assert Needles([("the key", SECRET)]).found(f"…{content}…".encode()) == {"the key"}
    assert Needles([("the key", SECRET[::-1])]).found(f"…{content}…".encode()) == set()


def packed(kind: str, folder: Path) -> Path:
    """A file of a kind in which the secret cannot be seen from outside."""
    path = folder / f"file.{kind}"
    if kind == "parquet":
        pq.write_table(pa.table({"text": [f"{n} {SECRET}" for n in range(1000)]}), path, compression="zstd")
        return path
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE held (value)")
        spread = zlib.compress(SECRET.encode()) if kind == "zlib.db" else "x" * 4000 + SECRET * 400
        connection.execute("INSERT INTO held VALUES (?)", [spread])
    return path


@pytest.mark.parametrize("kind", ["parquet", "db", "zlib.db"])
def test_a_secret_is_found_in_packed_pages(kind: str, tmp_path: Path) -> None:
    needles = Needles([("the key", SECRET)])
    assert [needles.found(content) for content in contents(packed(kind, tmp_path))][-1] == {"the key"}


def test_a_secret_that_is_found_is_told_without_being_shown() -> None:
    needles = Needles([("the key", SECRET), ("another", "something-else")])
    row = searched("logs", needles, "secrets", [("a.log", b"x"), ("b.log", SECRET.encode())])
    assert (row.held, row.trouble, row.outcome) == (False, "the key in b.log", "1 of 2 secrets in 2 contents")


def test_a_search_of_nothing_is_no_proof() -> None:
    needles = Needles([("the key", SECRET)])
    assert not searched("logs", needles, "secrets", []).held
    assert not searched("logs", Needles(), "secrets", [("a.log", b"x")]).held


def test_personal_values_that_may_stand_elsewhere_are_not_looked_for() -> None:
    personal = frozenset({"ip", "mail"})
    rows = [
        (personal, {"ip": "203.0.113.7", "mail": "jane@example.org", "server": "to 203.0.113.71"}),
        (personal, {"ip": "2001:db8::7", "mail": "", "server": "x"}),
        (personal, {"ip": "0000000000000005", "mail": "jane@example.org", "server": ""}),
    ]
    assert list(personal_values(rows, most=5)) == [("mail", "jane@example.org"), ("ip", "2001:db8::7")]
