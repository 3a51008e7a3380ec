"""Adds what a landed day covers and whose it is, when a job may be retried, and which keys an account has had."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0002"
down_revision = "0001"

_MOMENT = sa.String(32)
_JOBS = sa.table("reporting_jobs", sa.column("id"), sa.column("account"))
_DAYS = sa.table(
    "reporting_days", sa.column("report"), sa.column("day"), sa.column("jobs"), sa.column("account", sa.String(40))
)


def upgrade(op: Operations) -> None:
    """Add the columns and the table, and fill in the accounts of the days that have landed."""
    op.add_column("reporting_jobs", sa.Column("retry_at", _MOMENT))
    op.add_column("reporting_jobs", sa.Column("refused_form", sa.String(64)))
    op.add_column("reporting_days", sa.Column("account", sa.String(40)))
    op.add_column("reporting_days", sa.Column("scope", sa.String(64)))
    op.add_column("reporting_days", sa.Column("confirmed_at", _MOMENT))
    op.create_table(
        "reporting_scopes",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("scope", sa.JSON, nullable=False),
    )
    op.create_table(
        "reporting_accounts",
        sa.Column("fingerprint", sa.String(40), primary_key=True),
        sa.Column("account", sa.String(40), nullable=False),
        sa.Column("added_at", _MOMENT, nullable=False),
    )
    _fill_accounts(op.get_bind())


def _fill_accounts(connection: sa.Connection) -> None:
    """Give each day the account of the jobs that it landed from; it stays null where that is not one known account."""
    accounts = dict(connection.execute(sa.select(_JOBS.c.id, _JOBS.c.account)).tuples().all())
    filled: list[dict[str, object]] = []
    for report, day, jobs in connection.execute(sa.select(_DAYS.c.report, _DAYS.c.day, _DAYS.c.jobs)).tuples():
        found = {accounts.get(job) for job in jobs.split()}
        if len(found) == 1 and None not in found:
            filled.append({"of_report": report, "of_day": day, "account": found.pop()})
    same = (_DAYS.c.report == sa.bindparam("of_report")) & (_DAYS.c.day == sa.bindparam("of_day"))
    if filled:
        connection.execute(_DAYS.update().where(same), filled)
