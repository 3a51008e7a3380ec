"""Authorized calls to Integr8's API (IN1), its pages, and its paths, most of which are not documented."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from reporting_dags.model.errors import Denied, Failed, Partial, ReportingError, SettingError
from reporting_dags.providers.http.client import HttpClient
from reporting_dags.providers.http.error_text import body_error_message
from reporting_dags.providers.http.errors import RETRY_LATER, Unavailable
from reporting_dags.providers.http.response import ApiResponse, json_integer, json_object

NAME = "Integr8"
REQUESTS_PER_MINUTE = 60
PAGE_SIZE = 100
MAX_PAGES = 100_000
_PLACEHOLDERS = {"export": ("log",), "status": ("export",), "table": ("table",)}
"""The placeholders of each path, besides `{integration}`."""


class Unauthorized(Denied):
    """The API key is unknown or no longer valid (401)."""


class NotFound(Failed):
    """The path does not exist (404)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """The paths of the API, below the base URL (IN3, IN5), with placeholders such as `{integration}` and `{log}`.

    Raises:
        SettingError: a path does not begin with a slash, or has an unknown placeholder.
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
                path.format(integration="", **dict.fromkeys(_PLACEHOLDERS.get(item.name, ()), ""))
            except (LookupError, ValueError, AttributeError):
                path = ""
            if not path.startswith("/"):
                raise SettingError(
                    f"INTEGR8_{item.name.upper()}_PATH is not a path below the base URL",
                    advice=f"Fix: correct it; the default is {item.default}.",
                )


class Integr8Session:
    """Makes calls with one API key for one integration."""

    def __init__(self, http: HttpClient, *, api_key: str, integration: str, paths: Paths) -> None:
        self.redactor = http.redactor
        self.integration = integration
        self.paths = paths
        self._http = http
        self._headers = {"API-KEY": api_key, "Accept": "application/json"}

    def get(self, path: str, params: Mapping[str, str] | None = None, **names: str) -> ApiResponse:
        """GET `path`, whose placeholders are replaced by `names`. Raise the typed error of any status but 2xx (IN1)."""
        return self._call("GET", path, params, None, names)

    def pages(
        self, path: str, *, before: Callable[[], None] = lambda: None, max_pages: int = MAX_PAGES
    ) -> Iterator[tuple[ApiResponse, list[object]]]:
        """Yield every page of a list: its response and its items (IN2).

        Args:
            path: path of the list.
            before: called before each page, to count it.
            max_pages: maximum number of pages.

        Raises:
            Partial: a page has no list.
            Failed: there are more than `max_pages` pages, or the response of a page is an error.
        """
        for number in range(1, max_pages + 1):
            before()
            response = self.get(path, {"page[number]": str(number), "page[size]": str(PAGE_SIZE)})
            payload = json_object(response.json())
            meta, items = json_object(payload.get("meta")), payload.get("data")
            page_count = json_integer(meta.get("total_page"))
            if items in (None, {}) and "data" in payload and json_integer(meta.get("total_count")) == 0:
                items = []
            if not isinstance(items, list):
                self.raise_if_refused(response, f"GET {path}")
                raise Partial(
                    f"page {number} of {NAME}'s {path.rpartition('/')[2]} has no list (IN2)", advice=RETRY_LATER
                )
            yield response, cast("list[object]", items)
            is_short = len(cast("list[object]", items)) < PAGE_SIZE
            if is_short if page_count is None else number >= page_count:
                return
        raise Failed(f"{NAME}'s {path.rpartition('/')[2]} have more than {max_pages} pages")

    def post(self, path: str, params: Mapping[str, str], *, before: Callable[[], None], **names: str) -> ApiResponse:
        """POST with `params` in the query. `before` is called before every attempt, to count it."""
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
        response = self._http.call(method, filled, headers=lambda: self._headers, params=params, before=before)
        if not 200 <= response.status < 300:
            raise self._refusal_error(response, method, filled)
        return response

    def _refusal_error(self, response: ApiResponse, method: str, path: str) -> ReportingError:
        """Return the typed error for a status other than 2xx."""
        message = (
            f"{NAME} refused {method} {path} ({response.status}): {self.provider_message(response) or 'no message'}"
        )
        match response.status:
            case 401:
                return Unauthorized(message, advice="Fix: check INTEGR8_API_KEY.")
            case 402:
                # The API failed although the parameters are valid, so a retry may succeed.
                return Unavailable(message, advice=RETRY_LATER)
            case 403:
                return Denied(message, advice="The API key lacks the permission. Fix: ask Integr8 for it.")
            case 404:
                return NotFound(message, advice="Fix: check INTEGR8_INTEGRATION_ID and INTEGR8_BASE_URL.")
            case 400:
                return Failed(message, advice="Fix: check the report's declaration and INTEGR8_INTEGRATION_ID.")
            case _:
                return Failed(message, advice=RETRY_LATER)

    def provider_message(self, response: ApiResponse) -> str:
        """Return the message of an error response, redacted; empty if there is none."""
        return self.redactor.clean(body_error_message(response.body))

    def raise_if_refused(self, response: ApiResponse, call: str) -> None:
        """Raise `Failed` if the response of `call`, which lacks the requested data, contains an error message."""
        if refusal := self.provider_message(response):
            message = f"{NAME} refused {call} ({response.status}): {refusal}"
            raise Failed(message, advice="Fix: check INTEGR8_INTEGRATION_ID and the permissions of the API key.")
