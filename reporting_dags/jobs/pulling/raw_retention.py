"""Retention of raw responses."""

from datetime import timedelta

from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.model.errors import SettingError
from reporting_dags.model.report import Report

DEFAULT_DAYS = 90
# An interrupted landing continues from its raw response for one day.
_LEAST_DAYS = 2
_MOST_DAYS = 36500


def raw_retention(text: str, variable: str) -> timedelta | None:
    """Return the retention that a setting names, a number of days; None for `forever`.

    Raises:
        SettingError: it is neither, or too short; names `variable`.
    """
    if text.lower() == "forever":
        return None
    days = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(_MOST_DAYS)) else 0
    if not _LEAST_DAYS <= days <= _MOST_DAYS:
        raise SettingError(
            f"{variable} is {text!r}", advice=f"Give a number of days from {_LEAST_DAYS} to {_MOST_DAYS}, or forever."
        )
    return timedelta(days=days)


def delete_expired_raw(context: PullContext, report: Report, keep: timedelta | None) -> int:
    """Remove the raw responses of `report` that are older than `keep`; return how many.

    Raises:
        StorageError: the raw store refuses.
    """
    if keep is None:
        return 0
    removed = context.raw.remove_older(report.key, context.clock.now() - context.provider.clock_skew - keep)
    if removed:
        context.log(f"{report.key}: {removed} raw responses older than {keep.days} days are removed")
    return removed
