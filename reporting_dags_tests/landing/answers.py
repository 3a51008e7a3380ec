"""Small reports and answers, and one way of landing them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from reporting_dags.landing.parsing.raw_file import RawFile
from reporting_dags.landing.storage.store import Store, open_store
from reporting_dags.landing.writing.land import LandedDay, Publish, RefusedDay, land
from reporting_dags.model.column import Column, day, identity, measure, money, ratio
from reporting_dags.model.days import Calendar, Window
from reporting_dags.model.format import DelimitedText, JsonRows
from reporting_dags.model.report import Report

FIRST, SECOND, THIRD = date(2026, 11, 1), date(2026, 11, 2), date(2026, 11, 3)
WINDOW = Window(FIRST, THIRD)

COLUMNS = (
    day("Date"),
    identity("App ID", "the app", aliases=("Fyber App ID",)),
    identity("Country", "where"),
    measure("Clicks", "clicks", unit="clicks"),
    money("Revenue", "earned", currency="USD"),
    ratio("ARPU", "a user", unit="USD"),
)
HEADER = "Date,App ID,Country,Clicks,Revenue,ARPU"


def report(
    columns: Sequence[Column] = COLUMNS,
    *,
    grain: Sequence[str] = ("App ID", "Country"),
    format: DelimitedText | JsonRows | None = None,  # noqa: A002
    timezone: str = "UTC",
    **more: Any,
) -> Report:
    return Report(
        provider="dt_offer_wall",
        name="event",
        query=None,
        columns=tuple(columns),
        grain=tuple(grain),
        calendar=Calendar(timezone=timezone),
        window_days=90,
        format=format or DelimitedText(),
        **more,
    )


class Bench:
    """A data root, and answers landed into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "data"
        self.store: Store = open_store(str(self.root), scratch=folder / "scratch")
        self._parts = 0

    def part(self, answer: str | bytes, **constants: str) -> RawFile:
        self._parts += 1
        path = self.folder / f"answer-{self._parts}.csv"
        path.write_bytes(answer.encode() if isinstance(answer, str) else answer)
        return RawFile(path=path, literal_columns={name.replace("_", " "): value for name, value in constants.items()})

    def claiming(self, answer: str | bytes, **claims: str) -> RawFile:
        return replace(
            self.part(answer), expected_echo={name.replace("__", "."): value for name, value in claims.items()}
        )

    def land(
        self,
        *answers: str | bytes | RawFile,
        of: Report | None = None,
        window: Window = WINDOW,
        days: Sequence[date] = (FIRST,),
        expected: int | None = None,
        publish: Publish = lambda _, put: put(),
    ) -> list[LandedDay | RefusedDay]:
        parts = [answer if isinstance(answer, RawFile) else self.part(answer) for answer in answers]
        return list(
            land(
                of or report(),
                parts,
                window=window,
                days=days,
                store=self.store,
                expected_rows=expected,
                publish=publish,
            )
        )

    def landed(self, *answers: str | bytes | RawFile, **how: Any) -> LandedDay:
        (result,) = self.land(*answers, **how)
        assert isinstance(result, LandedDay), result
        return result

    def refused(self, *answers: str | bytes | RawFile, **how: Any) -> RefusedDay:
        (result,) = self.land(*answers, **how)
        assert isinstance(result, RefusedDay), result
        return result

    def path(self, day: date = FIRST) -> Path:
        return self.root / f"dt_offer_wall/event/date={day}/part-0.parquet"

    def rows(self, day: date = FIRST) -> list[dict[str, Any]]:
        with self.path(day).open("rb") as file:
            return pq.read_table(file).to_pylist()

    def leftovers(self) -> list[Path]:
        return sorted((self.root / ".staging").iterdir())


def rows(*lines: str, header: str = HEADER) -> str:
    return "".join(f"{line}\n" for line in (header, *lines))
