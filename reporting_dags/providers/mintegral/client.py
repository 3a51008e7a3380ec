"""Mintegral's Advanced Performance API: one endpoint submits a report, returns its state, and serves its file.

A job has no id: its parameters identify it. So no job is lost in a crash, and a repeated request costs nothing.
"""

import hashlib
import itertools
import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from reporting_dags.model.errors import Denied, Expired, Failed, NotReady, Partial
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Handle, Meter, Pending, Quota, Ready, Request
from reporting_dags.providers.base import ClientSettings, HttpProvider
from reporting_dags.providers.http.error_text import MAX_ERROR_BYTES, error_message, peek_json_object
from reporting_dags.providers.http.errors import RETRY_LATER, Unavailable
from reporting_dags.providers.http.redaction import HIDDEN
from reporting_dags.providers.http.response import json_integer, json_object, parse_json

NAME = "Mintegral"
BASE_URL = "https://ss-api.mintegral.com"
PATH = "/api/v2/reports/data"
JOBS = Quota(bucket="mintegral jobs")
_SIGNATURE = re.compile(r"\b[0-9a-f]{32}\b", re.IGNORECASE)
"""The format of a token. Tokens change with every call, so a redactor cannot know them."""
_CHECK_URL = "Fix: check MINTEGRAL_BASE_URL; if it is correct, materialize the day again later."
_KEYS = "Fix: check MINTEGRAL_ACCESS_KEY and MINTEGRAL_API_KEY, and the report's declaration."
_SUPPORT = "Fix: materialize the day again later; if the error persists, ask Mintegral's support."


def token(api_key: str, timestamp: str) -> str:
    """Return the signature of a call (MT1): the MD5 of the API key and the timestamp's MD5, in lower-case hex."""
    inner = hashlib.md5(timestamp.encode(), usedforsecurity=False).hexdigest()
    return hashlib.md5((api_key + inner).encode(), usedforsecurity=False).hexdigest()


