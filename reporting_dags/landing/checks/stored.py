"""The checks of a stored partition, whose file is read again completely."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from reporting_dags.landing.checks.duplicate_keys import DuplicateKeys
from reporting_dags.landing.checks.partition import ROWS_COMPLETE, SCHEMA, CheckResult, day_and_currency, grain_unique
from reporting_dags.landing.compute.hashing import Hashes, row_hashes
from reporting_dags.landing.compute.sums import Sums
from reporting_dags.landing.parsing.decode import Note
from reporting_dags.landing.parsing.pii import is_dropped
from reporting_dags.landing.parsing.row_days import RowDays, ordinal_of
from reporting_dags.landing.parsing.total_rows import FileSums
from reporting_dags.landing.reading.verify import Recorded, read_back
from reporting_dags.landing.storage.store import Store
from reporting_dags.model.column import Column
from reporting_dags.model.days import Window
from reporting_dags.model.report import Report


class StoredDay:
    """What the checks need of a stored day; see `CheckedDay`."""

    def __init__(self, report: Report, day: date, path: Path) -> None:
        self.day = day
        self.path = path
        self.rows = 0
        self.sums = Sums(report)
        self.strays: list[Note] = []
        # Which rows look like totals shows in the texts of the response alone.
        self.files: Mapping[int, FileSums] = {}
        self._grain = report.grain_names
        self._times = report.row_times
        self._row_days = RowDays(report, Window(day, day))
        self._grains: list[Hashes] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Add rows."""
        self.rows += batch.num_rows
        if set(self._grain) <= set(batch.schema.names):
            grain = [batch.column(name) for name in self._grain]
            # Without a grain, any two rows are one too many.
            self._grains.append(row_hashes(self._grain, grain) if grain else np.zeros(batch.num_rows, np.uint64))
        days = np.full(batch.num_rows, ordinal_of(self.day), np.int32)
        for column, tolerance in self._times:
            if column.name in batch.schema.names:
                moments = batch.column(column.name)
                places = np.flatnonzero(self._row_days.outside_day(days, moments, tolerance))
                if places.size:
                    example = _shown(column, moments[int(places[0])])
                    self.strays.append(Note(day=self.day, column=column.header, example=example, count=places.size))

    def duplicate_keys(self) -> DuplicateKeys:
        """Return the grains that several rows share; can be called once."""
        hashes = np.concatenate([np.empty(0, np.uint64), *self._grains])
        self._grains = []
        return DuplicateKeys.among(hashes)


def _shown(column: Column, moment: "pa.Scalar[Any]") -> str:
    return "" if column.personal else str(moment.as_py())


def stored_checks(report: Report, day: date, recorded: Recorded, store: Store, folder: Path) -> tuple[CheckResult, ...]:
    """Return the checks of a stored day, evaluated on its file and on its record in the ledger.

    Args:
        report: the current declaration.
        day: the partition.
        recorded: the record in the ledger.
        store: the data root.
        folder: folder for a copy of the file if the store is not local.

    Raises:
        StorageError: the store cannot be read.
    """
    key = report.file(day)
    stored = StoredDay(report, day, store.fetch(key, folder)) if store.exists(key) else None
    reading = read_back(report, day, recorded, store, each=stored.add if stored is not None else None)
    facts: dict[str, int | float | str] = {"rows": reading.rows, "rows_landed": recorded.rows}
    whole = CheckResult(
        name=ROWS_COMPLETE,
        passed=not reading.differences,
        detail="; ".join(reading.differences) or f"{reading.rows} rows, with the values and sums that landed",
        facts=facts,
    )
    if stored is None or reading.sums is None:
        return CheckResult(name=SCHEMA, passed=False, detail=whole.detail, facts=facts), whole
    stored.sums = reading.sums
    columns = f"{len(report.stored_columns)} columns as declared"
    if not reading.declared:
        columns = "written under an earlier declaration, with the columns of that"
    schema = CheckResult(name=SCHEMA, passed=True, detail=columns, facts=facts)
    return schema, _grain(report, stored), day_and_currency(report, stored), whole


def _grain(report: Report, stored: StoredDay) -> CheckResult:
    result = grain_unique(report, stored)
    if any(is_dropped(column, report.privacy) for column in report.stored_columns if column.name in report.grain_names):
        detail = f"not evaluated: {', '.join(report.grain_names)} are not all stored (REPORTING_PERSONAL_DATA=drop)"
        return CheckResult(name=result.name, passed=True, detail=detail, facts={"rows": stored.rows})
    return result
