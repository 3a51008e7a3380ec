"""Mintegral's Advanced Performance API: one address that makes a report, tells how far it is, and serves it.

A job has no id: it is found again by its parameters. So nothing is lost in a crash, and asking twice costs nothing.
"""

import hashlib
import itertools
import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from reporting_dags.model.clock import Clock
from reporting_dags.model.errors import Denied, Expired, Failed, NotReady, Partial
from reporting_dags.model.report import Report
from reporting_dags.providers.api import Handle, JobPolicy, Meter, Pending, Provider, Quota, Ready, Request
from reporting_dags.providers.http.client import HttpClient
from reporting_dags.providers.http.error_text import MAX_BYTES, error_texts, opening_text
from reporting_dags.providers.http.errors import RETRY_LATER, Unavailable
from reporting_dags.providers.http.limits import DEFAULT_LIMITS, Limits
from reporting_dags.providers.http.redaction import HIDDEN, Redactor
from reporting_dags.providers.http.response import json_object, parse_json, row_count_in

NAME = "Mintegral"
BASE_URL = "https://ss-api.mintegral.com"
PATH = "/api/v2/reports/data"
JOBS = Quota(bucket="mintegral jobs")
_SIGNATURE = re.compile(r"\b[0-9a-f]{32}\b", re.IGNORECASE)
"""The form of a token, which is not a fixed text that a redactor could know."""
_ELSEWHERE = "Check MINTEGRAL_BASE_URL; if it is right, run the day again later."
_KEYS = "Check MINTEGRAL_ACCESS_KEY and MINTEGRAL_API_KEY, and the report's declaration."
_SUPPORT = "Run the day again later; if it lasts, ask Mintegral's support."


def token(api_key: str, timestamp: str) -> str:
    """The signature of a call (MT1): md5 of the key and of the timestamp's md5, in lower-case hex."""
    inner = hashlib.md5(timestamp.encode(), usedforsecurity=False).hexdigest()
    return hashlib.md5((api_key + inner).encode(), usedforsecurity=False).hexdigest()


