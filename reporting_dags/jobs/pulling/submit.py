"""Asking a provider: once for each job where that can be helped, and within the day's quota."""

from datetime import datetime, timedelta

from reporting_dags.jobs.ledger.quota import renews_at
from reporting_dags.jobs.planning.windows import availability_error
from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.records import Job
from reporting_dags.model.errors import Denied, Expired
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Handle, Meter, Quota
from reporting_dags.providers.http.errors import Unavailable

_PROBES = 3
"""How often, at growing intervals, a job is looked for whose submit got no response."""
_PATIENCE = timedelta(hours=1)
"""How long nothing is bought while it cannot be told whether it was bought already."""


class WindowExpired(Expired):
    """The first day of a window is older than the provider's retention; later days may still be requested."""


class Submitter:
    """Requests one report."""

    def __init__(self, context: PullContext, report: Report) -> None:
        self._context = context
        self._report = report

    def submit(self, job: Job) -> Job:
        """Submit an intended job, and save its handle; one that may have been submitted already is looked for first.

        Raises:
            ReportingError: it was not accepted; `Unavailable` where that is not known.
        """
        if job.fencing_token > 1 and (handle := self._found(job)) is not None:
            # An earlier run had requested it when it ended, without a word in the ledger.
            return self._saved(job, handle)
        try:
            return self._asked(job)
        except Unavailable as error:
            if not error.ambiguous or not self._context.provider.policy.can_find_lost_jobs:
                raise
            return self._asked_or_found(job, error)

    def _asked_or_found(self, job: Job, lost: Unavailable) -> Job:
        """Look for what the call whose response was `lost` came to; ask once more if that is nothing."""
        pause = self._context.provider.policy.first_poll.total_seconds()
        for look in range(_PROBES):
            self._context.clock.sleep(pause * 3**look)
            try:
                handle = self._found(job)
            except Unavailable:
                raise lost from None
            if handle is not None:
                return self._saved(job, handle)
        if lost.exhausted or lost.retry_after is not None:
            raise lost
        try:
            return self._asked(job)
        except (Denied, Unavailable):
            # The first may have been bought all the same: the job stays open, and the next run looks again.
            raise lost from None

    def _saved(self, job: Job, handle: Handle) -> Job:
        self._context.log(f"found {job.report} {job.request} again, which was requested: request {handle.id}")
        return self._context.ledger.jobs.record_submitted(
            job, handle, job.intended_at, self._context.provider.clock_skew
        )

    def _asked(self, job: Job) -> Job:
        refused = availability_error(self._report.calendar, job.request.window.first, self._context.clock.now())
        if isinstance(refused, Expired):
            raise WindowExpired(refused.message, advice=refused.advice)
        if refused is not None:
            raise refused
        began = self._context.clock.now()
        try:
            handle = self._context.provider.submit(self._report, job.request, self.meter(job))
        except Unavailable as error:
            if error.unreachable and not error.ambiguous:
                self._context.ledger.quotas.take_back(job, began)
            raise
        self._context.log(f"requested {job.report} {job.request}: request {handle.id or 'without an id'}")
        return self._context.ledger.jobs.record_submitted(
            job, handle, self._context.clock.now(), self._context.provider.clock_skew
        )

    def _found(self, job: Job) -> Handle | None:
        """A job that the provider accepted, and whose handle did not arrive or was not saved."""
        if not self._context.provider.policy.can_find_lost_jobs:
            return None
        try:
            return self._context.provider.find_lost_job(self._report, job.request)
        except Unavailable:
            if self._context.clock.now() - job.intended_at < _PATIENCE:
                raise
            # A day is worth more than the call that may be spent twice.
            return None

    def has_quota(self, job: Job) -> bool:
        """Whether a call is left to ask once more: what was bought is not given up for a call that is refused."""
        context, now = self._context, self._context.clock.now()
        for quota in context.provider.quotas:
            left = context.ledger.quotas.left(quota, context.account, now)
            if left is not None and left[0] - (0 if self._newest(job, now) else left[1]) <= 0:
                return False
        return True

    def _newest(self, job: Job, now: datetime) -> bool:
        """Whether `job` requests the latest day that is published before the quotas are renewed."""
        return self._report.calendar.latest_available(renews_at(now) - timedelta.resolution) in job.request.window

    def meter(self, job: Job) -> Meter:
        """What counts the calls that `job` costs, and refuses the one that is not left."""
        context = self._context

        def spend(quota: Quota) -> None:
            now, account = context.clock.now(), context.account
            context.ledger.quotas.spend(job, quota, account, context.clock, newest=self._newest(job, now))
            left = context.ledger.quotas.left(quota, account, now)
            if left is not None:
                context.log(f"{left[0]} of {quota.per_day} {quota.bucket} are left today")

        return spend
