"""What can go wrong, in the words in which a user reads it.

Every error that may end a day carries three things: the outcome that the day ends in, one line on what happened, and
one line on what to do. They are raised where the fact is known and never hold a secret: a message is built from names,
dates, codes and hosts, not from requests or addresses.
"""

import re
from datetime import datetime
from typing import Self

from reporting_dags.model.outcome import Outcome

_BREAK = re.compile(r" *[^\S ]\s*")


def _one_line(text: str) -> str:
    """`text` without line breaks and tabs. Blanks stay as they are: they may be those of a quoted value."""
    return _BREAK.sub(" ", text).strip()


class ReportingError(Exception):
    """An error with an outcome for the day that met it.

    Args:
        message: what happened, one line.
        advice: what the user can do about it, one line; may be empty.
        request_id: the provider's id of the request, for its support desk, where there is one.
        retry_at: when a retry is known to be right, such as the renewal of a quota; None where that is not known.

    Attributes:
        shard: which file of a response is at fault, counted from 0; None where that is not known.
    """

    outcome: Outcome = Outcome.FAILED

    def __init__(
        self, message: str, *, advice: str = "", request_id: str = "", retry_at: datetime | None = None
    ) -> None:
        self.message = _one_line(message)
        self.advice = _one_line(advice)
        self.request_id = request_id
        self.retry_at = retry_at
        self.shard: int | None = None
        super().__init__(self.line)

    def about(self, subject: str) -> Self:
        """The same error, saying what it is about."""
        return type(self)(
            f"{subject}: {self.message}", advice=self.advice, request_id=self.request_id, retry_at=self.retry_at
        )

    @property
    def line(self) -> str:
        """The whole error as one line: what happened, the provider's request id, what to do."""
        line = self.message
        if self.request_id:
            line += f" (request {self.request_id})"
        if self.advice:
            # Words of a provider may end in a stop of their own.
            line = f"{line.removesuffix('.')}. {self.advice}"
        return line


class DeclarationError(ReportingError):
    """A report is declared wrongly; names the file, the report and the field. Raised while definitions load."""


class SettingError(ReportingError):
    """A setting is missing or malformed; names the variable."""

    outcome = Outcome.DENIED


class NotReady(ReportingError):
    """The provider does not have the day yet; asking later is right."""

    outcome = Outcome.NOT_READY


class Deferred(NotReady):
    """The provider is at work on the day, and what was requested stays open; the run that asked has not waited."""


class Partial(ReportingError):
    """What arrived is not the whole response, and can be shown not to be."""

    outcome = Outcome.PARTIAL


class Truncated(ReportingError):
    """The provider itself says that it cut the response."""

    outcome = Outcome.TRUNCATED


class Expired(ReportingError):
    """The job, its download address or the day itself is past the provider's reach."""

    outcome = Outcome.EXPIRED


class Denied(ReportingError):
    """Credentials, permissions or quota: nothing changes until a person or the clock changes it."""

    outcome = Outcome.DENIED


class Failed(ReportingError):
    """The provider refused or garbled the request or the response."""

    outcome = Outcome.FAILED


class DataError(ReportingError):
    """The response arrived whole but is not what the report declares: a column, a value, a day, a grain."""

    outcome = Outcome.FAILED


class ReplacementRefused(ReportingError):
    """The stored partition stays: the response that was to replace it is older, or does not cover what it covers."""


class StorageError(ReportingError):
    """A data root, raw store or ledger cannot be read or written."""


class LeaseLost(ReportingError):
    """Another run has taken this job over; what this one holds must not be written."""
