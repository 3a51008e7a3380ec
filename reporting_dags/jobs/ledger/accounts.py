"""Accounts: which credentials belong to the same account of a provider.

No API reports whose credentials it got. Each fingerprint of credentials is an account of its own, until a user declares
that it is of new keys of a known account.
"""

from datetime import datetime

import sqlalchemy as sa

from reporting_dags.jobs.ledger import tables
from reporting_dags.jobs.ledger.database import Database
from reporting_dags.model.errors import SettingError


class Accounts:
    """The accounts to which fingerprints of credentials belong, in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, str] = {}

    def of(self, fingerprint: str) -> str:
        """Return the account of a fingerprint: that of the first keys, if a user declared it, otherwise its own."""
        if fingerprint not in self._known:
            table = tables.accounts
            query = sa.select(table.c.account).where(table.c.fingerprint == fingerprint)
            result = self._database.read(lambda connection: connection.scalar(query))
            self._known[fingerprint] = result or fingerprint
        return self._known[fingerprint]

    def join(self, report: str, fingerprint: str, now: datetime) -> str:
        """Record that `fingerprint` is of new keys of the account that landed days of `report`; return the account.

        Raises:
            SettingError: no other account has landed a day of the report, or several have.
        """
        days, table = tables.days, tables.accounts
        query = sa.select(days.c.account).where(days.c.report == report, days.c.account.is_not(None)).distinct()
        landed = self._database.read(lambda connection: list(connection.scalars(query)))
        others = {self.of(account) for account in landed} - {self.of(fingerprint)}
        if not others:
            return self.of(fingerprint)
        if len(others) > 1:
            raise SettingError(
                f"{report}: days of {len(others)} other accounts have landed, so same_account is ambiguous",
                advice="Run it for a report of which one account has landed days.",
            )
        (account,) = others
        values = {"fingerprint": fingerprint, "account": account, "added_at": now}

        def work(connection: sa.Connection) -> None:
            connection.execute(table.delete().where(table.c.fingerprint == fingerprint))
            connection.execute(table.insert().values(values))

        self._database.write(work, "accounts")
        self._known.clear()
        return account
