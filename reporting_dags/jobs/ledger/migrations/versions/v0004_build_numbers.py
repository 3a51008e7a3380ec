"""Adds which build of a day began last, and which was noted: a build that was broken off is due again."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0004"
down_revision = "0003"


def upgrade(op: Operations) -> None:
    """Add the columns."""
    op.add_column("reporting_builds", sa.Column("begun", sa.Integer))
    op.add_column("reporting_builds", sa.Column("noted", sa.Integer))
