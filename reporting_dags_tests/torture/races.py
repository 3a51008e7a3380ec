"""Processes that want the same days at the same moment, readers beside them, and writers that slept too long."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from pathlib import Path
from tempfile import TemporaryDirectory

from reporting_dags.jobs.ledger.database import open_database
from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.landing.storage.store import open_store
from reporting_dags.model.days import ONE_DAY
from reporting_dags.reports.dt_offer_wall import PERFORMANCE
from reporting_dags.sandbox.digital_turbine.settings import DtSettings
from reporting_dags.sandbox.server import running_sandbox
from reporting_dags_tests.buckets import running_s3, s3_address
from reporting_dags_tests.torture.place import Place, kill, materialize
from reporting_dags_tests.torture.postgres import Postgres, running_postgres
from reporting_dags_tests.torture.racers import Racer, Reading, first_of, racing, reading
from reporting_dags_tests.torture.reader import NOTHING, digest
from reporting_dags_tests.torture.row import Losses, Row, losses
from reporting_dags_tests.torture.station import leftovers, newest_days, submits, wait_for
from reporting_dags_tests.truth import expected_rows, landed_rows

_DAY = date(2026, 1, 10)
_LATE = time(23, 59, tzinfo=UTC)
_OVER_MIDNIGHT = 120.0


def rows(pairs: int = 100) -> Iterator[Row]:
    """A row a race."""
    yield pair_after_pair(pairs)
    with running_postgres() as server:
        yield pair_after_pair(max(5, pairs // 10), DAGSTER_POSTGRES_URL=server.new_database())
        yield from stale_writers(server)
        with running_s3() as bucket:
            yield from stale_writers(server, s3_address(bucket, "stale"))
    yield from stopped_writers()
    yield backfill_across_schedule(backfill_first=True)
    yield backfill_across_schedule(backfill_first=False)


@contextmanager
def restated(versions: int, **variables: str) -> Generator[Place]:
    """A place whose provider restates `_DAY` at every midnight; its time stands a minute before the first one."""
    switches = DtSettings(restate_days=versions)
    start = datetime.combine(_DAY + ONE_DAY, _LATE)
    with (
        TemporaryDirectory(prefix="reporting_races_") as folder,
        running_sandbox(seed=7, at=start, dt=switches) as sandbox,
    ):
        place = Place(
            folder=Path(folder), sandbox=sandbox, variables={"REPORTING_START_DATE": "2026-01-01", **variables}
        )
        place.environment()
        yield place


def pair_after_pair(pairs: int, where: str = "", **variables: str) -> Row:
    """Two processes bring a day home at one moment, `pairs` times, while it is restated, and read all the time."""
    with (
        restated(pairs + 3, **variables) as place,
        racing(place, 2) as racers,
        reading(place, PERFORMANCE, _DAY) as reader,
    ):
        clock = place.sandbox.clock
        whole, troubles = Losses(), list[str]()
        for number in range(pairs):
            clock.set(datetime.combine(_DAY + (number + 1) * ONE_DAY, _LATE))
            for one in racers:
                one.go(PERFORMANCE, _DAY)
            first = first_of(racers)
            told = [first.told()]
            # The day is restated while the loser waits for its turn, or is already under way.
            clock.advance(_OVER_MIDNIGHT)
            told += [one.told() for one in racers if one is not first]
            troubles += [str(each) for each in told if each != {"outcomes": {str(_DAY): "data"}, "lines": []}]
            whole += _newest_answer(place)
            troubles += _disagreements(place)
        troubles += leftovers(place)
        versions = [digest(expected_rows(place.sandbox, PERFORMANCE, _DAY, _noon(age))) for age in range(1, pairs + 3)]
        read = reader.end()
        bad = bad_reads(read, versions)
        where = where or ("on PostgreSQL" if variables else "on SQLite")
        reads = sum(count for _, count in read)
        return Row(
            fault=f"{pairs} pairs of processes on one day, {where}, and a reader",
            outcome=f"{reads} reads of {len({saw for saw, _ in read})} versions, {bad} bad",
            losses=whole,
            extra=submits(place) - 2 * pairs,
            trouble="; ".join(troubles[:3] + ([f"{bad} bad reads"] if bad else [])),
        )


def bad_reads(read: Reading, versions: list[str]) -> int:
    """Reads of something that was never a whole response, or older than what was read before."""
    bad, newest = 0, -1
    for saw, reads in read:
        if saw == NOTHING and newest < 0:
            continue
        age = max((age for age, version in enumerate(versions) if version == saw), default=-1)
        if age < newest or age < 0:
            bad += reads
        newest = max(newest, age)
    return bad


_STEPS = {
    "landing": "before it looks at the file",
    "checked": "between its check and the replacement",
    "replaced": "between the replacement and its note",
}


def stale_writers(server: Postgres, bucket: str = "") -> Iterator[Row]:
    """A writer is stopped while it publishes and cut off, another lands a newer response, the first wakes."""
    for step, where in _STEPS.items():
        more = {"REPORTING_DATA_URL": bucket.replace("?", f"/{step}?")} if bucket else {}
        with restated(9, DAGSTER_POSTGRES_URL=server.new_database(), TORTURE_PATIENCE="5", **more) as place:
            with racing(place, 1, stops=step) as (stale,), racing(place, 1) as (fresh,):
                _until_stopped(stale)
                server.cut()
                place.sandbox.clock.advance(ONE_DAY.total_seconds() + _OVER_MIDNIGHT)
                fresh.go(PERFORMANCE, _DAY)
                landed = fresh.told()
                stale.wake()
                lost = stale.told()
            lines = lost["lines"]
            silent = [] if len(lines) == 1 and lines[0].startswith("LeaseLost") else [f"the stale writer said {lost}"]
            behind = [] if not landed["lines"] else [f"the other said {landed}"]
            fault = f"stale writer{' on a bucket' if bucket else ''}, stopped {where}"
            yield _stale_row(fault, "lost its claim", place, silent + behind)


def stopped_writers() -> Iterator[Row]:
    """A writer is stopped on SQLite, where its lock lives on: the other one waits, or ends in one line."""
    for step, where in _STEPS.items():
        with restated(9, TORTURE_PATIENCE="2") as place:
            with (
                racing(place, 1, stops=step) as (stale,),
                racing(place, 1, REPORTING_JOB_TIMEOUT_SECONDS="2") as (hasty,),
                racing(place, 1, TORTURE_PATIENCE="60") as (patient,),
            ):
                _until_stopped(stale)
                place.sandbox.clock.advance(_OVER_MIDNIGHT)
                hasty.go(PERFORMANCE, _DAY)
                patient.go(PERFORMANCE, _DAY)
                ended = hasty.told()
                early = [] if not patient.has_spoken else ["the patient one did not wait"]
                stale.wake()
                both = [stale.told(), patient.told()]
            lines = ended["lines"]
            troubles = [] if len(lines) == 1 and "still holds" in lines[0] else [f"the hasty one said {ended}"]
            troubles += early + [f"said: {each}" for each in both if each["lines"]]
            yield _stale_row(f"writer stopped on SQLite, {where}", "others waited or ended", place, troubles)


def _until_stopped(stale: Racer) -> None:
    stale.go(PERFORMANCE, _DAY)
    wait_for(lambda: stale.stopped, "the writer to stop itself")


def _stale_row(fault: str, outcome: str, place: Place, troubles: list[str]) -> Row:
    troubles = troubles + _disagreements(place) + leftovers(place)
    return Row(
        fault=fault,
        outcome=outcome,
        losses=_newest_answer(place),
        extra=submits(place) - 2,
        trouble="; ".join(troubles),
    )


def backfill_across_schedule(*, backfill_first: bool) -> Row:
    """Real runs of Dagster: ten days, and across them the latest with those that are due again, at the same time."""
    with restated(9) as place:
        days = newest_days(10, PERFORMANCE)
        place.sandbox.clock.reset()
        place.sandbox.clock.set(datetime.now(UTC))
        place.sandbox.settings.change("dt", fill_seconds=3.0)
        backfill, schedule = materialize(PERFORMANCE, days[0], days[-1]), materialize(PERFORMANCE, days[-3], days[-1])
        commands = [backfill, schedule] if backfill_first else [schedule, backfill]
        running = [place.start(commands[0])]
        try:
            wait_for(lambda: submits(place), "the first submit")
            running.append(place.start(commands[1]))
            told = [process.communicate(timeout=120)[1] for process in running]
        finally:
            for process in running:
                if process.poll() is None:
                    kill(process)
        codes = [process.returncode for process in running]
        return Row(
            fault="a backfill across a schedule's run" if backfill_first else "a schedule's run across a backfill",
            outcome="both landed" if codes == [0, 0] else f"ended with {codes}",
            losses=place.losses(PERFORMANCE, days),
            extra=submits(place) - 2,
            trouble="; ".join([text[-300:] for text, code in zip(told, codes, strict=True) if code] + leftovers(place)),
        )


def _noon(age: int) -> datetime:
    return datetime.combine(_DAY + age * ONE_DAY, time(12, tzinfo=UTC))


def _newest_answer(place: Place) -> Losses:
    """How what is stored differs from the last response that the provider gave."""
    asked = place.sandbox.log.entries("dt.report", status=200)[-1].at
    truth = expected_rows(place.sandbox, PERFORMANCE, _DAY, asked)
    return losses(truth, landed_rows(open_store(place.data_url, scratch=place.folder), PERFORMANCE, _DAY))


def _disagreements(place: Place) -> list[str]:
    """What the ledger says of the day that its file does not."""
    store = open_store(place.data_url, scratch=place.folder)
    database = open_database(place.variables.get("DAGSTER_POSTGRES_URL"), place.home, lock_seconds=5)
    try:
        facts = Ledger(database).materializations.days(PERFORMANCE.key)[_DAY]
    finally:
        database.close()
    found = landed_rows(store, PERFORMANCE, _DAY)
    names = [column.name for column in PERFORMANCE.stored_columns]
    sums = {name: sum(row[names.index(name)] or 0 for row in found.elements()) for name in facts.money}
    told = {name: sum(by_currency.values()) for name, by_currency in facts.money_sums.items()}
    pairs = ((facts.rows, found.total()), (facts.size, store.size(PERFORMANCE.file(_DAY))), (told, sums))
    return [f"the ledger says {said}, the file {lies}" for said, lies in pairs if said != lies]
