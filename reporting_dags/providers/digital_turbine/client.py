"""What Digital Turbine's two reporting APIs share: request a report, wait until its file is filled, fetch the file."""

import hashlib
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta

from reporting_dags.model.clock import Clock
from reporting_dags.model.errors import Failed
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Handle, JobPolicy, Meter, Pending, Provider, Quota, Ready, Request
from reporting_dags.providers.digital_turbine.auth import TokenSession
from reporting_dags.providers.digital_turbine.errors import SUPPORT, refusal
from reporting_dags.providers.digital_turbine.files import ReportFiles, expiry
from reporting_dags.providers.http.client import HttpClient
from reporting_dags.providers.http.download import AllowedOrigins, Downloads
from reporting_dags.providers.http.error_text import error_text
from reporting_dags.providers.http.limits import Limits
from reporting_dags.providers.http.redaction import Redactor
from reporting_dags.providers.http.response import ApiResponse, json_object

BASE_URL = "https://reporting.fyber.com"
FILE_HOSTS = (".amazonaws.com",)


class DigitalTurbine(Provider):
    """One of the two APIs for one account (DT1 to DT6).

    Args:
        name: how messages call the API.
        quota: how its queries are counted.
        base_url: of Digital Turbine's reporting APIs.
        client_id: public part of the API keys.
        client_secret: secret part of the API keys.
        clock: tells the time and waits.
        first_poll: until the first look at a file, and before the first retry of a call.
        timeout: how long a run waits for one report.
        limits: of its responses.
    """

    def __init__(
        self,
        *,
        name: str,
        quota: Quota,
        base_url: str,
        client_id: str,
        client_secret: str,
        clock: Clock,
        first_poll: timedelta,
        timeout: timedelta,
        limits: Limits,
    ) -> None:
        http = HttpClient(
            name=name,
            base_url=base_url,
            variable="DT_BASE_URL",
            redactor=Redactor(),
            clock=clock,
            first_delay=first_poll.total_seconds(),
            limits=limits,
        )
        self._name = name
        self.quota = quota
        self._allowed = AllowedOrigins(base_url=base_url, suffixes=FILE_HOSTS)
        self._session = TokenSession(http, client_id=client_id, client_secret=client_secret, clock=clock)
        self._downloads = Downloads(name=name, allowed=self._allowed, limits=limits)
        self._files = ReportFiles(self._downloads, name=name, clock=clock, redactor=http.redactor)
        self._clock = clock
        self.account = hashlib.sha256(f"dt:{client_id}".encode()).hexdigest()[:12]
        self.policy = JobPolicy(
            first_poll=first_poll,
            longest_poll=max(first_poll, timedelta(seconds=60)),
            timeout=timeout,
            resend_after=timedelta(hours=1),
            in_flight=8,
        )

    @abstractmethod
    def request_body(self, report: Report, request: Request) -> tuple[str, object]:
        """Path and JSON body of the call that requests a report."""

    def submit(self, report: Report, request: Request, meter: Meter) -> Handle:
        """POST the query; returns the request's id and the signed address of its file (DT4).

        Raises:
            InvalidQuery, InvalidSource, InvalidFormat, InvalidToken, InvalidClient: as the API says.
            Denied: the quota of the day is spent.
        """
        path, body = self.request_body(report, request)
        answer = self._session.post(path, params={"format": "csv"}, body=body, meter=lambda: meter(self.quota))
        if not 200 <= answer.status < 300:
            raise refusal(self._name, answer, self._session.http.redactor)
        return self._handle(answer)

    def _handle(self, answer: ApiResponse) -> Handle:
        fields = json_object(answer.json())
        url = fields.get("url")
        if not isinstance(url, str) or not url:
            if error_text(answer.body):
                raise refusal(self._name, answer, self._session.http.redactor)
            raise Failed(f"{self._name} answered the query, but the response has no url (DT4)", advice=SUPPORT)
        self._session.http.redactor.add(url)
        self._allowed.check(url, name=self._name)
        # The id is for people; a response is not lost for the want of one.
        request_id = "".join(character for character in str(fields.get("id") or "") if character.isprintable())
        return Handle(id=request_id[:200], url=url, expires_at=expiry(url, submitted_at=self._clock.now()))

    def poll(self, report: Report, request: Request, handle: Handle) -> Pending | Ready:
        """Look whether the file is filled (DT6, UL5)."""
        return self._files.poll(handle)

    def download(
        self, report: Report, request: Request, handle: Handle, meter: Meter
    ) -> AbstractContextManager[Iterator[bytes]]:
        """The bytes of the file."""
        return self._files.download(handle)

    @property
    def clock_skew(self) -> timedelta:
        """As its responses tell."""
        return self._session.http.clock_skew

    def close(self) -> None:
        """Close the connections."""
        self._session.http.close()
        self._downloads.close()
