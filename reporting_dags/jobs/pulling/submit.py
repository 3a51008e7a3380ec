"""Submit jobs: once each, within the day's quota, and never again while the first submit may have succeeded."""

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
"""How often, at growing intervals, to search for a job whose submit got no response."""
_PATIENCE = timedelta(hours=1)
"""How long to wait before a second submit while it is unknown whether the first one succeeded."""


class WindowExpired(Expired):
    """The first day of a window is older than the provider's retention; later days may still be requested."""


class Submitter:
    """Submits the jobs of one report."""

    def __init__(self, context: PullContext, report: Report) -> None:
        self._context = context
        self._report = report

    def submit(self, job: Job) -> Job:
        """Submit an intended job and save its handle; first search for a job that may have been submitted already.

        Raises:
            ReportingError: the job was not accepted; `Unavailable` if that is unknown.
        """
        if job.fencing_token > 1 and (handle := self._found(job)) is not None:
            # An earlier run submitted it and ended before it saved the handle.
            return self._saved(job, handle)
        try:
            return self._submitted(job)
        except Unavailable as error:
            if not error.ambiguous or not self._context.provider.policy.can_find_lost_jobs:
                raise
            return self._find_or_resubmit(job, error)

    def _find_or_resubmit(self, job: Job, lost: Unavailable) -> Job:
        """Search for the job of a submit whose response was `lost`; submit again if there is none."""
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
            return self._submitted(job)
        except (Denied, Unavailable):
            # The first submit may have succeeded: the job stays open, and the next run searches again.
            raise lost from None

    def _saved(self, job: Job, handle: Handle) -> Job:
        self._context.log(f"found the submitted job of {job.report} {job.request}: request {handle.id}")
        return self._context.ledger.jobs.record_submitted(
            job, handle, job.intended_at, self._context.provider.clock_skew
        )

    def _submitted(self, job: Job) -> Job:
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
        """Return the handle of a job that the provider accepted and whose handle was lost; None if there is none."""
        if not self._context.provider.policy.can_find_lost_jobs:
            return None
        try:
            return self._context.provider.find_lost_job(self._report, job.request)
        except Unavailable:
            if self._context.clock.now() - job.intended_at < _PATIENCE:
                raise
            # Losing the day is worse than spending a call twice.
            return None

    def has_quota(self, job: Job) -> bool:
        """Return whether the quota allows another call; without one an open job is not given up."""
        context, now = self._context, self._context.clock.now()
        for quota in context.provider.quotas:
            left = context.ledger.quotas.left(quota, context.account, now)
            if left is not None and left[0] - (0 if self._newest(job, now) else left[1]) <= 0:
                return False
        return True

    def _newest(self, job: Job, now: datetime) -> bool:
        """Return whether `job` requests the latest day that is published before the quotas renew."""
        return self._report.calendar.latest_available(renews_at(now) - timedelta.resolution) in job.request.window

    def meter(self, job: Job) -> Meter:
        """Return the meter that counts the calls of `job` and denies those beyond the quota."""
        context = self._context

        def spend(quota: Quota) -> None:
            now, account = context.clock.now(), context.account
            context.ledger.quotas.spend(job, quota, account, context.clock, newest=self._newest(job, now))
            left = context.ledger.quotas.left(quota, account, now)
            if left is not None:
                context.log(f"{left[0]} of {quota.per_day} {quota.bucket} are left today")

        return spend
