"""Time that passes faster than the real one, the same in all processes that are told when it began."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class FastClock:
    """A clock that shows `began` at that moment, and from then on `speed` seconds a second."""

    began: datetime
    speed: float

    def now(self, _zone: object = None) -> datetime:
        """The moment; a function with the signature of `datetime.now`."""
        return self.began + (datetime.now(UTC) - self.began) * self.speed

    def sleep(self, seconds: float) -> None:
        """Wait until `seconds` have passed by this clock."""
        time.sleep(max(0.0, seconds) / self.speed)
