"""Errors of a host that has not yet responded in this run.

Most likely its URL is wrong, so few attempts are made. After the first response, errors are treated as transient and
retried as usual.
"""

from datetime import datetime, timedelta

from reporting_dags.model.clock import Clock
from reporting_dags.providers.http.connection import DEFAULT_PORTS, origin
from reporting_dags.providers.http.errors import (
    RETRY_LATER,
    Unavailable,
    error_reason,
    is_proxy_error,
    is_timeout,
    may_have_arrived,
)

_MAX_ATTEMPTS = 2
"""Maximum number of attempts of a call that is refused at once. A call that times out gets one attempt."""
_FAILURE_LIFETIME = timedelta(seconds=30)
"""How long further calls fail without an attempt: a run may have dozens of jobs for the same host."""


def is_unreachable(error: BaseException, scheme: str) -> bool:
    """Return whether there was no connection, or a plain HTTP connection on which nothing was received.

    A host that sends nothing after a TLS handshake has been reached: it has sent its certificate.
    """
    return not may_have_arrived(error) or (is_timeout(error) and scheme == "http")


class FirstContact:
    """Records whether one API has responded in this run, and creates the errors of failed calls accordingly.

    Args:
        name: name of the provider in messages.
        base_url: base URL of the API.
        variable: the environment variable that sets the base URL, for error messages.
        clock: provides the current time.

    Raises:
        ValueError: `base_url` is not an http(s) URL.
    """

    def __init__(self, *, name: str, base_url: str, variable: str, clock: Clock) -> None:
        self._scheme, self.host, self._port = origin(base_url)
        self._name = name
        self._variable = variable
        self._clock = clock
        self._has_responded = False
        self._failure: tuple[datetime, Unavailable] | None = None

    def record_response(self) -> None:
        """Record that the API has responded."""
        self._has_responded, self._failure = True, None

    def record_failure(self, error: Unavailable) -> None:
        """Record the error of a failed call."""
        if error.unreachable:
            self._failure = self._clock.now(), error

    def check(self) -> None:
        """Raise `Unavailable` if a call failed to reach the host within the last 30 seconds."""
        if self._failure is not None and self._clock.now() - self._failure[0] < _FAILURE_LIFETIME:
            error = Unavailable(self._failure[1].message, advice=self._failure[1].advice)
            error.max_attempts, error.exhausted = 1, True
            raise error

    def to_unavailable(self, error: Exception, *, counted: bool) -> Unavailable:
        """Return the `Unavailable` error for the transport error of a call; `counted` calls may cost quota."""
        ambiguous = may_have_arrived(error)
        if self._has_responded or not is_unreachable(error, self._scheme):
            result = Unavailable(
                f"{self._name} at {self.host} did not respond ({error_reason(error)})", advice=RETRY_LATER
            )
            result.ambiguous = ambiguous
            return result
        port = "" if DEFAULT_PORTS[self._scheme] == self._port else f"port {self._port}: "
        setting = (
            "HTTP_PROXY and HTTPS_PROXY" if is_proxy_error(error) else f"{self._variable} and this machine's network"
        )
        line = f"{self._name} at {self.host} did not respond ({port}{error_reason(error)})"
        result = Unavailable(line, advice=f"Fix: check {setting}.")
        result.ambiguous = ambiguous
        result.max_attempts = 1 if counted or is_timeout(error) else _MAX_ATTEMPTS
        # The caller of a counted call that may have arrived looks for its job.
        result.exhausted = not (ambiguous and counted)
        return result
