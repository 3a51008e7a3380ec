"""64-bit hashes of rows, computed column by column: for the data version of a day and to find duplicate keys."""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from reporting_dags.landing.compute.arrow import AnyArray, buffer_to_numpy, byte_lengths

Hashes = npt.NDArray[np.uint64]
"""One hash for each row."""

_WORD_MASK = (1 << 64) - 1
_SECOND_SEED = np.uint64(0x9E3779B97F4A7C15)


def row_hashes(names: Sequence[str], columns: Sequence[AnyArray]) -> Hashes:
    """Return a hash for each row, which depends only on the row's values and on the names and types of the columns.

    Equal rows have equal hashes, in every process and however the rows are batched. Two different rows have the same
    hash with a probability of 2⁻⁶⁴. An empty text, a null and a zero are three different values.

    Args:
        names: the names of the columns.
        columns: the columns, all of the same length.
    """
    # The texts of a row are joined and hashed once, and their lengths are added: faster than one hash for each text.
    total = np.zeros(len(columns[0]) if columns else 0, dtype=np.uint64)
    texts: list[AnyArray] = []
    for name, column in zip(names, columns, strict=True):
        if not _is_number(column.type):
            text = column if pa.types.is_string(column.type) else pc.cast(column, pa.string())
            texts.append(pc.cast(text, pa.binary()))
            total += byte_lengths(text).view(np.uint64) * _seed(name, "length")
            continue
        for index, word in enumerate(_word_columns(column)):
            mixed = _mix(word ^ _seed(name, str(column.type), index))
            if column.null_count:
                mixed[~_is_valid(column)] = _seed(name, "null", index)
            total += mixed
    if texts:
        joined = pc.call_function("binary_join_element_wise", [*texts, pa.scalar(b"")], pc.JoinOptions("replace", ""))
        total += pd.util.hash_array(joined.to_numpy(zero_copy_only=False), categorize=False)
    return _mix(total)


class DataVersion:
    """Computes the data version of a set of rows, which does not depend on their order or on how they are batched."""

    def __init__(self, schema: pa.Schema) -> None:
        self._columns = ";".join(f"{field.name}:{field.type}" for field in schema)
        self._first = 0
        self._second = 0
        self._rows = 0

    def add(self, hashes: Hashes) -> None:
        """Add rows, given by their `row_hashes`."""
        self._first = (self._first + int(hashes.sum(dtype=np.uint64))) & _WORD_MASK
        self._second = (self._second + int(_mix(hashes ^ _SECOND_SEED).sum(dtype=np.uint64))) & _WORD_MASK
        self._rows += len(hashes)

    @property
    def value(self) -> str:
        """The data version of the rows added so far, as 32 hexadecimal digits."""
        message = f"{self._columns}|{self._rows}|{self._first:x}|{self._second:x}"
        return hashlib.blake2b(message.encode(), digest_size=16).hexdigest()


def compute_data_version(table: pa.Table) -> str:
    """Return the data version of a table; it equals that of the partition that the table was read from."""
    version = DataVersion(table.schema)
    for batch in table.to_batches():
        version.add(row_hashes(batch.schema.names, batch.columns))
    return version.value


def _is_number(kind: pa.DataType) -> bool:
    return (
        pa.types.is_integer(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_timestamp(kind)
        or pa.types.is_boolean(kind)
    )


def to_words(column: AnyArray) -> npt.NDArray[np.uint64]:
    """Return the values of a fixed-width column as 64-bit words, shape (values, words per value).

    The least significant word comes first. The words of a null are undefined.
    """
    width = column.type.bit_width // 64
    words = buffer_to_numpy(column.buffers()[1], np.uint64)
    return words[column.offset * width : (column.offset + len(column)) * width].reshape(-1, width)


def _word_columns(column: AnyArray) -> list[Hashes]:
    if column.type.bit_width < 64:
        column = pc.cast(column, pa.int64())
    words = to_words(column)
    return [words[:, index] for index in range(words.shape[1])]


def _is_valid(column: AnyArray) -> npt.NDArray[np.bool_]:
    return pc.is_valid(column).to_numpy(zero_copy_only=False)


def _seed(*parts: str | int) -> np.uint64:
    digest = hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little") | 1)


def _mix(words: Hashes) -> Hashes:
    """Return the words with the bits of each mixed (the finalizer of splitmix64)."""
    mixed = words ^ (words >> np.uint64(30))
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed
