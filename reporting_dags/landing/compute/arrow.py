"""What pyarrow's stubs leave unsaid, said once."""

from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

AnyArray: TypeAlias = "pa.Array[Any]"
"""An array of whatever type."""


def viewed(buffer: pa.Buffer | None, kind: type[np.generic]) -> npt.NDArray[Any]:
    """A buffer's memory as numbers, not copied; none holds no numbers."""
    return np.empty(0, dtype=kind) if buffer is None else np.frombuffer(cast("Any", buffer), dtype=kind)


def listed(texts: AnyArray) -> list[str]:
    """Texts as Python has them; "" for a null."""
    return [text or "" for text in texts.to_pylist()]


def lengths(texts: AnyArray) -> npt.NDArray[np.int64]:
    """Bytes of each text; -1 for a null."""
    offsets = viewed(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    result = np.diff(offsets).astype(np.int64)
    if texts.null_count:
        result[pc.is_null(texts).to_numpy(zero_copy_only=False)] = -1
    return result


def matches(texts: AnyArray, pattern: str) -> npt.NDArray[np.bool_]:
    """Whether each text matches an RE2 pattern; a null does."""
    result: AnyArray = pc.match_substring_regex(texts, pattern)
    return result.fill_null(True).to_numpy(zero_copy_only=False)
