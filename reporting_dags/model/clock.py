"""The clock of the project, as a parameter: tests and simulations pass a clock of their own."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """The time functions that the project uses."""

    def now(self) -> datetime:
        """Return the current time, timezone-aware, in UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds` seconds of this clock."""
        ...


class SystemClock:
    """The system time."""

    def now(self) -> datetime:
        """Return the current time, timezone-aware, in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Sleep for `seconds` seconds; return at once if `seconds` is 0 or negative."""
        if seconds > 0:
            time.sleep(seconds)
