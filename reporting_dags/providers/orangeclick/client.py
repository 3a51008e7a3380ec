"""OrangeClickMedia's reporting API: one synchronous request for each report, at most five a minute (OC1 to OC6).

The provider has no jobs. `submit` makes no call, `poll` is always ready, and `download` makes the request.
"""

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from reporting_dags.model.errors import Denied, Failed, ReportingError
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Handle, Meter, Pending, Quota, Ready, Request
from reporting_dags.providers.base import ClientSettings, HttpProvider
from reporting_dags.providers.http.error_text import MAX_ERROR_BYTES, error_message, peek_json_object
from reporting_dags.providers.http.errors import RETRY_LATER
from reporting_dags.providers.http.response import json_object, parse_json
from reporting_dags.providers.http.stream import ResponseStream

NAME = "OrangeClickMedia"
BASE_URL = "https://app.orangeclickmedia.com/api/v1"
REQUESTS = Quota(bucket="orangeclick requests")
REQUESTS_PER_MINUTE = 5
_CHECK_ACCESS = "Fix: check ORANGECLICK_API_TOKEN and the report's declaration."
_DECLARATION = "Fix: check the report's declaration: its dimensions, metrics, currency and filters."


class OrangeClick(HttpProvider):
    """The reporting API for one user.

    Args:
        settings: the settings of the client.
        api_token: bearer token.
    """

    def __init__(self, settings: ClientSettings, *, api_token: str) -> None:
        super().__init__(
            settings,
            name=NAME,
            account=("orangeclick", api_token),
            secrets=(api_token,),
            policy=settings.job_policy(),
            requests_per_minute=REQUESTS_PER_MINUTE,
        )
        self._headers = {
            "Authorization": f"Bearer {api_token}",
            "Accept": "application/json",
            "Content-Type": "application/json",
        }

    def expected_echo(self, report: Report, request: Request) -> Mapping[str, str]:
        """Return the dates and the currency, which the response must repeat (OC5)."""
        return {
            "status": "success",
            "meta.start_date": request.window.first.isoformat(),
            "meta.end_date": request.window.last.isoformat(),
            "meta.currency": report.query.currency,
        }

    def submit(self, report: Report, request: Request, meter: Meter) -> Handle:
        """Return an empty handle: the request is made by `download`."""
        return Handle()

    def poll(self, report: Report, request: Request, handle: Handle) -> Pending | Ready:
        """Return `Ready`."""
        return Ready()

    @contextmanager
    def download(self, report: Report, request: Request, handle: Handle, meter: Meter) -> Generator[Iterator[bytes]]:
        """POST the query and return its response.

        Raises:
            Denied: the token is not accepted, or the rate limit requires too long a wait (OC1, OC2).
            Failed: the query is refused, with the invalid fields (OC4), or the response is a web page.
        """
        body = report.query.body(request.window)
        with self.http.stream(
            "POST", "/reports/generate", headers=lambda: self._headers, body=body, before=lambda: meter(REQUESTS)
        ) as response:
            if response.status != 200:
                raise self._status_error(response)
            if response.is_markup:
                raise Failed(f"{NAME} returned a web page instead of JSON", advice="Fix: check ORANGECLICK_BASE_URL.")
            payload, chunks = peek_json_object(response.chunks())
            if _is_refusal(payload):
                raise self._refusal_error(payload)
            yield chunks

    def _status_error(self, response: ResponseStream) -> ReportingError:
        """Return the error for a response with a status other than 200."""
        message = self._message(json_object(parse_json(response.read_head(MAX_ERROR_BYTES))))
        if response.status in {401, 403}:
            return Denied(f"{NAME} refused ({response.status}): {message}", advice="Fix: check ORANGECLICK_API_TOKEN.")
        if response.status == 422:
            return Failed(f"{NAME} refused the query (422): {message}", advice=_DECLARATION)
        advice = "Fix: check ORANGECLICK_BASE_URL." if response.status == 404 else RETRY_LATER
        return Failed(f"{NAME} responded with {response.status}: {message}", advice=advice)

    def _refusal_error(self, payload: Mapping[str, Any]) -> Failed:
        """Return the error for a refusal with status 200, whose cause is only in its message."""
        advice = _DECLARATION if payload.get("errors") else _CHECK_ACCESS
        if not error_message(payload):
            payload = {"message": f"its status is {payload.get('status')!r}"}
        message = self._message(payload)
        return Failed(f"{NAME} refused the query (200): {message}", advice=advice)

    def _message(self, payload: Mapping[str, Any]) -> str:
        return self.redactor.clean(error_message(payload) or "no message", limit=600)


def _is_refusal(payload: Mapping[str, Any]) -> bool:
    """Return whether a response without rows reports a failure, or has only a message (OC4, OC5)."""
    status, rows = payload.get("status"), payload.get("data")
    if status == "success" or (isinstance(rows, list) and rows):
        return False
    return status is not None or error_message(payload) != ""
