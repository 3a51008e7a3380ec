"""The clock of the sandbox: the real time plus an offset, or frozen."""

import threading
from datetime import UTC, datetime, timedelta

NO_ZONE = "the time of the sandbox needs a time zone"


class Clock:
    """The time for all rules of the sandbox, such as expiry. Thread-safe."""

    def __init__(self, at: datetime | None = None, *, frozen: bool = False) -> None:
        self._lock = threading.Lock()
        self._offset = timedelta()
        self._frozen: datetime | None = None
        self._start = (at, frozen)
        self.reset()

    @property
    def frozen(self) -> bool:
        """Whether the clock is frozen."""
        return self._frozen is not None

    def now(self) -> datetime:
        """Return the current sandbox time, timezone-aware, in UTC."""
        with self._lock:
            return self._now()

    def advance(self, seconds: float) -> datetime:
        """Move the clock by `seconds`, which may be negative, and return the new time. A frozen clock stays frozen."""
        with self._lock:
            return self._move(self._now() + timedelta(seconds=seconds))

    def set(self, at: datetime) -> datetime:
        """Set the clock to `at`, which must be timezone-aware. A running clock continues from there.

        Raises:
            ValueError: `at` has no time zone.
        """
        if at.tzinfo is None:
            raise ValueError(NO_ZONE)
        with self._lock:
            return self._move(at.astimezone(UTC))

    def reset(self) -> None:
        """Restore the initial time and state."""
        at, frozen = self._start
        if at is not None and at.tzinfo is None:
            raise ValueError(NO_ZONE)
        with self._lock:
            self._offset, self._frozen = timedelta(), None
            moment = self._now() if at is None else at.astimezone(UTC)
            self._frozen = moment if frozen else None
            self._move(moment)

    def freeze(self) -> None:
        """Freeze the clock at the current time."""
        with self._lock:
            self._frozen = self._now()

    def thaw(self) -> None:
        """Let the clock run again, from its current time."""
        with self._lock:
            at, self._frozen = self._now(), None
            self._move(at)

    def _now(self) -> datetime:
        return self._frozen if self._frozen is not None else datetime.now(UTC) + self._offset

    def _move(self, at: datetime) -> datetime:
        if self._frozen is not None:
            self._frozen = at
        else:
            self._offset = at - datetime.now(UTC)
        return at
