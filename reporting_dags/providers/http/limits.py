"""How long a response may take, and how large a file may be."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one provider's answers.

    Attributes:
        connect_seconds: to reach a host.
        silence_seconds: between two bytes of a response.
        answer_seconds: for the whole of a small response, head and body.
        file_seconds: for the whole of a file.
        file_bytes: of a file, unpacked.
    """

    connect_seconds: float = 10.0
    silence_seconds: float = 60.0
    answer_seconds: float = 120.0
    file_seconds: float = 3600.0
    file_bytes: int = 64 << 30

    @property
    def timeout(self) -> tuple[float, float]:
        """As requests takes it."""
        return self.connect_seconds, self.silence_seconds


DEFAULT_LIMITS = Limits()
