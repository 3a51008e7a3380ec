"""A process that reads a dataset all the time, as anybody's query does, and tells each thing that it saw.

`python -m reporting_dags_tests.torture.reader ROOT PROVIDER/REPORT DAY` reads until its input ends. It writes one JSON
object for each unbroken series of reads that were alike: `{"saw": digest or error, "reads": n}`.
"""

import hashlib
import json
import sys
import threading
from collections import Counter
from datetime import date
from pathlib import Path

from reporting_dags.landing.storage.store import open_store
from reporting_dags.model.report import Report
from reporting_dags.reports.registry import all_reports
from reporting_dags_tests.truth import Row, landed_rows

NOTHING = "no file"


def digest(rows: Counter[Row]) -> str:
    """A name of a multiset of rows: another if one of them is."""
    text = "\n".join(sorted(f"{row!r} {count}" for row, count in rows.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def look(root: Path, report: Report, day: date) -> str:
    """What is stored at this moment."""
    try:
        found = sorted(path.relative_to(root).as_posix() for path in (root / report.key).glob("**/*.parquet"))
        if not found:
            return NOTHING
        if found != [report.file(day)]:
            return f"files that are no partition: {found}"
        return digest(landed_rows(open_store(str(root), scratch=root), report, day))
    except Exception as error:  # noqa: BLE001 - a read that fails is what is looked for
        return f"{type(error).__name__}: {error}"


def main(root: str, key: str, day: str) -> None:
    """Read until the input ends."""
    report = next(report for report in all_reports() if report.key == key)
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    saw, reads = "", 0
    while not ended.is_set():
        seen = look(Path(root), report, date.fromisoformat(day))
        if seen != saw and reads:
            print(json.dumps({"saw": saw, "reads": reads}), flush=True)  # noqa: T201
            reads = 0
        saw, reads = seen, reads + 1
    print(json.dumps({"saw": saw, "reads": reads}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
