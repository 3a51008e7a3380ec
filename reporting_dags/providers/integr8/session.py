"""Authorized calls to Integr8's API (IN1), its pages, and its paths, of which the documents name few."""

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from reporting_dags.model.clock import Clock
from reporting_dags.model.errors import Denied, Failed, Partial, ReportingError, SettingError
from reporting_dags.providers.api import Pace, Rate
from reporting_dags.providers.http.client import HttpClient
from reporting_dags.providers.http.error_text import error_text
from reporting_dags.providers.http.errors import RETRY_LATER, Unavailable
from reporting_dags.providers.http.limits import Limits
from reporting_dags.providers.http.redaction import Redactor
from reporting_dags.providers.http.response import ApiResponse, json_object, row_count_in

NAME = "Integr8"
REQUESTS_PER_MINUTE = 60
PAGE_SIZE = 100
MAX_PAGES = 100_000
_FILLED = {"export": ("log",), "status": ("export",), "table": ("table",)}
"""The blanks of each path, beside the integration's."""


class Unauthorized(Denied):
    """The key is not known, or not any more (401)."""


class NotFound(Failed):
    """There is nothing at that path (404)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Where things are, below the base URL (IN3, IN5); `{integration}`, `{log}` and so on are filled in.

    Raises:
        SettingError: a path does not begin with a slash, or has a blank to fill in that nothing fills.
    """

    export: str = "/integrations/{integration}/download-center/{log}"
    status: str = "/download-center/exports/{export}"
    exports: str = "/download-center/exports"
    signed_url: str = "/download-center/signed-url"
    table: str = "/reports/v2/{table}"
    offers: str = "/integrations/{integration}/offers"
    publishers: str = "/publishers"
    advertisers: str = "/advertisers"

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            path: str = getattr(self, item.name)
            try:
                path.format(integration="", **dict.fromkeys(_FILLED.get(item.name, ()), ""))
            except (LookupError, ValueError, AttributeError):
                path = ""
            if not path.startswith("/"):
                raise SettingError(
                    f"INTEGR8_{item.name.upper()}_PATH is not a path below the base URL",
                    advice=f"Usual is {item.default}.",
                )


class Integr8Session:
    """Calls for one API key and integration, at most 60 a minute over all processes (IN10)."""

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        integration: str,
        paths: Paths,
        clock: Clock,
        pace: Pace,
        first_delay: timedelta,
        limits: Limits,
    ) -> None:
        self.redactor = Redactor()
        self.redactor.add(api_key)
        self.integration = integration
        self.paths = paths
        self.account = hashlib.sha256(f"integr8:{integration}:{api_key}".encode()).hexdigest()[:12]
        self.rate = Rate(bucket="integr8 requests", account=self.account, per_minute=REQUESTS_PER_MINUTE)
        self._headers = {"API-KEY": api_key, "Accept": "application/json"}
        self._http = HttpClient(
            name=NAME,
            base_url=base_url,
            variable="INTEGR8_BASE_URL",
            redactor=self.redactor,
            clock=clock,
            first_delay=first_delay.total_seconds(),
            pace=lambda: pace(self.rate),
            backs_off=True,
            found_again=True,
            limits=limits,
        )

    def get(self, path: str, params: Mapping[str, str] | None = None, **names: str) -> ApiResponse:
        """GET; `names` fill the path. Raises the typed error of every status but 200 (IN1)."""
        return self._call("GET", path, params, None, names)

    def pages(
        self, path: str, *, before: Callable[[], None] = lambda: None, most: int = MAX_PAGES
    ) -> Iterator[tuple[ApiResponse, list[object]]]:
        """Every page of a list, at most so many, and what it lists (IN2); `before` counts each.

        Raises:
            Partial: a page holds no list.
            Failed: there are more pages than `most`, or a refusal stands in place of one.
        """
        for number in range(1, most + 1):
            before()
            answer = self.get(path, {"page[number]": str(number), "page[size]": str(PAGE_SIZE)})
            payload = json_object(answer.json())
            meta, listed = json_object(payload.get("meta")), payload.get("data")
            pages = row_count_in(meta.get("total_page"))
            if listed in (None, {}) and "data" in payload and row_count_in(meta.get("total_count")) == 0:
                listed = []
            if not isinstance(listed, list):
                self.refuse(answer, f"GET {path}")
                raise Partial(
                    f"page {number} of {NAME}'s {path.rpartition('/')[2]} holds no list (IN2)", advice=RETRY_LATER
                )
            yield answer, cast("list[object]", listed)
            if (number >= pages) if pages is not None else len(cast("list[object]", listed)) < PAGE_SIZE:
                return
        raise Failed(f"{NAME}'s {path.rpartition('/')[2]} have more than {most} pages")

    def post(self, path: str, params: Mapping[str, str], *, before: Callable[[], None], **names: str) -> ApiResponse:
        """POST with `params` in the query; `before` counts every try."""
        return self._call("POST", path, params, before, names)

    def _call(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        before: Callable[[], None] | None,
        names: Mapping[str, str],
    ) -> ApiResponse:
        filled = path.format(integration=self.integration, **names)
        answer = self._http.call(method, filled, headers=lambda: self._headers, params=params, before=before)
        if not 200 <= answer.status < 300:
            raise self._refusal(answer, method, filled)
        return answer

    def _refusal(self, answer: ApiResponse, method: str, path: str) -> ReportingError:
        message = f"{NAME} refused {method} {path} ({answer.status}): {self.words(answer) or 'no message'}"
        match answer.status:
            case 401:
                return Unauthorized(message, advice="Check INTEGR8_API_KEY.")
            case 402:
                # The parameters were right, and it failed all the same: what failed once may work.
                return Unavailable(message, advice=RETRY_LATER)
            case 403:
                return Denied(message, advice="The API key may not do this: ask Integr8 for the permission.")
            case 404:
                return NotFound(message, advice="Check INTEGR8_INTEGRATION_ID and INTEGR8_BASE_URL.")
            case 400:
                return Failed(message, advice="Check the report's declaration, and INTEGR8_INTEGRATION_ID.")
            case _:
                return Failed(message, advice=RETRY_LATER)

    def words(self, answer: ApiResponse) -> str:
        """What the provider says in place of what was requested, cleaned; empty if it says nothing."""
        return self.redactor.clean(error_text(answer.body))

    def refuse(self, answer: ApiResponse, call: str) -> None:
        """Raise `Failed` for a response that lacks what the `call` requests, if it says why."""
        if words := self.words(answer):
            message = f"{NAME} refused {call} ({answer.status}): {words}"
            raise Failed(message, advice="Check INTEGR8_INTEGRATION_ID and what the API key may do.")

    @property
    def clock_skew(self) -> timedelta:
        """How far this machine's clock is ahead of the provider's."""
        return self._http.clock_skew

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
