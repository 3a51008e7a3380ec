"""Texts in place of a number that is not there: null where nothing is lost by it, refused everywhere else."""

import re
from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pyarrow as pa

from reporting_dags.landing.compute.arrow import AnyArray, listed
from reporting_dags.landing.parsing.values import Typed
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
"""In lower case, without sign and surrounding blanks."""
_PERCENTAGE = re.compile(r"[+-]?[0-9.,]*[0-9][0-9.,]*")


def without_placeholders(column: Column, texts: AnyArray, typed: Typed, none_texts: Collection[str]) -> Typed:
    """`typed`, where texts that stand for no value are null and no longer bad.

    Those are the report's `none_texts`, and in a ratio what providers write where there is nothing to divide, or the
    ratio as a percentage: ratios follow from sums. Only the latter are noted in `nulled`. Values need no change: what
    is bad is null already.
    """
    if typed.bad is None or not typed.bad.any():
        return typed
    bad, nulled = typed.bad.copy(), np.zeros(len(typed.bad), dtype=np.bool_)
    places = np.flatnonzero(bad)
    for place, text in zip(places, listed(texts.take(pa.array(places, pa.int64()))), strict=True):
        if text.strip() in none_texts:
            bad[place] = False
        elif column.kind is Kind.RATIO and _is_placeholder(text):
            bad[place], nulled[place] = False, True
    return replace(typed, bad=bad, nulled=nulled)


def _is_placeholder(text: str) -> bool:
    bare = text.strip().lower()
    value = bare.removesuffix("%").rstrip()
    if value != bare and _PERCENTAGE.fullmatch(value):
        return True
    return not bare or value in _PLACEHOLDERS or (value[:1] in {"+", "-"} and value[1:] in _PLACEHOLDERS)
