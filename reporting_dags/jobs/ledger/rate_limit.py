"""Rate limits: the calls of the last minute are rows of the database, so that all processes and machines share a limit.

A call that exceeds the limit waits and tries again. The clock is a parameter, so that simulations can move it.
"""

from datetime import timedelta

import sqlalchemy as sa

from reporting_dags.jobs.ledger import tables
from reporting_dags.jobs.ledger.database import Database
from reporting_dags.model.clock import Clock
from reporting_dags.providers.api import Pace, Rate

_MINUTE = timedelta(seconds=60)
_MARGIN = timedelta(seconds=2)
"""Calls take different times to arrive: so much closer together may the provider see them than they were sent."""


class RateLimits:
    """The calls of the last minute, in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.create(tables.metadata)

    def take(self, rate: Rate, clock: Clock) -> timedelta:
        """Count a call if the limit allows it; otherwise return how long to wait."""
        table = tables.rates
        own = (table.c.api == rate.bucket) & (table.c.account == rate.account)
        horizon = _MINUTE + _MARGIN

        def work(connection: sa.Connection) -> timedelta:
            # Told in here: a call that had to wait for the database goes out later than it came.
            now = clock.now()
            # Far in the future lie the calls of a clock that was set back since: they hold no one up.
            gone = (table.c.at <= now - horizon) | (table.c.at > now + horizon)
            connection.execute(table.delete().where(own, gone))
            times = list(connection.scalars(sa.select(table.c.at).where(own).order_by(table.c.at)))
            if len(times) < rate.per_minute:
                connection.execute(table.insert().values(api=rate.bucket, account=rate.account, at=now))
                return timedelta()
            return times[len(times) - rate.per_minute] + horizon - now

        return self._database.write(work, f"rate {rate.bucket} {rate.account}")

    def pace(self, clock: Clock) -> Pace:
        """Return the function that a client calls before each call."""

        def wait(rate: Rate) -> None:
            while delay := self.take(rate, clock):
                clock.sleep(delay.total_seconds())

        return wait
