"""Processes that want the same day at the same moment, and writers that slept too long: the quick form."""

from reporting_dags_tests.buckets import running_s3, s3_address
from reporting_dags_tests.torture import races
from reporting_dags_tests.torture.postgres import running_postgres
from reporting_dags_tests.torture.reader import NOTHING
from reporting_dags_tests.torture.row import held


def test_pairs_of_processes_leave_whole_answers_alone_to_a_reader() -> None:
    held([races.pair_after_pair(5)])


def test_a_stale_writer_on_postgres_wakes_to_a_lost_claim() -> None:
    with running_postgres() as server:
        held(races.stale_writers(server))


def test_a_stale_writer_on_a_bucket_wakes_to_a_lost_claim() -> None:
    with running_postgres() as server, running_s3() as bucket:
        held(races.stale_writers(server, s3_address(bucket, "stale")))


def test_a_writer_that_stands_still_on_sqlite_is_waited_for() -> None:
    held(races.stopped_writers())


def test_a_bad_read_is_told_from_a_good_one() -> None:
    versions = ["first", "second", "second", "third"]
    good = [(NOTHING, 3), ("first", 2), ("second", 5), ("third", 1)]
    assert races.bad_reads(good, versions) == 0
    assert races.bad_reads([*good, ("first", 2)], versions) == 2
    assert races.bad_reads([*good, (NOTHING, 4)], versions) == 4
    assert races.bad_reads([("half", 7), *good], versions) == 7
