"""Asking a provider: once for each job where that can be helped, and within the day's quota."""

from datetime import datetime, timedelta
from typing import Any

from reporting_dags.jobs.bench import Bench
from reporting_dags.jobs.calls import renewed
from reporting_dags.jobs.job import Job
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Found, Meter, Quota
from reporting_dags.providers.trouble import Unavailable


class Asking:
    """Asks for one report."""

    def __init__(self, bench: Bench, report: Report[Any]) -> None:
        self._bench = bench
        self._report = report

    def ask(self, job: Job) -> Job:
        """Submit an intended job, and save its handle; one that may have been submitted already is looked for first.

        Raises:
            ReportingError: it was not accepted; `Unavailable` where that is not known.
        """
        bench = self._bench
        # What an earlier run may have asked for when it ended, without a word in the ledger.
        found = self._found(job) if job.fence > 1 else None
        if found is None:
            try:
                return self._asked(job)
            except Unavailable as error:
                if not error.ambiguous or not bench.provider.policy.finds:
                    raise
            bench.clock.sleep(bench.provider.policy.first_poll.total_seconds())
            found = self._found(job)
        if found is None:
            return self._asked(job)
        bench.log(f"found {job.report} {job.request} again, which was asked for: request {found.handle.id}")
        return bench.ledger.submitted(job, found.handle, found.asked_at)

    def _asked(self, job: Job) -> Job:
        handle = self._bench.provider.submit(self._report, job.request, self.meter(job))
        self._bench.log(f"asked for {job.report} {job.request}: request {handle.id or 'without an id'}")
        return self._bench.ledger.submitted(job, handle, self._bench.clock.now(), self._bench.provider.ahead)

    def _found(self, job: Job) -> Found | None:
        """A job that the provider accepted, and whose handle did not arrive or was not saved."""
        if not self._bench.provider.policy.finds:
            return None
        known = self._bench.ledger.request_ids(job.report)
        return self._bench.provider.find(self._report, job.request, since=job.intended_at, known=known)

    def affordable(self, job: Job) -> bool:
        """Whether a call is left to ask once more: what was bought is not given up for a call that is refused."""
        bench, now = self._bench, self._bench.clock.now()
        for quota in bench.provider.quotas:
            left = bench.ledger.calls.left(quota, bench.provider.account, now)
            if left is not None and left[0] - (0 if self._newest(job, now) else left[1]) <= 0:
                return False
        return True

    def _newest(self, job: Job, now: datetime) -> bool:
        """Whether `job` asks for the newest day that is out before the quotas are renewed."""
        return self._report.calendar.newest(renewed(now) - timedelta.resolution) in job.request.window

    def meter(self, job: Job) -> Meter:
        """What counts the calls that `job` costs, and refuses the one that is not left."""
        bench = self._bench

        def spend(quota: Quota) -> None:
            now, account = bench.clock.now(), bench.provider.account
            bench.ledger.calls.spend(job, quota, account, bench.clock, newest=self._newest(job, now))
            left = bench.ledger.calls.left(quota, account, now)
            if left is not None:
                bench.log(f"{left[0]} of {quota.per_day} {quota.api} are left today")

        return spend
