"""Adds the history of entity lists, and what days that are built from others depend on and failed of."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0003"
down_revision = "0002"

_MOMENT = sa.String(32)


def upgrade(op: Operations) -> None:
    """Add the tables."""
    op.create_table(
        "reporting_entity_history",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("report", sa.String(200), nullable=False),
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("currency", sa.Text),
        sa.Column("first_seen", _MOMENT, nullable=False),
        sa.Column("last_seen", _MOMENT, nullable=False),
    )
    op.create_index("reporting_entity_history_entity", "reporting_entity_history", ["report", "entity"])
    op.create_table(
        "reporting_builds",
        sa.Column("report", sa.String(200), primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("history", sa.Integer, nullable=False),
        sa.Column("unknown", sa.JSON, nullable=False),
    )
    op.create_table(
        "reporting_build_failures",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("report", sa.String(200), nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("sources", sa.String(64), nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("failed_at", _MOMENT, nullable=False),
    )
    op.create_index("reporting_build_failures_day", "reporting_build_failures", ["report", "day"])
