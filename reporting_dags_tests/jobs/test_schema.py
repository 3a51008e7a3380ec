"""The ledger's schema: new ledgers, those of earlier and of newer releases, and damaged ones."""

import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import event

from reporting_dags.jobs.ledger import tables
from reporting_dags.jobs.ledger.database import Database, open_database
from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.ledger.upgrade import REVISIONS, VERSION_TABLE
from reporting_dags.model.errors import StorageError
from reporting_dags_tests.earlier_home import baseline, scripts

HEAD = REVISIONS[-1]
MOMENT = "2026-11-20T13:00:00.000000+00:00"


@pytest.fixture
def another(database: Database, database_url: str | None, tmp_path: Path) -> Generator[Database]:
    """The same ledger, opened once more."""
    opened = open_database(database_url, tmp_path, lock_seconds=2)
    yield opened
    opened.close()


def make_baseline(database: Database) -> None:
    """The tables as the release before the first migration made them."""
    database.write(baseline().create_all, "test")


def revisions(database: Database) -> list[str]:
    query = sa.text(f"SELECT version_num FROM {VERSION_TABLE}")
    return database.read(lambda connection: list(connection.scalars(query)))


def differences(database: Database) -> list[object]:
    def work(connection: sa.Connection) -> list[object]:
        options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), tables.metadata))

    return database.write(work, "test")


def statements(work: Callable[[], object]) -> list[str]:
    """The statements that `work` sends, but for those that begin and end transactions."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        work()
    finally:
        event.remove(sa.Engine, "before_cursor_execute", note)
    return [statement for statement in sent if "BEGIN" not in statement and "pg_advisory" not in statement]


def test_the_revisions_are_those_of_the_migrations() -> None:
    found = [script.revision for script in scripts().walk_revisions()]
    assert tuple(reversed(found)) == REVISIONS


def test_the_migrations_give_the_tables_of_this_release(database: Database) -> None:
    make_baseline(database)
    Ledger(database)
    assert differences(database) == []
    assert revisions(database) == [HEAD]


def test_landed_days_get_the_account_of_their_jobs_and_none_where_that_is_not_known(database: Database) -> None:
    make_baseline(database)
    jobs = {"a1": "first", "a2": "first", "b1": "second"}
    days = {
        "2026-11-01": "a1",
        "2026-11-02": "a1 a2",
        "2026-11-03": "b1",
        "2026-11-04": "a1 b1",
        "2026-11-05": "gone",
        "2026-11-06": "a1 gone",
        "2026-11-07": "",
    }
    database.write(lambda connection: _insert(connection, jobs, days), "test")
    landed = {
        day.isoformat(): facts for day, facts in Ledger(database).materializations.days("somebody/report").items()
    }
    assert {day: " ".join(facts.jobs) for day, facts in landed.items()} == days
    query = sa.select(tables.days.c.day, tables.days.c.account).order_by(tables.days.c.day)
    accounts = database.read(lambda connection: connection.execute(query).tuples().all())
    assert [account for _, account in accounts] == ["first", "first", "second", None, None, None, None]


def _insert(connection: sa.Connection, jobs: dict[str, str], days: dict[str, str]) -> None:
    for job, account in jobs.items():
        connection.execute(
            sa.text(
                "INSERT INTO reporting_jobs (id, report, account, fingerprint, first_day, last_day, part, days_left, "
                "state, fence, resends, intended_at, ahead_seconds) VALUES (:id, 'somebody/report', :account, 'q', "
                f"'2026-11-01', '2026-11-01', '', '', 'closed', 1, 0, '{MOMENT}', 0)"
            ),
            {"id": job, "account": account},
        )
    for day, of_day in days.items():
        connection.execute(
            sa.text(
                "INSERT INTO reporting_days (report, day, jobs, version, outcome, rows, bytes, sha256, fingerprint, "
                "raw_sha256, money, totals, asked_at, landed_at) VALUES ('somebody/report', :day, :jobs, 'v', 'data', "
                f"1, 1, '', '', '', '{{}}', '{{}}', '{MOMENT}', '{MOMENT}')"
            ),
            {"day": day, "jobs": of_day},
        )


def test_a_new_ledger_is_at_the_revision_of_this_release(database: Database) -> None:
    Ledger(database)
    assert differences(database) == []
    assert revisions(database) == [HEAD]


def test_a_current_ledger_is_opened_with_one_query(database: Database, another: Database) -> None:
    Ledger(database)
    assert len(statements(lambda: Ledger(another))) == 1


def test_alembic_is_imported_only_where_there_is_something_to_migrate(tmp_path: Path) -> None:
    code = """if True:
        import sys
        from pathlib import Path
        from reporting_dags.jobs.ledger.database import open_database
        from reporting_dags.jobs.ledger.ledger import Ledger
        for _ in range(2):
            Ledger(open_database(None, Path(sys.argv[1]), lock_seconds=2))
        assert not [name for name in sys.modules if name.startswith("alembic")]
    """
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


def test_a_ledger_of_a_newer_release_is_refused_in_one_line(database: Database, another: Database) -> None:
    Ledger(database)
    database.write(
        lambda connection: connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '0099'")), "test"
    )
    with pytest.raises(StorageError, match="made by a newer release: its schema is 0099, and this release") as caught:
        Ledger(another)
    assert "Fix: run that release" in caught.value.line
    assert "\n" not in caught.value.line
    assert revisions(database) == ["0099"]


def test_a_table_that_lacks_a_column_is_named_in_one_line(database: Database, another: Database) -> None:
    Ledger(database)
    database.write(
        lambda connection: connection.execute(sa.text("ALTER TABLE reporting_days DROP COLUMN sha256")), "test"
    )
    with pytest.raises(StorageError, match=r"is damaged, or older than .*: reporting_days lacks sha256") as caught:
        Ledger(another)
    assert "restore it from a backup" in caught.value.line


def test_a_ledger_older_than_the_first_migration_is_named_and_left_as_it_was(database: Database) -> None:
    make_baseline(database)
    database.write(
        lambda connection: connection.execute(sa.text("ALTER TABLE reporting_days DROP COLUMN sha256")), "test"
    )
    with pytest.raises(StorageError, match=r"is damaged, or older than .*: reporting_days lacks sha256"):
        Ledger(database)
    found = database.read(lambda connection: sa.inspect(connection).get_table_names())
    assert VERSION_TABLE not in found
    assert "reporting_accounts" not in found


def test_a_table_that_was_dropped_is_created_again(database: Database, another: Database) -> None:
    Ledger(database)
    database.write(tables.landings.drop, "test")
    Ledger(another)
    assert differences(database) == []
