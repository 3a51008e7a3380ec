"""The schema of the first release that has migrations. Tables that are there already stay as they are."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0001"
down_revision = None

_MOMENT = sa.String(32)
BASELINE = sa.MetaData()

jobs = sa.Table(
    "reporting_jobs",
    BASELINE,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("report", sa.String(200), nullable=False),
    sa.Column("account", sa.String(40), nullable=False),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("first_day", sa.Date, nullable=False),
    sa.Column("last_day", sa.Date, nullable=False),
    sa.Column("part", sa.String(200), nullable=False),
    sa.Column("days_left", sa.Text, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("owner", sa.String(40)),
    sa.Column("run", sa.String(60)),
    sa.Column("fence", sa.Integer, nullable=False),
    sa.Column("resends", sa.Integer, nullable=False),
    sa.Column("intended_at", _MOMENT, nullable=False),
    sa.Column("submitted_at", _MOMENT),
    sa.Column("ahead_seconds", sa.Float, nullable=False),
    sa.Column("expires_at", _MOMENT),
    sa.Column("request_id", sa.Text),
    sa.Column("url", sa.Text),
    sa.Column("expected_rows", sa.BigInteger),
    sa.Column("raw_sha256", sa.String(64)),
    sa.Column("raw_bytes", sa.BigInteger),
    sa.Column("tag", sa.String(200)),
    sa.Column("closed_at", _MOMENT),
    sa.Column("outcome", sa.String(20)),
    sa.Column("cause", sa.Text),
    sa.Index("reporting_jobs_open", "report", "state"),
)

calls = sa.Table(
    "reporting_calls",
    BASELINE,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("api", sa.String(60), nullable=False),
    sa.Column("account", sa.String(40), nullable=False),
    sa.Column("job", sa.String(32), nullable=False),
    sa.Column("newest", sa.Boolean, nullable=False),
    sa.Column("at", _MOMENT, nullable=False),
    sa.Index("reporting_calls_day", "api", "account", "at"),
)

rates = sa.Table(
    "reporting_rates",
    BASELINE,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("api", sa.String(60), nullable=False),
    sa.Column("account", sa.String(40), nullable=False),
    sa.Column("at", _MOMENT, nullable=False),
    sa.Index("reporting_rates_minute", "api", "account", "at"),
)

landings = sa.Table(
    "reporting_landings",
    BASELINE,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("report", sa.String(200), nullable=False),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("version", sa.String(64), nullable=False),
    sa.Column("fingerprint", sa.String(80), nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("money", sa.JSON, nullable=False),
    sa.Column("added", sa.BigInteger),
    sa.Column("gone", sa.BigInteger),
    sa.Column("changed", sa.BigInteger),
    sa.Column("asked_at", _MOMENT, nullable=False),
    sa.Column("landed_at", _MOMENT, nullable=False),
    sa.Index("reporting_landings_day", "report", "day", "landed_at"),
)

days = sa.Table(
    "reporting_days",
    BASELINE,
    sa.Column("report", sa.String(200), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("jobs", sa.Text, nullable=False),
    sa.Column("version", sa.String(64), nullable=False),
    sa.Column("outcome", sa.String(20), nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("fingerprint", sa.String(80), nullable=False),
    sa.Column("raw_sha256", sa.Text, nullable=False),
    sa.Column("money", sa.JSON, nullable=False),
    sa.Column("totals", sa.JSON, nullable=False),
    sa.Column("asked_at", _MOMENT, nullable=False),
    sa.Column("landed_at", _MOMENT, nullable=False),
)


def upgrade(op: Operations) -> None:
    """Create the tables that are missing."""
    BASELINE.create_all(op.get_bind())
