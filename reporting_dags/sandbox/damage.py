"""Damage to the data of a file that is transferred completely."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal, localcontext

from reporting_dags.sandbox.faults import Fault
from reporting_dags.sandbox.table import QUOTE, Table

BOM = "\ufeff"
_DAY = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)")


def damage(table: Table, faults: Sequence[Fault]) -> None:
    """Apply `faults` to `table`, in their order. A fault without a matching row does nothing."""
    for fault in faults:
        _DAMAGE[fault.do](table, fault)


def damaged_file(table: Table, faults: Sequence[Fault]) -> bytes:
    """Return the file of `table` after `faults`."""
    damage(table, faults)
    return table.as_text()


def _target_rows(table: Table, fault: Fault) -> list[int]:
    """Return the indexes of the rows of the fault's day; of all rows if it has no day."""
    column = table.column(table.day)
    if fault.day is None or column is None:
        return list(range(len(table.rows)))
    day = table.day_text(fault.day)
    return [n for n, row in enumerate(table.rows) if len(row) > column and row[column].startswith(day)]


def _target_row(table: Table, fault: Fault) -> list[str]:
    """Return the row to damage; a new one that is not in the table if no row matches."""
    targets = _target_rows(table, fault)
    return table.rows[targets[0]] if targets else [""] * len(table.header)


def _duplicate_row(table: Table, fault: Fault) -> None:
    targets = _target_rows(table, fault)
    if targets:
        # At the end of the table: adjacent duplicates would be easier to detect.
        table.rows.append(list(table.rows[targets[0]]))


def _wrong_day(table: Table, fault: Fault) -> None:
    column = table.column(table.day)
    if column is not None and _target_rows(table, fault):
        row = _target_row(table, fault)
        match = _DAY.match(row[column])
        day = date(*(int(part) for part in match.groups())) if match else date.min
        next_day = table.day_text(day + timedelta(days=1)) + row[column][len(table.day_text(day)) :]
        row[column] = str(fault["to"] or next_day)


def _drop_column(table: Table, fault: Fault) -> None:
    column = table.column(fault["column"])
    if column is not None:
        for row in (table.header, *table.rows):
            del row[column]


def _rename_column(table: Table, fault: Fault) -> None:
    column = table.column(fault["column"])
    if column is not None:
        table.header[column] = str(fault["to"])


def _extra_column(table: Table, fault: Fault) -> None:
    table.header.append(str(fault["column"]))
    for row in table.rows:
        row.append(str(fault["value"]))


def _duplicate_header(table: Table, fault: Fault) -> None:
    column = table.column(fault["column"]) if fault["column"] is not None else len(table.header) - 1
    if column is not None:
        for row in (table.header, *table.rows):
            row.append(row[column])


def _repeat_header(table: Table, _fault: Fault) -> None:
    table.rows.insert(len(table.rows) // 2, list(table.header))


def _bad_value(table: Table, fault: Fault) -> None:
    column = table.column(fault["column"])
    if column is not None:
        _target_row(table, fault)[column] = str(fault["value"])


def _edit_values(table: Table, fault: Fault) -> None:
    column = table.column(fault["column"])
    if column is not None:
        for n in _target_rows(table, fault):
            table.rows[n][column] = re.sub(fault["pattern"], fault["to"], table.rows[n][column])


def _total_row(table: Table, fault: Fault) -> None:
    targets = _target_rows(table, fault)
    if not targets:
        return
    first = table.rows[targets[0]]
    total = [str(fault["text"]) if name in fault["names"] else "" for name in table.header]
    for name in (table.day, "Currency", *fault["sums"]):
        column = table.column(name)
        if column is None:
            continue
        total[column] = first[column]
        if name in fault["sums"]:
            total[column] = _sum(table.rows[n][column] for n in targets)
    table.rows.append(total)


def _sum(cells: Iterable[str]) -> str:
    with localcontext(prec=80):
        return f"{sum((Decimal(cell or 0) for cell in cells), Decimal()):f}"


def _pad_header(table: Table, _fault: Fault) -> None:
    table.header[1:] = [f" {name}" for name in table.header[1:]]


def _bom(table: Table, _fault: Fault) -> None:
    table.header[0] = BOM + table.header[0]


def _latin1(table: Table, _fault: Fault) -> None:
    table.encoding = "latin-1"


def _nul(table: Table, fault: Fault) -> None:
    column = table.column(fault["column"]) if fault["column"] is not None else 1 % len(table.header)
    if column is not None:
        row = _target_row(table, fault)
        row[column] = f"{row[column][:2]}\0{row[column][2:]}"


def _open_quote(table: Table, fault: Fault) -> None:
    row = _target_row(table, fault)
    row[-1] = QUOTE + row[-1]


def _short_row(table: Table, fault: Fault) -> None:
    del _target_row(table, fault)[-1]


def _long_row(table: Table, fault: Fault) -> None:
    _target_row(table, fault).append("1")


def _header_only(table: Table, fault: Fault) -> None:
    _remove_rows(table, set(_target_rows(table, fault)))


def _lose_app(table: Table, fault: Fault) -> None:
    column = table.column(table.entity)
    targets = _target_rows(table, fault)
    if column is None or not targets:
        return
    largest = Counter(table.rows[n][column] for n in targets).most_common(1)[0][0]
    app = str(fault["app"]) if fault["app"] is not None else largest
    _remove_rows(table, {n for n in targets if table.rows[n][column] == app})


def _remove_rows(table: Table, indexes: set[int]) -> None:
    table.rows = [row for n, row in enumerate(table.rows) if n not in indexes]


_DAMAGE: Mapping[str, Callable[[Table, Fault], None]] = {
    "duplicate_row": _duplicate_row,
    "wrong_day": _wrong_day,
    "drop_column": _drop_column,
    "rename_column": _rename_column,
    "extra_column": _extra_column,
    "duplicate_header": _duplicate_header,
    "repeat_header": _repeat_header,
    "bad_value": _bad_value,
    "edit_values": _edit_values,
    "total_row": _total_row,
    "pad_header": _pad_header,
    "bom": _bom,
    "latin1": _latin1,
    "nul": _nul,
    "open_quote": _open_quote,
    "short_row": _short_row,
    "long_row": _long_row,
    "header_only": _header_only,
    "lose_app": _lose_app,
}
