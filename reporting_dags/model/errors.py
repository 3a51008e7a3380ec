"""Errors, with messages for the user.

Every error that can end the pull of a day has three parts: the outcome of the day, one line that says what happened,
and one line that says what to do. An error never holds a secret: its message is made of names, dates, codes and hosts,
not of requests or URLs.
"""

import re
from datetime import datetime
from typing import Self

from reporting_dags.model.outcome import Outcome

_BREAK = re.compile(r" *[^\S ]\s*")


def _one_line(text: str) -> str:
    """Return `text` without line breaks and tabs. Spaces stay as they are: they may belong to a quoted value."""
    return _BREAK.sub(" ", text).strip()


class ReportingError(Exception):
    """An error with the outcome of the day that it ends.

    Args:
        message: what happened, one line.
        advice: what the user can do, one line; may be empty.
        request_id: the provider's id of the request, for its support; empty if there is none.
        retry_at: the earliest time at which a retry can succeed, such as the renewal of a quota; None if unknown.

    Attributes:
        shard: index of the file of the response that caused the error, from 0; None if unknown.
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

    def with_subject(self, subject: str) -> Self:
        """Return a copy of the error whose message begins with `subject`."""
        return type(self)(
            f"{subject}: {self.message}", advice=self.advice, request_id=self.request_id, retry_at=self.retry_at
        )

    @property
    def line(self) -> str:
        """The complete error in one line: what happened, the provider's request id, what to do."""
        line = self.message
        if self.request_id:
            line += f" (request {self.request_id})"
        if self.advice:
            # A message of the provider may end with a period.
            line = f"{line.removesuffix('.')}. {self.advice}"
        return line


class DeclarationError(ReportingError):
    """A declaration is invalid; names the file, the report and the field. Raised while definitions load."""


class SettingError(ReportingError):
    """A setting is missing or invalid; names the variable."""

    outcome = Outcome.DENIED


class NotReady(ReportingError):
    """The provider does not have the day yet; a later run retries."""

    outcome = Outcome.NOT_READY


class Deferred(NotReady):
    """The provider is still processing the job, and the run does not wait; the job stays open for a later run."""


class Partial(ReportingError):
    """The response is provably incomplete."""

    outcome = Outcome.PARTIAL


class Truncated(ReportingError):
    """The provider reports that it truncated the response."""

    outcome = Outcome.TRUNCATED


class Expired(ReportingError):
    """The job, its download URL or the day itself has expired at the provider."""

    outcome = Outcome.EXPIRED


class Denied(ReportingError):
    """Credentials, permissions or a quota forbid the request: an immediate retry does not help."""

    outcome = Outcome.DENIED


class Failed(ReportingError):
    """The provider refused the request, or its response cannot be used."""

    outcome = Outcome.FAILED


class DataError(ReportingError):
    """The response is complete but does not match the declaration: its columns, values, days or grain."""

    outcome = Outcome.FAILED


class ReplacementRefused(ReportingError):
    """The stored partition is kept: the new response is older than the stored one, or covers less."""


class StorageError(ReportingError):
    """A data root, raw store or ledger cannot be read or written."""


class LeaseLost(ReportingError):
    """Another run has taken over the lease; this run must not write anything."""
