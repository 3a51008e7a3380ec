"""Reads placeholders for a missing number, such as "n/a", as null where no information is lost. Others stay errors."""

import re
from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pyarrow as pa

from reporting_dags.landing.compute.arrow import AnyArray, to_strings
from reporting_dags.landing.parsing.values import TypedValues
from reporting_dags.model.column import Column, Kind

_PLACEHOLDERS = frozenset(
    {
        "-",
        "--",
        "---",
        "\u2013",
        "\u2014",
        "n/a",
        "na",
        "none",
        "null",
        "nil",
        "undefined",
        r"\n",
        "nan",
        "inf",
        "infinity",
    }
    | {r"\n", "\u221e", "#n/a", "#div/0!", "#num!", "#value!"}
)
"""Placeholders in lower case, without sign and surrounding blanks."""
_PERCENTAGE = re.compile(r"[+-]?[0-9.,]*[0-9][0-9.,]*")


def without_placeholders(
    column: Column, texts: AnyArray, typed: TypedValues, none_texts: Collection[str]
) -> TypedValues:
    """Return `typed` with placeholders no longer marked as bad; their values are null already.

    Placeholders are the report's `none_texts` in any column. In a ratio they are also what providers write for a
    division by zero, and percentages, because ratios can be computed from sums; these are marked in `nulled`.

    Args:
        column: the declaration of the column.
        texts: the texts of the column.
        typed: the values read from these texts.
        none_texts: the texts that the report declares as no value.
    """
    if typed.bad is None or not typed.bad.any():
        return typed
    bad, nulled = typed.bad.copy(), np.zeros(len(typed.bad), dtype=np.bool_)
    rows = np.flatnonzero(bad)
    for row, text in zip(rows, to_strings(texts.take(pa.array(rows, pa.int64()))), strict=True):
        if text.strip() in none_texts:
            bad[row] = False
        elif column.kind is Kind.RATIO and _is_placeholder(text):
            bad[row], nulled[row] = False, True
    return replace(typed, bad=bad, nulled=nulled)


def _is_placeholder(text: str) -> bool:
    bare = text.strip().lower()
    value = bare.removesuffix("%").rstrip()
    if value != bare and _PERCENTAGE.fullmatch(value):
        return True
    return not bare or value in _PLACEHOLDERS or (value[:1] in {"+", "-"} and value[1:] in _PLACEHOLDERS)
