"""Digital Turbine's Offer Wall API (OW1 to OW6)."""

from reporting_dags.model.errors import Denied
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Handle, Meter, Quota, Request
from reporting_dags.providers.base import ClientSettings
from reporting_dags.providers.digital_turbine.auth import ApiKeys
from reporting_dags.providers.digital_turbine.client import DigitalTurbine
from reporting_dags.providers.digital_turbine.offer_wall_report import PROVIDER
from reporting_dags.providers.http.errors import RateLimited

DEFAULT_RESERVED = 10
"""Reserved queries a day: one for each report, one resubmission of each (DT5), and some for reports of users."""

_QUOTA_USED = "Fix: wait until 00:00 UTC, when the quota of 50 queries a day is renewed (OW4)."


class OfferWall(DigitalTurbine):
    """The Offer Wall API for one account.

    Args:
        settings: the settings of the client.
        keys: the API keys of the account.
        queries_per_day: the quota of the account (OW4).
        reserved_queries: how many of these queries are reserved for the latest day.
    """

    def __init__(
        self,
        settings: ClientSettings,
        keys: ApiKeys,
        *,
        queries_per_day: int = 50,
        reserved_queries: int = DEFAULT_RESERVED,
    ) -> None:
        quota = Quota(bucket=f"{PROVIDER} queries", per_day=queries_per_day, reserved=reserved_queries)
        super().__init__(settings, keys, name="DT Offer Wall", quota=quota)

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
