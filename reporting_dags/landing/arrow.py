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


def lengths(texts: AnyArray) -> npt.NDArray[np.int64]:
    """Bytes of each text; -1 for a null."""
    found: AnyArray = pc.call_function("binary_length", [texts])
    return found.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)


def matches(texts: AnyArray, pattern: str) -> npt.NDArray[np.bool_]:
    """Whether each text matches an RE2 pattern; a null does."""
    found: AnyArray = pc.match_substring_regex(texts, pattern)
    return found.fill_null(True).to_numpy(zero_copy_only=False)
