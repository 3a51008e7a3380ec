"""What must not be found, in every form in which it could lie about, and the reading of what could hold it."""

import base64
import contextlib
import html
import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

import pyarrow.parquet as pq
import sqlalchemy as sa

from reporting_dags.sandbox.request_log import LogEntry

_SQLITE = b"SQLite format 3\0"
_PROOFS = ("signature", "credential", "token", "secret", "api_key", "client_id")
_SHORTEST = 8


class Needles:
    """Secrets by what they are; what is found is told by that name, never by the secret itself."""

    def __init__(self, named: Iterable[tuple[str, str]] = ()) -> None:
        self._forms: dict[bytes, str] = {}
        self._secrets: set[str] = set()
        for name, secret in named:
            self.add(name, secret)

    def __len__(self) -> int:
        return len(self._secrets)

    def add(self, name: str, secret: str) -> None:
        """Look for `secret` too, in all its forms."""
        if len(secret) >= _SHORTEST:
            self._secrets.add(secret)
            for form in forms(secret):
                self._forms.setdefault(form, name)

    def found(self, content: bytes) -> set[str]:
        """What `content` holds."""
        return {name for form, name in self._forms.items() if form in content}


def forms(secret: str) -> set[bytes]:
    """A secret as it is, percent-encoded once and twice, in JSON, HTML, hexadecimal, and within something in base64."""
    raw = secret.encode()
    quoted = quote(secret, safe="")
    in_json = json.dumps(secret)[1:-1]
    texts = {secret, quoted, quote(quoted, safe=""), quoted.lower(), in_json, in_json.replace("/", "\\/")}
    texts |= {json.dumps(in_json)[1:-1], html.escape(secret), raw.hex(), repr(secret)[1:-1]}
    found = {text.encode() for text in texts}
    for before in range(3):
        # Where it begins within what was encoded shifts its letters; those that its neighbours decide are left out.
        begin, end = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.add(encode(b"\0" * before + raw)[begin:end])
    return {form for form in found if len(form) >= _SHORTEST}


def of_requests(entries: Iterable[LogEntry]) -> Iterator[tuple[str, str]]:
    """Tokens, signatures and signed addresses that went over the wire, by what they are."""
    for entry in entries:
        bearer = entry.headers.get("authorization", "").removeprefix("Bearer ")
        yield f"bearer token of {entry.point}", bearer
        yield f"seal of the bearer token of {entry.point}", bearer.rpartition(".")[2]
        yield f"token of {entry.point}", entry.headers.get("token", "")
        address = entry.facts.get("url", "")
        yield f"signed address of {entry.point}", address
        for query in (entry.query, address.partition("?")[2]):
            proofs = [(key, value) for key, value in parse_qsl(query) if any(word in key.lower() for word in _PROOFS)]
            yield from ((f"{key} of {entry.point}", value) for key, value in proofs)
            if proofs:
                yield f"signed query of {entry.point}", query


def contents(path: Path) -> Iterator[bytes]:
    """The bytes of a file, and what they mean where they are packed: Parquet pages, SQLite rows."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return
    yield raw
    if path.suffix == ".parquet":
        yield repr(pq.ParquetFile(path).read().to_pydict()).encode()
    elif raw.startswith(_SQLITE):
        with contextlib.closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (name,) in names:
                yield b"\n".join(_values(connection.execute(f'SELECT * FROM "{name}"')))


def tables(url: str) -> Iterator[tuple[str, bytes]]:
    """Every value of every table of a PostgreSQL database, by the table's name."""
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg2"))
    try:
        with engine.connect() as connection:
            for name in sa.inspect(engine).get_table_names():
                rows = connection.execute(sa.text(f'SELECT * FROM "{name}"'))
                yield name, b"\n".join(_values(map(tuple, rows)))
    finally:
        engine.dispose()


def _values(rows: Iterable[Any]) -> Iterator[bytes]:
    """The values of rows one after another; what Dagster keeps packed is unpacked."""
    for row in rows:
        for value in row:
            if isinstance(value, bytes | memoryview):
                packed = bytes(value)
                yield packed
                with contextlib.suppress(zlib.error):
                    yield zlib.decompress(packed)
            elif value is not None:
                yield (json.dumps(value) if isinstance(value, dict | list) else str(value)).encode()


def personal_values(
    rows: Iterable[tuple[frozenset[str], Mapping[str, str]]], *, most: int
) -> Iterator[tuple[str, str]]:
    """Telling values of personal columns: (column, value); `rows` are the personal headers and the texts of each row.

    Values that stand in another column of the data too are left out, since they may be kept there, and so are values so
    plain that they can be met by chance.
    """
    kept = list(rows)
    others = "\n".join({text for personal, row in kept for header, text in row.items() if header not in personal})
    counts: dict[str, int] = {}
    seen: set[str] = set()
    for personal, row in kept:
        for header in sorted(personal & row.keys()):
            text = row[header]
            plain = len(text) < _SHORTEST or len(set(text)) < 6 or text in seen or text in others
            if not plain and counts.get(header, 0) < most:
                seen.add(text)
                counts[header] = counts.get(header, 0) + 1
                yield header, text
