"""Digital Turbine's Offer Wall API (OW1 to OW6)."""

from datetime import timedelta

from reporting_dags.model.clock import Clock
from reporting_dags.model.errors import Denied
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Handle, Meter, Quota, Request
from reporting_dags.providers.digital_turbine.client import DigitalTurbine
from reporting_dags.providers.digital_turbine.offer_wall_report import PROVIDER
from reporting_dags.providers.http.errors import RateLimited
from reporting_dags.providers.http.limits import DEFAULT_LIMITS, Limits

DEFAULT_RESERVED = 10
"""Reserved queries a day: one for each report, one resubmission of each (DT5), and some for reports of users."""

_QUOTA_USED = "Fix: wait until 00:00 UTC, when the quota of 50 queries a day is renewed (OW4)."


class OfferWall(DigitalTurbine):
    """The Offer Wall API for one account.

    Args:
        queries_per_day: the quota of the account (OW4).
        reserved_queries: how many of these queries are reserved for the latest day.

    For the other arguments see `DigitalTurbine`.
    """

    def __init__(
        self,
        *,
        base_url: str,
        client_id: str,
        client_secret: str,
        clock: Clock,
        first_poll: timedelta = timedelta(seconds=5),
        timeout: timedelta = timedelta(hours=2),
        limits: Limits = DEFAULT_LIMITS,
        queries_per_day: int = 50,
        reserved_queries: int = DEFAULT_RESERVED,
    ) -> None:
        quota = Quota(bucket=f"{PROVIDER} queries", per_day=queries_per_day, reserved=reserved_queries)
        super().__init__(
            name="DT Offer Wall",
            quota=quota,
            base_url=base_url,
            client_id=client_id,
            client_secret=client_secret,
            clock=clock,
            first_poll=first_poll,
            timeout=timeout,
            limits=limits,
        )

    @property
    def quotas(self) -> tuple[Quota, ...]:
        """The quota of queries (OW4)."""
        return (self.quota,)

    def request_body(self, report: Report, request: Request) -> tuple[str, object]:
        """Return the path and body of the query for a complete window (OW1)."""
        return "/api/v1/report/offerwall", report.query.body(request.window)

    def submit(self, report: Report, request: Request, meter: Meter) -> Handle:
        """Submit as `DigitalTurbine` does; a 429 means that the quota is used up (OW6)."""
        try:
            return super().submit(report, request, meter)
        except RateLimited as error:
            raise Denied(error.message, advice=_QUOTA_USED) from None
