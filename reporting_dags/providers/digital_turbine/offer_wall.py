"""Digital Turbine's Offer Wall API (OW1 to OW6)."""

from datetime import timedelta

from reporting_dags.model.clock import Clock
from reporting_dags.model.errors import Denied
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Handle, Meter, Quota, Request
from reporting_dags.providers.digital_turbine.client import DigitalTurbine
from reporting_dags.providers.digital_turbine.offer_wall_report import PROVIDER, OfferWallQuery
from reporting_dags.providers.trouble import RateLimited


class OfferWall(DigitalTurbine):
    """The Offer Wall API for one account; `queries_per_day` is its quota (OW4), the rest as `DigitalTurbine`."""

    def __init__(
        self,
        *,
        base_url: str,
        client_id: str,
        client_secret: str,
        clock: Clock,
        first_poll: timedelta = timedelta(seconds=5),
        timeout: timedelta = timedelta(hours=2),
        queries_per_day: int = 50,
    ) -> None:
        super().__init__(
            name="DT Offer Wall",
            quota=Quota(api=f"{PROVIDER} queries", per_day=queries_per_day),
            base_url=base_url,
            client_id=client_id,
            client_secret=client_secret,
            clock=clock,
            first_poll=first_poll,
            timeout=timeout,
        )

    def question(self, report: Report[OfferWallQuery], request: Request) -> tuple[str, object]:
        """One query covers a window (OW1)."""
        return "/api/v1/report/offerwall", report.query.body(request.window)

    def submit(self, report: Report[OfferWallQuery], request: Request, meter: Meter) -> Handle:
        """As `DigitalTurbine`; a 429 means that the quota is spent (OW6)."""
        try:
            return super().submit(report, request, meter)
        except RateLimited as error:
            raise Denied(error.message, advice="The quota of 50 queries a day is renewed at 00:00 UTC (OW4).") from None
