"""Typed helpers for Arrow arrays, where the type stubs of pyarrow are incomplete."""

from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

AnyArray: TypeAlias = "pa.Array[Any]"
"""An Arrow array of any value type."""


def buffer_to_numpy(buffer: pa.Buffer | None, dtype: type[np.generic]) -> npt.NDArray[Any]:
    """Return the memory of a buffer as a NumPy array, without a copy; an empty array if there is no buffer."""
    return np.empty(0, dtype=dtype) if buffer is None else np.frombuffer(cast("Any", buffer), dtype=dtype)


def to_strings(texts: AnyArray) -> list[str]:
    """Return the texts as Python strings; a null becomes ""."""
    return [text or "" for text in texts.to_pylist()]


def byte_lengths(texts: AnyArray) -> npt.NDArray[np.int64]:
    """Return the length of each text in bytes; -1 for a null."""
    offsets = buffer_to_numpy(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    result = np.diff(offsets).astype(np.int64)
    if texts.null_count:
        result[pc.is_null(texts).to_numpy(zero_copy_only=False)] = -1
    return result


def matches_pattern(texts: AnyArray, pattern: str) -> npt.NDArray[np.bool_]:
    """Return whether each text matches an RE2 pattern; True for a null."""
    result: AnyArray = pc.match_substring_regex(texts, pattern)
    return result.fill_null(True).to_numpy(zero_copy_only=False)
