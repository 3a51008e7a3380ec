"""Download of a file from the URL that a provider returned: without credentials, complete or not at all.

The URL comes from outside. So it, and every URL that it redirects to, must be on the provider's own origin or on its
allow-list.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urljoin

import requests
import urllib3

from reporting_dags.model.errors import Failed
from reporting_dags.providers.http.connection import bare_session, origin
from reporting_dags.providers.http.deadline import deadline
from reporting_dags.providers.http.errors import RETRY_LATER, Unavailable, error_reason
from reporting_dags.providers.http.first_contact import is_unreachable
from reporting_dags.providers.http.limits import DEFAULT_LIMITS, Limits
from reporting_dags.providers.http.stream import ResponseStream

MAX_REDIRECTS = 5
_SUPPORT = "Fix: ask the provider's support."


class AddressNotAllowed(Failed):
    """A URL, or a redirect of it, is not on the allow-list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedOrigins:
    """The allow-list for a provider's download URLs.

    Attributes:
        base_url: base URL of the provider's API; its exact origin (scheme, host, port) is allowed.
        host_suffixes: suffixes of host names that are allowed over https, such as `.amazonaws.com`.
    """

    base_url: str
    host_suffixes: tuple[str, ...] = ()

    def check(self, url: str, *, name: str) -> None:
        """Raise `AddressNotAllowed` if `url` is not allowed; the message contains the host, not the signed URL."""
        try:
            scheme, host, port = origin(url)
        except ValueError:
            raise AddressNotAllowed(
                f"{name} returned a download URL that is not an http(s) URL; it was not followed", advice=_SUPPORT
            ) from None
        if (scheme, host, port) == origin(self.base_url):
            return
        if scheme == "https" and port == 443 and any(host.endswith(suffix) for suffix in self.host_suffixes):
            return
        raise AddressNotAllowed(
            f"{name} returned a download URL on {scheme}://{host}:{port}, which is not an allowed host; "
            "it was not followed",
            advice="Fix: if the provider has moved its files, confirm the host with its support before allowing it.",
        )


class Downloads:
    """Downloads files with a session that has no credentials.

    Args:
        name: name of the provider in messages.
        allowed: the allow-list for download URLs.
        limits: limits on the duration and size of files.
    """

    def __init__(
        self,
        *,
        name: str,
        allowed: AllowedOrigins,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._name = name
        self.allowed = allowed
        self._limits = limits
        self._reached_hosts: set[str] = set()
        self._session = bare_session()
        self._session.headers["Accept-Encoding"] = "identity"

    @contextmanager
    def open(self, url: str, *, head_only: bool = False) -> Generator[ResponseStream]:
        """Open the response at `url`, after at most five redirects, each of which is checked.

        Args:
            url: the download URL.
            head_only: whether only the start is read; the time limit of a short response applies then.

        Raises:
            AddressNotAllowed: the URL, or a redirect of it, is not on the allow-list.
            Unavailable: no response.
        """
        response = self._follow(url, self._limits.response_seconds if head_only else self._limits.file_seconds)
        try:
            yield ResponseStream.of(response, name=self._name, max_bytes=self._limits.file_bytes)
        finally:
            response.close()

    def _follow(self, url: str, seconds: float) -> requests.Response:
        for _ in range(MAX_REDIRECTS + 1):
            self.allowed.check(url, name=self._name)
            try:
                with deadline(seconds):
                    response = self._session.get(
                        url, timeout=self._limits.requests_timeout, allow_redirects=False, stream=True
                    )
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                raise self._unavailable(url, error) from None
            self._reached_hosts.add(origin(url)[1])
            if not response.is_redirect:
                return response
            response.close()
            try:
                url = urljoin(url, response.headers["Location"])
            except ValueError:
                raise AddressNotAllowed(
                    f"the file of {self._name} redirects to an invalid URL; it was not followed", advice=_SUPPORT
                ) from None
        raise AddressNotAllowed(f"the file of {self._name} redirects more than {MAX_REDIRECTS} times", advice=_SUPPORT)

    def _unavailable(self, url: str, error: Exception) -> Unavailable:
        # Only the host: the URL is signed.
        scheme, host, _ = origin(url)
        reached = host in self._reached_hosts or not is_unreachable(error, scheme)
        advice = RETRY_LATER if reached else f"Fix: check that this machine can reach {host}."
        unavailable = Unavailable(
            f"the file of {self._name} at {host} did not respond ({error_reason(error)})", advice=advice
        )
        unavailable.max_attempts = None if reached else 1
        return unavailable

    def close(self) -> None:
        """Close the connections."""
        self._session.close()
