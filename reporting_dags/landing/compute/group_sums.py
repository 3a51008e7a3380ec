"""Exact sums by group: Arrow's own overflow without an error, for decimals at 38 digits and for integers at 64 bits."""

from collections.abc import Sequence

import pyarrow as pa

_DIGITS = 76
"""Of Arrow's widest decimals: twice as many as a value has, and no file has rows enough to fill the rest."""


def sums_by(table: pa.Table, keys: Sequence[str], figures: Sequence[str]) -> pa.Table:
    """The sum of each of `figures` by `keys`, under its own name, as a decimal of 76 digits; nulls count as nothing.

    Args:
        table: the rows.
        keys: columns that together name a group.
        figures: columns of integers or decimals.
    """
    for name in figures:
        kind = table.schema.field(name).type
        wide = pa.decimal256(_DIGITS, kind.scale if pa.types.is_decimal(kind) else 0)
        table = table.set_column(table.schema.get_field_index(name), name, table.column(name).cast(wide))
    summed = table.group_by(list(keys)).aggregate([(name, "sum") for name in figures])
    names = {f"{name}_sum": name for name in figures}
    return summed.rename_columns([names.get(name, name) for name in summed.column_names])
