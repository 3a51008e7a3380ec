"""Rows as 64-bit numbers, a column at a time: for the data version of a day and to find what is duplicated."""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from reporting_dags.landing.compute.arrow import AnyArray, lengths, viewed

Hashes = npt.NDArray[np.uint64]

_WORD = (1 << 64) - 1
_SECOND = np.uint64(0x9E3779B97F4A7C15)


def row_hashes(names: Sequence[str], columns: Sequence[AnyArray]) -> Hashes:
    """A number a row that depends on its values and on the columns' names and types, and on nothing else.

    Equal rows have equal numbers in every process and however rows are batched; unequal rows differ but for a chance
    of 2⁻⁶⁴. An empty text, a null and a zero are three different values. The texts of a row are joined and hashed
    once, with their lengths beside them: one call a row costs less than one a value.
    """
    total = np.zeros(len(columns[0]) if columns else 0, dtype=np.uint64)
    texts: list[AnyArray] = []
    for name, column in zip(names, columns, strict=True):
        if not _is_number(column.type):
            text = column if pa.types.is_string(column.type) else pc.cast(column, pa.string())
            texts.append(pc.cast(text, pa.binary()))
            total += lengths(text).view(np.uint64) * _seed(name, "length")
            continue
        for place, word in enumerate(_words(column)):
            mixed = _mixed(word ^ _seed(name, str(column.type), place))
            if column.null_count:
                mixed[~_valid(column)] = _seed(name, "null", place)
            total += mixed
    if texts:
        joined = pc.call_function("binary_join_element_wise", [*texts, pa.scalar(b"")], pc.JoinOptions("replace", ""))
        total += pd.util.hash_array(joined.to_numpy(zero_copy_only=False), categorize=False)
    return _mixed(total)


class DataVersion:
    """The data version of a set of rows: the same in whatever order and batches they come, another for other rows."""

    def __init__(self, schema: pa.Schema) -> None:
        self._columns = ";".join(f"{field.name}:{field.type}" for field in schema)
        self._first = 0
        self._second = 0
        self._rows = 0

    def add(self, hashes: Hashes) -> None:
        """Take in rows by their `row_hashes`."""
        self._first = (self._first + int(hashes.sum(dtype=np.uint64))) & _WORD
        self._second = (self._second + int(_mixed(hashes ^ _SECOND).sum(dtype=np.uint64))) & _WORD
        self._rows += len(hashes)

    @property
    def text(self) -> str:
        """32 hexadecimal digits."""
        message = f"{self._columns}|{self._rows}|{self._first:x}|{self._second:x}"
        return hashlib.blake2b(message.encode(), digest_size=16).hexdigest()


def data_version_of(table: pa.Table) -> str:
    """The fingerprint of a whole table, equal to that of the day that it was read from."""
    result = DataVersion(table.schema)
    for batch in table.to_batches():
        result.add(row_hashes(batch.schema.names, batch.columns))
    return result.text


def _is_number(kind: pa.DataType) -> bool:
    return (
        pa.types.is_integer(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_timestamp(kind)
        or pa.types.is_boolean(kind)
    )


def words_of(column: AnyArray) -> npt.NDArray[np.uint64]:
    """A fixed-width column's values as rows of 64-bit words, the least significant first; nulls hold anything."""
    width = column.type.bit_width // 64
    held = viewed(column.buffers()[1], np.uint64)
    return held[column.offset * width : (column.offset + len(column)) * width].reshape(-1, width)


def _words(column: AnyArray) -> list[Hashes]:
    if column.type.bit_width < 64:
        column = pc.cast(column, pa.int64())
    words = words_of(column)
    return [words[:, place] for place in range(words.shape[1])]


def _valid(column: AnyArray) -> npt.NDArray[np.bool_]:
    return pc.is_valid(column).to_numpy(zero_copy_only=False)


def _seed(*what: str | int) -> np.uint64:
    digest = hashlib.blake2b("\0".join(map(str, what)).encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little") | 1)


def _mixed(words: Hashes) -> Hashes:
    """Every bit of a word spread over all of it (the finalizer of splitmix64)."""
    mixed = words ^ (words >> np.uint64(30))
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed
