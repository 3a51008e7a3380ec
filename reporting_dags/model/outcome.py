"""The outcomes of the pull of a day."""

from enum import StrEnum


class Outcome(StrEnum):
    """The outcome of one day of one report. Two outcomes publish a partition; the others keep the stored one."""

    DATA = "data"
    EMPTY = "confirmed empty"
    NOT_READY = "not ready"
    PARTIAL = "partial"
    TRUNCATED = "truncated"
    EXPIRED = "expired"
    DENIED = "denied"
    FAILED = "failed"

    @property
    def publishes(self) -> bool:
        """Whether a partition is written."""
        return self in {Outcome.DATA, Outcome.EMPTY}
