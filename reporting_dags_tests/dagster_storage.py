"""Let Dagster's storage on SQLite keep what it otherwise makes again: tests open it thousands of times.

For each query it makes an engine, which compiles its statements again, and for each instance it reads a hundred
migrations to find the last. What is stored, and when, stays as it is.
"""

import functools
import sqlite3
from typing import Any
from unittest import mock

import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory
from dagster._core.storage import sql
from dagster._core.storage.event_log.sqlite import consolidated_sqlite_event_log, sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
from sqlalchemy import event

_STORAGES = (consolidated_sqlite_event_log, sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage)


def speed_up() -> None:
    """Let all instances of this process share engines and migrations."""
    for storage in _STORAGES:
        mock.patch.object(storage, "create_engine", _engine).start()
    mock.patch.object(sql, "ScriptDirectory", _Migrations).start()
    _migrations()


def _engine(address: str, poolclass: type[sa.Pool], connect_args: dict[str, Any] | None = None) -> sa.Engine:
    return _engine_of(address, poolclass, tuple(sorted((connect_args or {}).items())))


@functools.lru_cache(maxsize=64)
def _engine_of(address: str, poolclass: type[sa.Pool], connect_args: tuple[tuple[str, Any], ...]) -> sa.Engine:
    engine = sa.create_engine(address, poolclass=poolclass, connect_args=dict(connect_args))
    event.listen(engine, "connect", _survive_no_power_cut)
    return engine


def _survive_no_power_cut(connection: sqlite3.Connection, _record: object) -> None:
    """A killed process loses nothing by it: what it has written is the system's."""
    connection.execute("PRAGMA synchronous = OFF")


class _Migrations(ScriptDirectory):
    """Migrations of Dagster, which are those of each of its storages, and are read once."""

    @classmethod
    def from_config(cls, config: Config) -> ScriptDirectory:
        assert config.get_main_option("script_location") == sql.ALEMBIC_SCRIPTS_LOCATION
        return _migrations()


@functools.cache
def _migrations() -> ScriptDirectory:
    script = ScriptDirectory.from_config(sql.get_alembic_config(sqlite_run_storage.__file__))
    script.as_revision_number("head")
    return script
