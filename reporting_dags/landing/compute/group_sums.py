"""Exact sums by group. Arrow's own sums overflow without an error: decimals at 38 digits, integers at 64 bits."""

from collections.abc import Sequence

import pyarrow as pa

_DIGITS = 76
"""Digits of Arrow's widest decimal type: twice those of a value, so that the rows of a file cannot overflow it."""


def sum_by_group(table: pa.Table, keys: Sequence[str], columns: Sequence[str]) -> pa.Table:
    """Return the sum of each of `columns` by group, under the column's own name, as a decimal of 76 digits.

    Nulls are ignored.

    Args:
        table: the rows.
        keys: names of the columns that identify a group.
        columns: names of the integer or decimal columns to sum.
    """
    for name in columns:
        kind = table.schema.field(name).type
        wide = pa.decimal256(_DIGITS, kind.scale if pa.types.is_decimal(kind) else 0)
        table = table.set_column(table.schema.get_field_index(name), name, table.column(name).cast(wide))
    summed = table.group_by(list(keys)).aggregate([(name, "sum") for name in columns])
    names = {f"{name}_sum": name for name in columns}
    return summed.rename_columns([names.get(name, name) for name in summed.column_names])