class AdvancedPerformance(HttpProvider):
    """The Advanced Performance API for one account.

    Args:
        settings: the settings of the client.
        access_key: public part of the API keys.
        api_key: secret part of the API keys.
    """

    def __init__(self, settings: ClientSettings, *, access_key: str, api_key: str) -> None:
        super().__init__(
            settings,
            name=NAME,
            account=("mintegral", access_key),
            secrets=(access_key, api_key),
            policy=settings.job_policy(max_open_jobs=4),
            # No call costs quota, so a 429 is a rate limit.
            retry_unspecified_429=True,
        )
        self._access_key = access_key
        self._api_key = api_key

    def submit(self, report: Report, request: Request, meter: Meter) -> Handle:
        """Submit the report (type 1). If the same report was requested before, its job is used (MT2).

        Raises:
            Denied: code 10000: wrong parameters or missing permissions.
            Failed: a code that is not documented.
            Unavailable: a response without a code.
        """
        meter(JOBS)
        self._report_state(report, request)
        return Handle()

    def poll(self, report: Report, request: Request, handle: Handle) -> Pending | Ready:
        """Return the state of the report (type 1).

        Raises:
            Partial: the report is complete, but hours of the window are missing (MT2, MT7).
            Denied, Failed, Unavailable: see `submit`.
        """
        payload = self._report_state(report, request)
        if isinstance(payload, Pending):
            return payload
        state = json_object(payload.get("data"))
        hours, expected_hours = json_integer(state.get("hours")), report.calendar.hours(request.window)
        if str(state.get("is_complete")).lower() not in {"true", "1"}:
            progress = "number of hours unknown" if hours is None else f"{hours} of {expected_hours} hours"
            line = f"{NAME} reports that {request.window} is not complete yet ({progress})"
            # Without a state, the provider's message is the only information.
            raise Partial(line if state else self._with_provider_message(line, payload), advice=RETRY_LATER)
        if hours is not None and hours < expected_hours:
            raise Partial(f"{NAME} has {hours} of the {expected_hours} hours of {request.window}", advice=RETRY_LATER)
        return Ready()

    @contextmanager
    def download(self, report: Report, request: Request, handle: Handle, meter: Meter) -> Generator[Iterator[bytes]]:
        """Open the report file (type 2). Errors are JSON with status 200 instead of the file (MT3, MT8).

        Raises:
            Expired: code 203: the provider does not know the job, or no longer knows it.
            NotReady: code 204 or 205: the report is being created, or created again.
            Partial: the response is neither a report nor an error with a code.
            Denied, Failed: see `submit`.
        """
        params = {**report.query.params(request.window), "type": "2"}
        with self.http.stream("GET", PATH, headers=self._signed, params=params) as body:
            if body.status != 200:
                message = f"{NAME} responded to the download with {body.status}"
                payload = json_object(parse_json(body.read_head(MAX_ERROR_BYTES)))
                raise Failed(self._with_provider_message(message, payload), advice=RETRY_LATER)
            payload, chunks = peek_json_object(body.chunks())
            first = next(chunks, b"")
            if first.lstrip().startswith((b"{", b"<")):
                raise self._download_error(payload)
            yield itertools.chain([first] if first else [], chunks)

    def _signed(self) -> Mapping[str, str]:
        """Return the headers of one attempt, with a token for the current second (MT1)."""
        timestamp = str(int(self.clock.now().timestamp()))
        return {"access-key": self._access_key, "timestamp": timestamp, "token": token(self._api_key, timestamp)}

    def _report_state(self, report: Report, request: Request) -> Pending | Mapping[str, Any]:
        """Return the response with code 200, or `Pending` if the report is still being created (MT2)."""
        params = {**report.query.params(request.window), "type": "1"}
        response = self.http.call("GET", PATH, headers=self._signed, params=params)
        payload = json_object(response.json())
        if response.status in {401, 403}:
            raise Denied(self._with_provider_message(f"{NAME} responded with {response.status}", payload), advice=_KEYS)
        if response.status != 200:
            message = self._with_provider_message(f"{NAME} responded with {response.status}", payload)
            raise Failed(message, advice="Fix: check MINTEGRAL_BASE_URL.")
        match _code(payload):
            case None:
                message = f"{NAME} returned a response that is not a JSON object with a code"
                raise Unavailable(self._with_provider_message(message, payload), advice=_CHECK_URL)
            case 200:
                return payload
            case 201 | 202:
                return Pending(f"{NAME} is still creating the report")
            case _:
                raise self._refusal_error(payload)

    def _download_error(self, payload: Mapping[str, Any]) -> Exception:
        """Return the error for a response that is not the file: JSON (MT3), or a web page, for which it is empty."""
        match _code(payload):
            case None:
                message = f"{NAME} responded to the download with neither a report nor an error with a code"
                return Partial(self._with_provider_message(message, payload), advice=_CHECK_URL)
            case 203:
                message = f"{NAME} no longer knows the report (code 203)"
                return Expired(self._with_provider_message(message, payload), advice=RETRY_LATER)
            case 204:
                return NotReady(self._with_provider_message(f"{NAME} is still creating the report (code 204)", payload))
            case 205:
                message = f"the report had expired, and {NAME} is creating it again (code 205)"
                return NotReady(self._with_provider_message(message, payload))
            case _:
                return self._refusal_error(payload)

    def _provider_message(self, payload: Mapping[str, Any]) -> str:
        """Return the message in `msg`, `data` or another key of an error response (MT2), redacted."""
        return self.redactor.clean(_SIGNATURE.sub(HIDDEN, error_message(payload, extra_keys=("data",))), limit=200)

    def _with_provider_message(self, message: str, payload: Mapping[str, Any]) -> str:
        result = self._provider_message(payload)
        return f"{message}: {result}" if result else message

    def _refusal_error(self, payload: Mapping[str, Any]) -> Denied | Failed:
        message = self._provider_message(payload) or "no message"
        if _code(payload) == 10000:
            return Denied(f"{NAME} refused (code 10000): {message}", advice=_KEYS)
        return Failed(f"{NAME} responded with the unknown code {_code(payload)}: {message}", advice=_SUPPORT)


def _code(payload: Mapping[str, Any]) -> int | None:
    return json_integer(payload.get("code"))
