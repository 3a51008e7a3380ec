"""How a day can end."""

from enum import StrEnum


class Outcome(StrEnum):
    """The end of one day of one report. Only two of them publish a partition; the others leave what was there."""

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
        """Whether a partition with this outcome is written."""
        return self in {Outcome.DATA, Outcome.EMPTY}
