"""Digital Turbine's Offer Wall API: ask for a report, wait until its file is filled, fetch the file (DT4, DT5, OW6)."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import timedelta

from reporting_dags.model.clock import Clock
from reporting_dags.model.errors import Denied, Failed
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Handle, JobPolicy, Meter, Pending, Quota, Ready, Request
from reporting_dags.providers.digital_turbine.auth import Session
from reporting_dags.providers.digital_turbine.errors import refusal
from reporting_dags.providers.digital_turbine.files import ReportFiles, expiry
from reporting_dags.providers.digital_turbine.offer_wall_report import PROVIDER, OfferWallQuery
from reporting_dags.providers.download import AllowedOrigins, Downloads
from reporting_dags.providers.http import Http, RateLimited
from reporting_dags.providers.redaction import Redactor

NAME = "DT Offer Wall"
BASE_URL = "https://reporting.fyber.com"
FILE_HOSTS = (".amazonaws.com",)


class OfferWall:
    """The Offer Wall API for one account.

    Args:
        base_url: of Digital Turbine's reporting APIs.
        client_id: public part of the API keys.
        client_secret: secret part of the API keys.
        clock: tells the time and waits.
        first_poll: until the first look at a file, and before the first retry of a call.
        timeout: how long a run waits for one report.
        queries_per_day: the API's quota (OW4).
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
        queries_per_day: int = 50,
    ) -> None:
        redactor = Redactor()
        http = Http(
            name=NAME, base_url=base_url, redactor=redactor, clock=clock, first_delay=first_poll.total_seconds()
        )
        self._allowed = AllowedOrigins(base_url=base_url, suffixes=FILE_HOSTS)
        self._session = Session(http, client_id=client_id, client_secret=client_secret, clock=clock)
        self._downloads = Downloads(name=NAME, allowed=self._allowed, clock=clock)
        self._files = ReportFiles(self._downloads, name=NAME, clock=clock)
        self._clock = clock
        self.account = hashlib.sha256(f"dt:{client_id}".encode()).hexdigest()[:12]
        self.policy = JobPolicy(
            first_poll=first_poll,
            longest_poll=max(first_poll, timedelta(seconds=60)),
            timeout=timeout,
            resend_after=timedelta(hours=1),
            in_flight=8,
        )
        self.quota = Quota(api=PROVIDER, per_day=queries_per_day)

    def parts(self, report: Report[OfferWallQuery]) -> tuple[str, ...]:
        """One query covers a window."""
        return ("",)

    def constants(self, part: str) -> Mapping[str, str]:
        """Nothing: the file holds every column itself."""
        return {}

    def submit(self, report: Report[OfferWallQuery], request: Request, meter: Meter) -> Handle:
        """POST the query (OW1); returns the request's id and the signed address of its file (DT4).

        Raises:
            InvalidQuery, InvalidSource, InvalidFormat, InvalidToken, InvalidClient: as the API says.
            Denied: the quota of the day is spent (OW4).
        """
        body = report.query.body(request.window)
        try:
            answer = self._session.post("/api/v1/report/offerwall", params={"format": "csv"}, body=body, meter=meter)
        except RateLimited as error:
            raise Denied(error.message, advice="The quota of 50 queries a day is renewed at 00:00 UTC (OW4).") from None
        if not 200 <= answer.status < 300:
            raise refusal(NAME, answer, self._session.http.redactor)
        return self._handle(answer.json())

    def _handle(self, said: object) -> Handle:
        fields = {str(key): value for key, value in said.items()} if isinstance(said, dict) else {}
        url = fields.get("url")
        if not isinstance(url, str) or not url:
            raise Failed(f"{NAME} accepted the query but its answer has no url (DT4)")
        self._session.http.redactor.add(url)
        self._allowed.check(url, name=NAME)
        # The id is for people; an answer is not lost for the want of one.
        request_id = "".join(character for character in str(fields.get("id") or "") if character.isprintable())
        return Handle(id=request_id[:200], url=url, expires_at=expiry(url, submitted_at=self._clock.now()))

    def poll(self, report: Report[OfferWallQuery], request: Request, handle: Handle) -> Pending | Ready:
        """Look whether the file is filled (DT6)."""
        return self._files.poll(handle)

    def download(
        self,
        report: Report[OfferWallQuery],
        request: Request,
        handle: Handle,
    ) -> AbstractContextManager[Iterator[bytes]]:
        """The bytes of the file."""
        return self._files.download(handle)

    def close(self) -> None:
        """Close the connections."""
        self._session.http.close()
        self._downloads.close()
