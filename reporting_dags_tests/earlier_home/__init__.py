"""A home as the last release before the first migration left it: its ledger, its datasets, and what it knew then.

`make.sh` says how it was made. Days of each provider have landed, one failed, one job is open, and controls were taken.
"""

import json
import shutil
from datetime import date, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.script import ScriptDirectory

from reporting_dags.jobs.ledger import migrations
from reporting_dags.jobs.ledger.database import FILE_NAME

_HERE = Path(__file__).parent
FACTS: dict[str, Any] = json.loads((_HERE / "facts.json").read_text(encoding="utf-8"))
NOW = datetime.fromisoformat(FACTS["now"])
START = date.fromisoformat(FACTS["start"])
"""The first day that is asked for."""


def scripts() -> ScriptDirectory:
    """The migrations, as Alembic reads them."""
    folder = Path(migrations.__file__).parent
    return ScriptDirectory(folder, version_locations=[folder / "versions"])


def baseline() -> sa.MetaData:
    """The tables of that release."""
    script = scripts().get_revision("0001")
    assert script is not None
    return script.module.BASELINE


def copy_ledger(home: Path, postgres_url: str | None = None) -> None:
    """Put the ledger into `home`, or its rows into PostgreSQL."""
    path = home / FILE_NAME
    if postgres_url is None:
        shutil.copyfile(_HERE / FILE_NAME, path)
        return
    tables = baseline()
    source = sa.create_engine(f"sqlite:///{_HERE / FILE_NAME}")
    target = sa.create_engine(sa.make_url(postgres_url).set(drivername="postgresql+psycopg2"))
    with source.connect() as old, target.begin() as new:
        tables.create_all(new)
        for table in tables.sorted_tables:
            new.execute(table.insert(), [dict(row) for row in old.execute(sa.select(table)).mappings()])
            if isinstance(table.c[0].type, sa.Integer):
                last = sa.select(sa.func.max(table.c[0])).scalar_subquery()
                new.execute(sa.select(sa.func.setval(f"{table.name}_{table.c[0].name}_seq", last)))
    source.dispose()
    target.dispose()


def copy_datasets(data: Path) -> None:
    """Put the datasets into `data`."""
    shutil.copytree(_HERE / "datasets", data, dirs_exist_ok=True)
