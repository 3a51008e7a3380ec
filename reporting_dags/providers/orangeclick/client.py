"""OrangeClickMedia's reporting API: one request, one response, five a minute (OC1 to OC6).

There is no job at the provider. Submitting costs nothing, the response is ready at once, and the download is the
request.
"""

import hashlib
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from reporting_dags.model.clock import Clock
from reporting_dags.model.errors import Denied, Failed, ReportingError
from reporting_dags.model.report import Report
from reporting_dags.providers.api import (
    Handle,
    JobPolicy,
    Meter,
    Pace,
    Pending,
    Provider,
    Quota,
    Rate,
    Ready,
    Request,
    no_pacing,
)
from reporting_dags.providers.http.client import HttpClient
from reporting_dags.providers.http.error_text import MAX_BYTES, error_texts, opening_text
from reporting_dags.providers.http.errors import RETRY_LATER
from reporting_dags.providers.http.limits import DEFAULT_LIMITS, Limits
from reporting_dags.providers.http.redaction import Redactor
from reporting_dags.providers.http.response import json_object, parse_json
from reporting_dags.providers.http.stream import ResponseStream

NAME = "OrangeClickMedia"
BASE_URL = "https://app.orangeclickmedia.com/api/v1"
REQUESTS = Quota(bucket="orangeclick requests")
REQUESTS_PER_MINUTE = 5
_DECLARATION = "Check the report's declaration: its dimensions, metrics, currency and filters."


class OrangeClick(Provider):
    """The reporting API for one user.

    Args:
        base_url: of the API.
        api_token: bearer token.
        clock: tells the time and waits.
        pace: keeps the rate over all processes (OC2).
        first_poll: before the first retry of a call.
        timeout: how long a run waits for another that brings the same days home.
        limits: of its responses.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_token: str,
        clock: Clock,
        pace: Pace = no_pacing,
        first_poll: timedelta = timedelta(seconds=5),
        timeout: timedelta = timedelta(hours=2),
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._redactor = Redactor()
        self._redactor.add(api_token)
        self.account = hashlib.sha256(f"orangeclick:{api_token}".encode()).hexdigest()[:12]
        self._rate = Rate(bucket=REQUESTS.bucket, account=self.account, per_minute=REQUESTS_PER_MINUTE)
        self._http = HttpClient(
            name=NAME,
            base_url=base_url,
            variable="ORANGECLICK_BASE_URL",
            redactor=self._redactor,
            clock=clock,
            first_delay=first_poll.total_seconds(),
            pace=lambda: pace(self._rate),
            limits=limits,
        )
        self._headers = {
            "Authorization": f"Bearer {api_token}",
            "Accept": "application/json",
            "Content-Type": "application/json",
        }
        self.policy = JobPolicy(first_poll=first_poll, longest_poll=first_poll, timeout=timeout)

    def expected_echo(self, report: Report, request: Request) -> Mapping[str, str]:
        """What was requested, as the response repeats it (OC5)."""
        return {
            "status": "success",
            "meta.start_date": request.window.first.isoformat(),
            "meta.end_date": request.window.last.isoformat(),
            "meta.currency": report.query.currency,
        }

    def submit(self, report: Report, request: Request, meter: Meter) -> Handle:
        """Nothing to do: the response comes with the download."""
        return Handle()

    def poll(self, report: Report, request: Request, handle: Handle) -> Pending | Ready:
        """Ready at once."""
        return Ready()

    @contextmanager
    def download(self, report: Report, request: Request, handle: Handle, meter: Meter) -> Generator[Iterator[bytes]]:
        """POST the query and read its response.

        Raises:
            Denied: the token is not accepted, or the rate is spent for longer than is worth waiting (OC1, OC2).
            Failed: the query is refused, with the fields that are wrong (OC4), or the response is a web page.
        """
        body = report.query.body(request.window)
        with self._http.stream(
            "POST", "/reports/generate", headers=lambda: self._headers, body=body, before=lambda: meter(REQUESTS)
        ) as answer:
            if answer.status != 200:
                raise self._refusal(answer)
            if answer.is_page:
                raise Failed(f"{NAME} answered with a web page in place of JSON", advice="Check ORANGECLICK_BASE_URL.")
            payload, chunks = opening_text(answer.chunks())
            if _is_refusal(payload):
                raise self._refused(payload)
            yield chunks

    def _refusal(self, answer: ResponseStream) -> ReportingError:
        message = self._message(json_object(parse_json(answer.head(MAX_BYTES))))
        if answer.status in {401, 403}:
            return Denied(f"{NAME} refused ({answer.status}): {message}", advice="Check ORANGECLICK_API_TOKEN.")
        if answer.status == 422:
            return Failed(f"{NAME} refused the query (422): {message}", advice=_DECLARATION)
        advice = "Check ORANGECLICK_BASE_URL." if answer.status == 404 else RETRY_LATER
        return Failed(f"{NAME} answered {answer.status}: {message}", advice=advice)

    def _refused(self, payload: Mapping[str, Any]) -> Failed:
        """The error for a refusal whose status is 200: what is wrong, it can only say in words."""
        advice = _DECLARATION if payload.get("errors") else "Check ORANGECLICK_API_TOKEN and the report's declaration."
        message = self._message(
            payload if error_texts(payload) else {"message": f"its status is {payload.get('status')!r}"}
        )
        return Failed(f"{NAME} refused the query (200): {message}", advice=advice)

    def _message(self, payload: Mapping[str, Any]) -> str:
        return self._redactor.clean(error_texts(payload) or "no message", limit=600)

    @property
    def rates(self) -> tuple[Rate, ...]:
        """Its requests (OC2)."""
        return (self._rate,)

    @property
    def clock_skew(self) -> timedelta:
        """As its responses tell."""
        return self._http.clock_skew

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _is_refusal(payload: Mapping[str, Any]) -> bool:
    """Whether an answer without rows calls itself no success, or has words alone (OC4, OC5)."""
    status, rows = payload.get("status"), payload.get("data")
    if status == "success" or (isinstance(rows, list) and rows):
        return False
    return status is not None or error_texts(payload) != ""
