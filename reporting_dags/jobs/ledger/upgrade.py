"""The revision of the ledger's tables: whether it is this release's, and the upgrade of an earlier one."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from reporting_dags.jobs.ledger import migrations
from reporting_dags.model.errors import StorageError

REVISIONS = ("0001", "0002", "0003", "0004")
"""The migrations, oldest first. They are named here so that Alembic is imported only where there is one to run."""

VERSION_TABLE = "reporting_schema_version"
"""Dagster's own migrations use `alembic_version`, which may stand in the same database."""

_version = sa.Table(
    VERSION_TABLE,
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
)
"""As Alembic would make it."""

_COLUMNS = {
    # Not of information_schema: its views request much that is not needed here.
    "postgresql": "SELECT c.relname::text, a.attname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
    "WHERE c.relname LIKE 'reporting%' AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped "
    "AND c.relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname = ANY (current_schemas(false)))",
    "sqlite": "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'",
}
_REVISIONS = f" UNION ALL SELECT '', version_num FROM {VERSION_TABLE}"  # noqa: S608 - a name of our own
_UNDEFINED_TABLE = "42P01"


@dataclass(frozen=True, slots=True)
class _Found:
    """What a database holds: the columns of each table, and the revisions that it is noted to be at."""

    tables: dict[str, set[str]]
    revisions: set[str]

    def lacking(self, metadata: sa.MetaData) -> str:
        """The columns that a table which is there does not have, such as "reporting_days lacks sha256"; "" if none."""
        for table in metadata.tables.values():
            lacking = {column.name for column in table.columns} - self.tables.get(table.name, set())
            if lacking and table.name in self.tables:
                return f"{table.name} lacks {', '.join(sorted(lacking))}"
        return ""

    def is_current(self, metadata: sa.MetaData) -> bool:
        """Whether the tables are those of this release, and complete."""
        complete = self.tables.keys() >= metadata.tables.keys() and not self.lacking(metadata)
        return complete and self.revisions == {REVISIONS[-1]}


def is_current(connection: sa.Connection, metadata: sa.MetaData) -> bool:
    """Whether all tables are there at the revision of this release.

    It is one query, since it is asked at the beginning of every run and every tick.

    Raises:
        DBAPIError: also if the table of the revision does not exist: see `has_no_revision`.
    """
    return _found(connection, _REVISIONS).is_current(metadata)


def has_no_revision(error: DBAPIError) -> bool:
    """Whether `is_current` failed because the table of the revision does not exist."""
    return getattr(error.orig, "pgcode", None) == _UNDEFINED_TABLE or str(error.orig).startswith("no such table")


def prepare(connection: sa.Connection, metadata: sa.MetaData, *, where: str) -> None:
    """Create the tables, or upgrade those of an earlier release, within an exclusive transaction.

    Tables without a revision are of the release before the first migration.

    Args:
        connection: in a transaction; where this raises, the transaction has to be rolled back.
        metadata: the tables as this release has them.
        where: names the ledger in errors.

    Raises:
        StorageError: a newer release made the tables, or one of them lacks a column.
    """
    result = _found(connection)
    if VERSION_TABLE in result.tables:
        result = _found(connection, _REVISIONS)
    _refuse_newer(result.revisions, where)
    if result.revisions or result.tables.keys() & metadata.tables.keys():
        if result.revisions != {REVISIONS[-1]}:
            _migrate(connection)
            result = _found(connection)
        if lacking := result.lacking(metadata):
            raise StorageError(
                f"the ledger {where} is damaged, or older than any release that can be upgraded: {lacking}",
                advice="Fix: restore it from a backup; days that have landed stay as they are.",
            )
    else:
        _version.create(connection, checkfirst=True)
        connection.execute(_version.insert().values(version_num=REVISIONS[-1]))
    metadata.create_all(connection)


def _found(connection: sa.Connection, more: str = "") -> _Found:
    tables: dict[str, set[str]] = {}
    for table, column in connection.execute(sa.text(_COLUMNS[connection.dialect.name] + more)).tuples():
        tables.setdefault(table, set()).add(column)
    return _Found(revisions=tables.pop("", set()), tables=tables)


def _refuse_newer(revisions: Collection[str], where: str) -> None:
    if unknown := sorted(set(revisions) - set(REVISIONS)):
        raise StorageError(
            f"the ledger {where} was made by a newer release: its schema is {unknown[0]}, "
            f"and this release knows {REVISIONS[-1]}",
            advice="Fix: run that release or a later one, or restore the ledger from a backup of before its upgrade.",
        )


def _migrate(connection: sa.Connection) -> None:
    """Run the migrations that are missing, each of which notes its revision."""
    # Alembic takes a tenth of a second to import.
    from alembic.operations import Operations  # noqa: PLC0415
    from alembic.runtime.migration import MigrationContext, MigrationStep, RevisionStep  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    folder = Path(migrations.__file__).parent
    script = ScriptDirectory(folder, version_locations=[folder / "versions"])

    def steps(heads: tuple[str, ...], _context: MigrationContext) -> list[RevisionStep]:
        missing = list(script.iterate_revisions("head", heads or "base"))
        return [MigrationStep.upgrade_from_script(script.revision_map, item) for item in reversed(missing)]

    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "fn": steps})
    context.run_migrations(op=Operations(context))
