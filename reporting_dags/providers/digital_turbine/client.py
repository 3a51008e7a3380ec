"""The common part of Digital Turbine's two reporting APIs: request a report, poll its file, download the file."""

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
from reporting_dags.providers.digital_turbine.errors import SUPPORT, refusal_error
from reporting_dags.providers.digital_turbine.files import ReportFiles, url_expires_at
from reporting_dags.providers.http.client import HttpClient
from reporting_dags.providers.http.download import AllowedOrigins, Downloads
from reporting_dags.providers.http.error_text import body_error_message
from reporting_dags.providers.http.limits import Limits
from reporting_dags.providers.http.redaction import Redactor
from reporting_dags.providers.http.response import ApiResponse, json_object

BASE_URL = "https://reporting.fyber.com"
FILE_HOSTS = (".amazonaws.com",)


class DigitalTurbine(Provider):
    """One of the two reporting APIs for one account (DT1 to DT6).

    Args:
        name: name of the API in messages.
        quota: the quota of its queries.
        base_url: base URL of Digital Turbine's reporting APIs.
        client_id: public part of the API keys.
        client_secret: secret part of the API keys.
        clock: provides the current time and waits.
        first_poll: time before the first poll of a file, and before the first retry of a call.
        timeout: maximum time that a run polls one report.
        limits: limits on the duration and size of responses.
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
        self._allowed = AllowedOrigins(base_url=base_url, host_suffixes=FILE_HOSTS)
        self._session = TokenSession(http, client_id=client_id, client_secret=client_secret, clock=clock)
        self._downloads = Downloads(name=name, allowed=self._allowed, limits=limits)
        self._files = ReportFiles(self._downloads, name=name, clock=clock, redactor=http.redactor)
        self._clock = clock
        self.account = hashlib.sha256(f"dt:{client_id}".encode()).hexdigest()[:12]
        self.policy = JobPolicy(
            first_poll=first_poll,
            max_poll_interval=max(first_poll, timedelta(seconds=60)),
            timeout=timeout,
            resubmit_after=timedelta(hours=1),
            max_open_jobs=8,
        )

    @abstractmethod
    def request_body(self, report: Report, request: Request) -> tuple[str, object]:
        """Return the path and the JSON body of the call that requests a report."""

    def submit(self, report: Report, request: Request, meter: Meter) -> Handle:
        """POST the query; return the id of the request and the signed URL of its file (DT4).

        Raises:
            InvalidQuery, InvalidSource, InvalidFormat, InvalidToken, InvalidClient: the API returns this error.
            Denied: the quota of the day is used up.
        """
        path, body = self.request_body(report, request)
        response = self._session.post(path, params={"format": "csv"}, body=body, meter=lambda: meter(self.quota))
        if not 200 <= response.status < 300:
            raise refusal_error(self._name, response, self._session.http.redactor)
        return self._handle(response)

    def _handle(self, response: ApiResponse) -> Handle:
        fields = json_object(response.json())
        url = fields.get("url")
        if not isinstance(url, str) or not url:
            if body_error_message(response.body):
                raise refusal_error(self._name, response, self._session.http.redactor)
            raise Failed(f"{self._name} responded to the query without a url (DT4)", advice=SUPPORT)
        self._session.http.redactor.add(url)
        self._allowed.check(url, name=self._name)
        # The id is only shown to users, so an invalid one is not an error.
        request_id = "".join(character for character in str(fields.get("id") or "") if character.isprintable())
        return Handle(id=request_id[:200], url=url, expires_at=url_expires_at(url, submitted_at=self._clock.now()))

    def poll(self, report: Report, request: Request, handle: Handle) -> Pending | Ready:
        """Return whether the file contains the report yet (DT6, UL5)."""
        return self._files.poll(handle)

    def download(
        self, report: Report, request: Request, handle: Handle, meter: Meter
    ) -> AbstractContextManager[Iterator[bytes]]:
        """Open the file."""
        return self._files.download(handle)

    @property
    def clock_skew(self) -> timedelta:
        """How far this machine's clock is ahead of the provider's, according to its responses."""
        return self._session.http.clock_skew

    def close(self) -> None:
        """Close the connections."""
        self._session.http.close()
        self._downloads.close()
