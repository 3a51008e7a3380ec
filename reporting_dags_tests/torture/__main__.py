"""`make torture`: every fault, kill and race, a row each, and one last line that sums up."""

import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from rich.console import Console

from reporting_dags_tests.torture.row import Row, numbers
from reporting_dags_tests.torture.sections import rows_of, sections, whole


def main(names: Sequence[str]) -> int:
    """Run the sections of `names`, or all; 0 only if every row held."""
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    known = sections()
    if unknown := sorted(set(names) - {section.name for section in known}):
        console.print(f"no section {', '.join(unknown)}; there are: {', '.join(one.name for one in known)}")
        return 2
    chosen = [section for section in known if not names or section.name in names]
    began = time.monotonic()
    rows: list[Row] = []
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as beside:
        aside = {section.name: beside.submit(rows_of, section.name) for section in chosen if section.aside}
        for section in chosen:
            rows += _shown(console, section.name, aside[section.name].result() if section.aside else whole(section))
    told = numbers(rows)
    minutes, seconds = divmod(int(time.monotonic() - began), 60)
    bad = told["rows"] - told["held"]
    console.print(
        f"torture: {told['rows']} faults in {minutes}:{seconds:02d}; rows lost {told['lost']}, doubled "
        f"{told['doubled']}, wrong {told['wrong']}; extra submits {told['extra']}, unexplained {told['unexplained']}; "
        + ("every row held" if not bad else f"{bad} rows did NOT hold")
    )
    return 1 if bad or not rows else 0


def _shown(console: Console, name: str, found: Iterable[Row]) -> list[Row]:
    console.print(f"\n[bold]{name}[/bold]")
    console.print(f"{'fault':<58} {'outcome':<44} {'lost':>4} {'dbl':>4} {'wrong':>5} {'extra':>5}  remark")
    rows: list[Row] = []
    for row in found:
        rows.append(row)
        remark = row.trouble or row.why
        console.print(
            f"{row.fault:<58} {row.outcome:<44} {row.losses.lost:>4} {row.losses.doubled:>4} {row.losses.wrong:>5} "
            f"{row.extra:>5}  {remark}",
            style=None if row.held else "red",
            markup=False,
            soft_wrap=True,
        )
    return rows


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
