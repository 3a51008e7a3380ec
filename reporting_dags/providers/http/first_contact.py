"""A host that has never answered in this run: most likely its address is wrong, so it is not tried for long.

Once it has answered, its failures are those of a network or of a provider, and are tried again with patience.
"""

from datetime import datetime, timedelta

from reporting_dags.model.clock import Clock
from reporting_dags.providers.http.connection import DEFAULT_PORTS, origin
from reporting_dags.providers.http.errors import RETRY_LATER, Unavailable, by_proxy, may_have_arrived, reason, timed_out

_TRIES = 2
"""Of a call that is refused at once; each timeout is one long try."""
_REMEMBERED = timedelta(seconds=30)
"""How long further calls fail without a try: a run may have dozens of jobs for the same host."""


def is_unreached(error: BaseException, scheme: str) -> bool:
    """Whether no connection came about, or nothing but silence.

    A host that is silent after a TLS handshake has been reached: it has shown its certificate.
    """
    return not may_have_arrived(error) or (timed_out(error) and scheme == "http")


class FirstContact:
    """Whether one API has answered in this run, and what its failures are until then.

    Args:
        name: how messages call the provider.
        base_url: of the API.
        variable: the environment variable of the base URL, which errors name.
        clock: tells the time.

    Raises:
        ValueError: `base_url` is not an http(s) URL.
    """

    def __init__(self, *, name: str, base_url: str, variable: str, clock: Clock) -> None:
        self._scheme, self.host, self._port = origin(base_url)
        self._name = name
        self._variable = variable
        self._clock = clock
        self._has_answered = False
        self._failure: tuple[datetime, Unavailable] | None = None

    def answered(self) -> None:
        """Note that the API has answered."""
        self._has_answered, self._failure = True, None

    def failed(self, error: Unavailable) -> None:
        """Note the end of a call that failed."""
        if error.unreachable:
            self._failure = self._clock.now(), error

    def check(self) -> None:
        """Raise `Unavailable` if a call has just failed to reach the host."""
        if self._failure is not None and self._clock.now() - self._failure[0] < _REMEMBERED:
            error = Unavailable(self._failure[1].message, advice=self._failure[1].advice)
            error.max_attempts, error.exhausted = 1, True
            raise error

    def unavailable(self, error: Exception, *, counted: bool) -> Unavailable:
        """Return what a failed call is raised as; `counted` calls may cost quota."""
        ambiguous = may_have_arrived(error)
        if self._has_answered or not is_unreached(error, self._scheme):
            result = Unavailable(f"{self._name} at {self.host} did not answer ({reason(error)})", advice=RETRY_LATER)
            result.ambiguous = ambiguous
            return result
        port = "" if DEFAULT_PORTS[self._scheme] == self._port else f"port {self._port}: "
        setting = "HTTP_PROXY and HTTPS_PROXY" if by_proxy(error) else f"{self._variable} and this machine's network"
        line = f"{self._name} at {self.host} did not answer ({port}{reason(error)})"
        result = Unavailable(line, advice=f"Fix: check {setting}.")
        result.ambiguous = ambiguous
        result.max_attempts = 1 if counted or timed_out(error) else _TRIES
        # A counted call that may have arrived is looked for by whoever made it.
        result.exhausted = not (ambiguous and counted)
        return result
