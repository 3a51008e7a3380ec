"""Where machines meet: the quick form."""

import pytest

from reporting_dags.jobs.ledger.postgres import SETTINGS
from reporting_dags_tests.pooler import PGBOUNCER
from reporting_dags_tests.torture import meeting, power
from reporting_dags_tests.torture.postgres import running_postgres
from reporting_dags_tests.torture.row import held


@pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed")
def test_a_pooler_that_shares_sessions_is_refused_and_the_ledger_may_go_round_it() -> None:
    with running_postgres() as server:
        held(meeting.poolers(server))


def test_another_default_isolation_changes_nothing() -> None:
    with running_postgres() as server:
        held(meeting.isolations(server, pairs=1))


def test_ledgers_of_an_earlier_release_are_upgraded_by_processes_at_once_and_after_a_kill() -> None:
    with running_postgres() as server:
        held(meeting.upgrades(server))


@pytest.mark.skipif(not power.can_cut_power(), reason="no process may make a network of its own here")
def test_the_locks_of_a_machine_without_power_are_free_soon() -> None:
    hasty = {"tcp_keepalives_idle": "1s", "tcp_user_timeout": "2s", "idle_in_transaction_session_timeout": "2s"}
    held(power.cut_power(hasty))


def test_the_usual_limits_free_the_locks_of_a_machine_without_power_within_two_minutes() -> None:
    seconds = {name: int(value.removesuffix("s")) for name, value in SETTINGS.items()}
    noticed = seconds["tcp_keepalives_idle"] + max(
        seconds["tcp_user_timeout"], seconds["tcp_keepalives_interval"] * seconds["tcp_keepalives_count"]
    )
    assert max(noticed, seconds["idle_in_transaction_session_timeout"]) <= power.WITHIN_SECONDS
