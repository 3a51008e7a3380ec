"""The common part of Digital Turbine's two reporting APIs: request a report, poll its file, download the file."""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta

from reporting_dags.model.errors import Failed
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Handle, Meter, Pending, Quota, Ready, Request
from reporting_dags.providers.base import ClientSettings, HttpProvider
from reporting_dags.providers.digital_turbine.auth import ApiKeys, TokenSession
from reporting_dags.providers.digital_turbine.errors import SUPPORT, refusal_error
from reporting_dags.providers.digital_turbine.files import ReportFiles, url_expires_at
from reporting_dags.providers.http.download import AllowedOrigins, Downloads
from reporting_dags.providers.http.error_text import body_error_message
from reporting_dags.providers.http.response import ApiResponse, json_object

BASE_URL = "https://reporting.fyber.com"
FILE_HOSTS = (".amazonaws.com",)


class DigitalTurbine(HttpProvider):
    """One of the two reporting APIs for one account (DT1 to DT6).

    Args:
        settings: the settings of the client.
        keys: the API keys of the account.
        name: name of the API in messages.
        quota: the quota of its queries.
    """

    def __init__(self, settings: ClientSettings, keys: ApiKeys, *, name: str, quota: Quota) -> None:
        super().__init__(
            settings,
            name=name,
            account=("dt", keys.client_id),
            secrets=(keys.client_id, keys.client_secret),
            policy=settings.job_policy(resubmit_after=timedelta(hours=1), max_open_jobs=8),
        )
        self.quota = quota
        self._session = TokenSession(self.http, keys, settings.clock)
        self._allowed = AllowedOrigins(base_url=settings.base_url, host_suffixes=FILE_HOSTS)
        self._downloads = Downloads(name=name, allowed=self._allowed, limits=settings.limits)
        self._files = ReportFiles(self._downloads, name=name, clock=settings.clock, redactor=self.redactor)

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
            raise refusal_error(self.name, response, self.redactor)
        return self._handle(response)

    def _handle(self, response: ApiResponse) -> Handle:
        fields = json_object(response.json())
        url = fields.get("url")
        if not isinstance(url, str) or not url:
            if body_error_message(response.body):
                raise refusal_error(self.name, response, self.redactor)
            raise Failed(f"{self.name} responded to the query without a url (DT4)", advice=SUPPORT)
        self.redactor.add(url)
        self._allowed.check(url, name=self.name)
        # The id is only shown to users, so an invalid one is not an error.
        request_id = "".join(character for character in str(fields.get("id") or "") if character.isprintable())
        return Handle(id=request_id[:200], url=url, expires_at=url_expires_at(url, submitted_at=self.clock.now()))

    def poll(self, report: Report, request: Request, handle: Handle) -> Pending | Ready:
        """Return whether the file contains the report yet (DT6, UL5)."""
        return self._files.poll(handle)

    def download(
        self, report: Report, request: Request, handle: Handle, meter: Meter
    ) -> AbstractContextManager[Iterator[bytes]]:
        """Open the file."""
        return self._files.download(handle)

    def close(self) -> None:
        """Close the connections."""
        super().close()
        self._downloads.close()
