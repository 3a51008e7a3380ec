"""Limits on the duration and the size of responses."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits on one provider's responses.

    Attributes:
        connect_seconds: maximum time to connect to a host.
        silence_seconds: maximum time between two bytes of a response.
        response_seconds: maximum time for a complete short response, headers and body.
        file_seconds: maximum time for a complete file.
        file_bytes: maximum size of a file after decompression.
    """

    connect_seconds: float = 10.0
    silence_seconds: float = 60.0
    response_seconds: float = 120.0
    file_seconds: float = 3600.0
    file_bytes: int = 64 << 30

    @property
    def requests_timeout(self) -> tuple[float, float]:
        """The `timeout` argument of requests: connect timeout and read timeout."""
        return self.connect_seconds, self.silence_seconds


DEFAULT_LIMITS = Limits()
