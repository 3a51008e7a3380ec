"""The ledger's tables. The names are prefixed, since on PostgreSQL they stand beside Dagster's own.

A change here needs a migration in `migrations/versions`, so that the ledgers of earlier releases are upgraded.
"""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa


class Moment(sa.TypeDecorator[datetime]):
    """An aware moment, kept in UTC as ISO text: the same on SQLite and PostgreSQL, and it sorts as time does."""

    impl = sa.String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> str | None:  # noqa: ARG002
        """To text of a fixed width."""
        return None if value is None else value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: str | None, dialect: Any) -> datetime | None:  # noqa: ARG002
        """From text."""
        return None if value is None else datetime.fromisoformat(value)


metadata = sa.MetaData()

jobs = sa.Table(
    "reporting_jobs",
    metadata,
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
    sa.Column("intended_at", Moment, nullable=False),
    sa.Column("submitted_at", Moment),
    sa.Column("ahead_seconds", sa.Float, nullable=False),
    sa.Column("expires_at", Moment),
    sa.Column("request_id", sa.Text),
    sa.Column("url", sa.Text),
    sa.Column("expected_rows", sa.BigInteger),
    sa.Column("raw_sha256", sa.String(64)),
    sa.Column("raw_bytes", sa.BigInteger),
    sa.Column("tag", sa.String(200)),
    sa.Column("closed_at", Moment),
    sa.Column("outcome", sa.String(20)),
    sa.Column("cause", sa.Text),
    sa.Column("retry_at", Moment),
    sa.Column("refused_form", sa.String(64)),
    sa.Index("reporting_jobs_open", "report", "state"),
)

calls = sa.Table(
    "reporting_calls",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("api", sa.String(60), nullable=False),
    sa.Column("account", sa.String(40), nullable=False),
    sa.Column("job", sa.String(32), nullable=False),
    sa.Column("newest", sa.Boolean, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Index("reporting_calls_day", "api", "account", "at"),
)

rates = sa.Table(
    "reporting_rates",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("api", sa.String(60), nullable=False),
    sa.Column("account", sa.String(40), nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Index("reporting_rates_minute", "api", "account", "at"),
)

landings = sa.Table(
    "reporting_landings",
    metadata,
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
    sa.Column("asked_at", Moment, nullable=False),
    sa.Column("landed_at", Moment, nullable=False),
    sa.Index("reporting_landings_day", "report", "day", "landed_at"),
)

days = sa.Table(
    "reporting_days",
    metadata,
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
    sa.Column("asked_at", Moment, nullable=False),
    sa.Column("landed_at", Moment, nullable=False),
    sa.Column("account", sa.String(40)),
    sa.Column("scope", sa.String(64)),
    sa.Column("confirmed_at", Moment),
)

scopes = sa.Table(
    "reporting_scopes",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("scope", sa.JSON, nullable=False),
)

accounts = sa.Table(
    "reporting_accounts",
    metadata,
    sa.Column("fingerprint", sa.String(40), primary_key=True),
    sa.Column("account", sa.String(40), nullable=False),
    sa.Column("added_at", Moment, nullable=False),
)

entity_history = sa.Table(
    "reporting_entity_history",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("report", sa.String(200), nullable=False),
    sa.Column("entity", sa.Text, nullable=False),
    sa.Column("currency", sa.Text),
    sa.Column("first_seen", Moment, nullable=False),
    sa.Column("last_seen", Moment, nullable=False),
    sa.Index("reporting_entity_history_entity", "report", "entity"),
)

builds = sa.Table(
    "reporting_builds",
    metadata,
    sa.Column("report", sa.String(200), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("history", sa.Integer, nullable=False),
    sa.Column("unknown", sa.JSON, nullable=False),
    sa.Column("begun", sa.Integer),
    sa.Column("noted", sa.Integer),
)

build_failures = sa.Table(
    "reporting_build_failures",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("report", sa.String(200), nullable=False),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("sources", sa.String(64), nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("failed_at", Moment, nullable=False),
    sa.Index("reporting_build_failures_day", "report", "day"),
)
