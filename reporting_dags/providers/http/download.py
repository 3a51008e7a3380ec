"""Fetching a file from the address that a provider returned: without credentials, and whole or not at all.

The address comes from outside, so it is followed only to the provider's own origin or to its allow-list, at every hop.
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
from reporting_dags.providers.http.errors import RETRY_LATER, Unavailable, reason
from reporting_dags.providers.http.first_contact import is_unreached
from reporting_dags.providers.http.limits import DEFAULT_LIMITS, Limits
from reporting_dags.providers.http.stream import ResponseStream

MAX_REDIRECTS = 5


class AddressNotAllowed(Failed):
    """An address, or where it redirects to, is not to be followed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedOrigins:
    """Where a provider's files may lie.

    Attributes:
        base_url: the provider's API; its exact origin (scheme, host, port) is allowed.
        suffixes: endings of hosts allowed over https, such as `.amazonaws.com`.
    """

    base_url: str
    suffixes: tuple[str, ...] = ()

    def check(self, url: str, *, name: str) -> None:
        """Raise `Astray` unless `url` may be fetched; the message names the host alone, never the signed address."""
        try:
            scheme, host, port = origin(url)
        except ValueError:
            raise AddressNotAllowed(
                f"{name} returned a download address that is not an http(s) URL; it was not followed"
            ) from None
        if (scheme, host, port) == origin(self.base_url):
            return
        if scheme == "https" and port == 443 and any(host.endswith(suffix) for suffix in self.suffixes):
            return
        raise AddressNotAllowed(
            f"{name} returned a download address on {scheme}://{host}:{port}, which is not its own: not followed",
            advice="If the provider moved its files, ask its support before allowing the host.",
        )


class Downloads:
    """A session that has no credentials, for files alone."""

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
        self._answered: set[str] = set()
        self._session = bare_session()
        self._session.headers["Accept-Encoding"] = "identity"

    @contextmanager
    def open(self, url: str, *, brief: bool = False) -> Generator[ResponseStream]:
        """The response at `url`, after at most five redirects, each checked.

        Args:
            url: the address.
            brief: whether no more than the beginning is read, which is to be there as soon as any small response.

        Raises:
            Astray: the address, or one that it redirects to, is not the provider's.
            Unavailable: nothing answered.
        """
        response = self._follow(url, self._limits.answer_seconds if brief else self._limits.file_seconds)
        try:
            yield ResponseStream.of(response, name=self._name, most=self._limits.file_bytes)
        finally:
            response.close()

    def _follow(self, url: str, seconds: float) -> requests.Response:
        for _ in range(MAX_REDIRECTS + 1):
            self.allowed.check(url, name=self._name)
            try:
                with deadline(seconds):
                    response = self._session.get(url, timeout=self._limits.timeout, allow_redirects=False, stream=True)
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                raise self._unavailable(url, error) from None
            self._answered.add(origin(url)[1])
            if not response.is_redirect:
                return response
            response.close()
            try:
                url = urljoin(url, response.headers["Location"])
            except ValueError:
                raise AddressNotAllowed(
                    f"the file of {self._name} redirects to what is not a URL; it was not followed"
                ) from None
        raise AddressNotAllowed(f"the file of {self._name} redirects more than {MAX_REDIRECTS} times")

    def _unavailable(self, url: str, error: Exception) -> Unavailable:
        # The host alone: the address is signed.
        scheme, host, _ = origin(url)
        reached = host in self._answered or not is_unreached(error, scheme)
        advice = RETRY_LATER if reached else f"Fix: check that this machine can reach {host}."
        unavailable = Unavailable(f"the file of {self._name} at {host} did not answer ({reason(error)})", advice=advice)
        unavailable.max_attempts = None if reached else 1
        return unavailable

    def close(self) -> None:
        """Close the connections."""
        self._session.close()
