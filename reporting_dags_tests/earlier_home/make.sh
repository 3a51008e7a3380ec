#!/usr/bin/env bash
# Makes the files beside this script: a home as the last release before the first migration left it.
# It runs the code of that release against its own sandbox, on a still clock:
#
#   PYTHON=.venv/bin/python reporting_dags_tests/earlier_home/make.sh
set -euo pipefail
release=aeca5f7
target=$(cd "$(dirname "$0")" && pwd)
python=$(realpath -s "${PYTHON:-python3}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git -C "$target/../.." archive "$release" | tar x -C "$work"
rm -rf "$target/datasets"
cd "$work"
env -i PATH="$PATH" HOME="$work" PYTHONPATH="$work" "$python" - "$target" <<'PYTHON'
import json
import os
import shutil
import sqlite3
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from reporting_dags.jobs.building.build import build
from reporting_dags.jobs.ledger.database import FILE_NAME, open_database
from reporting_dags.jobs.planning.due import due_days
from reporting_dags.jobs.pulling.pull import pull
from reporting_dags.jobs.ledger.rate_limit import Rates
from reporting_dags.landing.storage.store import open_store
from reporting_dags.local import sandbox_accounts
from reporting_dags.orchestration.storage import as_set
from reporting_dags.orchestration.network import COMBINATION
from reporting_dags.reports.catalog import all_reports
from reporting_dags.sandbox.server import running_sandbox
from reporting_dags_tests.conftest import NOON, RESOURCES, SandboxClock
from reporting_dags_tests.pulling import bench_in

target, home = Path(sys.argv[1]), Path("home").absolute()
home.mkdir()
START = date(2026, 11, 17)
SMALL = {
    "dt": {"empty_day_one_in": 0, "user_level_rows_factor": 0.1},
    "mintegral": {"empty_day_one_in": 0, "rows_factor": 0.05},
    "orangeclick": {"empty_day_one_in": 0, "rows_factor": 0.2},
    "integr8": {"empty_day_one_in": 0, "rows_factor": 0.2},
}
with running_sandbox(seed=7, at=NOON, frozen=True) as sandbox:
    for provider, values in SMALL.items():
        sandbox.settings.change(provider, **values)
    os.environ.update(sandbox_accounts(sandbox.url))
    clock, database = SandboxClock(sandbox), open_database(None, home, lock_seconds=5)
    rates = Rates(database)
    benches = {
        name: bench_in(home, kind().client(clock, rates.pace(clock)), database, clock)
        for name, kind in RESOURCES.items()
    }
    reports = {report.key: as_set(report) for report in all_reports()}

    def land(key, *days, **changes):
        report = reports[key]
        chosen = [date(2026, 11, day) for day in days] if report.partitioned else [date(1970, 1, 1)]
        return list(pull(replace(benches[report.provider], **changes), report, chosen))

    def landed(key, *days):
        assert all(result.error is None for result in land(key, *days)), key

    landed("dt_offer_wall/performance", 17, 18)
    landed("dt_user_level/revenue", 18)
    landed("integr8/offers")
    # A day later: days that are restated, and all others.
    sandbox.clock.advance(timedelta(days=1).total_seconds())
    landed("dt_offer_wall/performance", 17, 18, 19)
    landed("dt_offer_wall/event", 18, 19, 20)
    landed("dt_user_level/revenue", 18, 19)
    landed("mintegral/offer_performance", 19, 20)
    landed("orangeclick/earnings", 19, 20)
    landed("integr8/conversions", 20)
    for day in (18, 19, 20):
        build(COMBINATION, date(2026, 11, day), ledger=benches["integr8"].ledger, data=benches["integr8"].data, clock=clock)
    for key, days in (("dt_offer_wall/event", (18, 19, 20)), ("orangeclick/earnings", (19, 20))):
        report = reports[key]
        elsewhere = open_store(str(home / "totals"), scratch=home)
        totals = pull(replace(benches[report.provider], data=elsewhere), report.control, [date(2026, 11, d) for d in days])
        assert all(result.error is None for result in totals), key
    # One day whose answer was refused, and one job that is not ready yet.
    sandbox.faults.add("orangeclick.data", do="drop_column", column="earnings", times=1)
    assert any(result.error is not None for result in land("orangeclick/earnings", 18))
    sandbox.faults.add("mintegral.generate", do="never", times=None)
    assert any(result.error is not None for result in land("mintegral/creative_performance", 20, waits=False))
    now = clock.now()
    ledger = benches["integr8"].ledger
    facts = {
        "now": now.isoformat(),
        "start": START.isoformat(),
        "landed": {
            key: {day.isoformat(): one.sha256 for day, one in sorted(ledger.days(key).items())}
            for key in (*sorted(reports), COMBINATION.report.key)
        },
        "due": {
            key: [
                day.isoformat()
                for day in due_days(report, since=START, ledger=ledger, data=benches["integr8"].data, now=now)
            ]
            for key, report in sorted(reports.items())
        },
        "left": {
            f"{name} {quota.api}": ledger.calls.left(quota, bench.provider.account, now)
            for name, bench in benches.items()
            for quota in bench.provider.quotas
        },
    }
    database.close()
    for bench in benches.values():
        bench.provider.close()
shutil.copytree(home / "data", target / "datasets")
shutil.copy(home / FILE_NAME, target / FILE_NAME)
with sqlite3.connect(target / FILE_NAME) as connection:
    connection.execute("VACUUM")
(target / "facts.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
PYTHON
du -sk "$target"
