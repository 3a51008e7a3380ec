"""The ledger: what was requested of each provider, what came of it, and which partitions have landed."""

from datetime import datetime

import sqlalchemy as sa

from reporting_dags.jobs.ledger import tables
from reporting_dags.jobs.ledger.accounts import Accounts
from reporting_dags.jobs.ledger.builds import Builds
from reporting_dags.jobs.ledger.database import Database
from reporting_dags.jobs.ledger.entity_history import EntityHistory
from reporting_dags.jobs.ledger.job_rows import truncated_requests
from reporting_dags.jobs.ledger.jobs import Jobs, failures_by_day, in_flight_days, replayable_days
from reporting_dags.jobs.ledger.leases import Leases
from reporting_dags.jobs.ledger.materializations import Materializations, materialized_days
from reporting_dags.jobs.ledger.quota import Quotas
from reporting_dags.jobs.records import ReportState


class Ledger:
    """The tables of one database, each group of them by what it records.

    Attributes:
        jobs: the jobs at the providers, and how far each has come.
        leases: which run holds which days.
        liveness: which runs are alive.
        materializations: the landed partitions.
        builds: the partitions that were built from others.
        entities: the history of entity lists.
        quotas: the calls that providers count.
        accounts: which credentials are of the same account.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.liveness = database.liveness
        self.jobs = Jobs(database)
        self.leases = Leases(database)
        self.materializations = Materializations(database)
        self.builds = Builds(database)
        self.entities = EntityHistory(database)
        self.quotas = Quotas(database)
        self.accounts = Accounts(database)
        database.create(tables.metadata)

    def report_state(
        self, report: str, *, control: str = "", since: datetime, query_hash: str = "", parser_hash: str = ""
    ) -> ReportState:
        """All that is known of `report`, as of one moment: of failures those from `since` on.

        Args:
            report: its key.
            control: key of its control totals; "" if it has none.
            since: from when on failures are remembered.
            query_hash: of its query, as it is declared now.
            parser_hash: see `Report.form`.
        """

        def work(connection: sa.Connection) -> ReportState:
            landed = materialized_days(connection, report)
            kept = replayable_days(connection, report, landed, fingerprint=query_hash, form=parser_hash)
            failures = failures_by_day(connection, report, since, landed)
            return ReportState(
                landed=landed,
                in_flight=in_flight_days(connection, report),
                # What can be tried again without a call waits for nothing.
                failures={day: result for day, result in failures.items() if day not in kept},
                replayable=kept,
                control=materialized_days(connection, control) if control else {},
                truncated=truncated_requests(connection, report),
            )

        return self._database.read(work)