class AdvancedPerformance(Provider):
    """The Advanced Performance API for one account.

    Args:
        base_url: of the API.
        access_key: public part of the API keys.
        api_key: secret part of the API keys.
        clock: tells the time, which is signed, and waits.
        first_poll: until the first question after the report's state, and before the first retry of a call.
        timeout: how long a run waits for one report.
        limits: of its responses.
    """

    def __init__(
        self,
        *,
        base_url: str,
        access_key: str,
        api_key: str,
        clock: Clock,
        first_poll: timedelta = timedelta(seconds=5),
        timeout: timedelta = timedelta(hours=2),
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._redactor = Redactor()
        self._redactor.add(access_key)
        self._redactor.add(api_key)
        self._http = HttpClient(
            name=NAME,
            base_url=base_url,
            variable="MINTEGRAL_BASE_URL",
            redactor=self._redactor,
            clock=clock,
            first_delay=first_poll.total_seconds(),
            # No call is counted, so that a 429 is not a spent quota.
            backs_off=True,
            limits=limits,
        )
        self._access_key = access_key
        self._api_key = api_key
        self._clock = clock
        self.account = hashlib.sha256(f"mintegral:{access_key}".encode()).hexdigest()[:12]
        self.policy = JobPolicy(
            first_poll=first_poll,
            longest_poll=max(first_poll, timedelta(seconds=60)),
            timeout=timeout,
            in_flight=4,
        )

    def submit(self, report: Report, request: Request, meter: Meter) -> Handle:
        """Request the report to be made (type 1); one that is there already is found again (MT2).

        Raises:
            Denied: code 10000: wrong parameters or missing permissions.
            Failed: a code that the documents do not know.
            Unavailable: an answer without any.
        """
        meter(JOBS)
        self._state(report, request)
        return Handle()

    def poll(self, report: Report, request: Request, handle: Handle) -> Pending | Ready:
        """Ask how far the report is (type 1).

        Raises:
            Partial: it is made, and lacks hours of the window (MT2, MT7).
            Denied, Failed, Unavailable: as `submit`.
        """
        payload = self._state(report, request)
        if isinstance(payload, Pending):
            return payload
        state = json_object(payload.get("data"))
        hours, whole = row_count_in(state.get("hours")), report.calendar.hours(request.window)
        if str(state.get("is_complete")).lower() not in {"true", "1"}:
            message = "it does not say how many hours" if hours is None else f"{hours} of {whole} hours"
            line = f"{NAME} does not call {request.window} complete yet ({message})"
            # Where there is no state, what is said of it is all that there is.
            raise Partial(line if state else self._with_words(line, payload), advice=RETRY_LATER)
        if hours is not None and hours < whole:
            raise Partial(f"{NAME} has {hours} of the {whole} hours of {request.window}", advice=RETRY_LATER)
        return Ready()

    @contextmanager
    def download(self, report: Report, request: Request, handle: Handle, meter: Meter) -> Generator[Iterator[bytes]]:
        """The bytes of the report (type 2); errors come as JSON in its place, with status 200 (MT3, MT8).

        Raises:
            Expired: code 203: the job is not known (any more).
            NotReady: code 204, or 205: it is being made (again).
            Partial: what stands in its place is not a report and has no code.
            Denied, Failed: as `submit`.
        """
        params = {**report.query.params(request.window), "type": "2"}
        with self._http.stream("GET", PATH, headers=self._signed, params=params) as body:
            if body.status != 200:
                message = f"{NAME} answered the download with {body.status}"
                raise Failed(
                    self._with_words(message, json_object(parse_json(body.head(MAX_BYTES)))), advice=RETRY_LATER
                )
            payload, chunks = opening_text(body.chunks())
            first = next(chunks, b"")
            if first.lstrip().startswith((b"{", b"<")):
                raise self._no_file(payload)
            yield itertools.chain([first] if first else [], chunks)

    @property
    def clock_skew(self) -> timedelta:
        """As its responses tell."""
        return self._http.clock_skew

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _signed(self) -> Mapping[str, str]:
        """A fresh token for every try, of the present second; two tries in one second share it (MT1)."""
        timestamp = str(int(self._clock.now().timestamp()))
        return {"access-key": self._access_key, "timestamp": timestamp, "token": token(self._api_key, timestamp)}

    def _state(self, report: Report, request: Request) -> Pending | Mapping[str, Any]:
        """The answer with code 200, or that the report is still being made (MT2)."""
        params = {**report.query.params(request.window), "type": "1"}
        answer = self._http.call("GET", PATH, headers=self._signed, params=params)
        payload = json_object(answer.json())
        if answer.status in {401, 403}:
            raise Denied(self._with_words(f"{NAME} answered {answer.status}", payload), advice=_KEYS)
        if answer.status != 200:
            message = self._with_words(f"{NAME} answered {answer.status}", payload)
            raise Failed(message, advice="Check MINTEGRAL_BASE_URL.")
        match _code(payload):
            case None:
                message = f"{NAME} answered with what is not a JSON object with a code"
                raise Unavailable(self._with_words(message, payload), advice=_ELSEWHERE)
            case 200:
                return payload
            case 201 | 202:
                return Pending(f"{NAME} is still making the report")
            case _:
                raise self._refusal(payload)

    def _no_file(self, payload: Mapping[str, Any]) -> Exception:
        """The error for what stands in place of the file: JSON (MT3), or else a web page, which says nothing."""
        match _code(payload):
            case None:
                message = f"{NAME} answered the download with what is neither a report nor an error with a code"
                return Partial(self._with_words(message, payload), advice=_ELSEWHERE)
            case 203:
                message = f"{NAME} does not know the report any more (code 203)"
                return Expired(self._with_words(message, payload), advice=RETRY_LATER)
            case 204:
                return NotReady(self._with_words(f"{NAME} is still making the report (code 204)", payload))
            case 205:
                message = f"the report had expired, and {NAME} is making it again (code 205)"
                return NotReady(self._with_words(message, payload))
            case _:
                return self._refusal(payload)

    def _words(self, payload: Mapping[str, Any]) -> str:
        """What is said in `msg` and `data`, or wherever else a refusal has its words (MT2)."""
        return self._redactor.clean(_SIGNATURE.sub(HIDDEN, error_texts(payload, also=("data",))), limit=200)

    def _with_words(self, message: str, payload: Mapping[str, Any]) -> str:
        result = self._words(payload)
        return f"{message}: {result}" if result else message

    def _refusal(self, payload: Mapping[str, Any]) -> Denied | Failed:
        message = self._words(payload) or "no message"
        if _code(payload) == 10000:
            return Denied(f"{NAME} refused (code 10000): {message}", advice=_KEYS)
        return Failed(f"{NAME} answered with the unknown code {_code(payload)}: {message}", advice=_SUPPORT)


def _code(payload: Mapping[str, Any]) -> int | None:
    return row_count_in(payload.get("code"))
