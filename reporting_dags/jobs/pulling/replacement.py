"""Which stored partitions a response may replace: those of the same account that it covers completely.

A setting or declaration that requests less than before must not erase landed data. The ledger's record of a day, or the
metadata of its file if another instance landed it, is compared with what is requested now.
"""

from collections.abc import Collection, Mapping
from datetime import date

from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.jobs.records import MaterializationRecord
from reporting_dags.landing.storage.origin import Origin, read_origin
from reporting_dags.model.errors import ReplacementRefused
from reporting_dags.model.report import Report


def refused_replacements(
    context: PullContext, report: Report, days: Collection[date], new: Origin
) -> dict[date, ReplacementRefused]:
    """Return the days whose stored partition a `new` response must not replace, each with the reason.

    Raises:
        StorageError: the data root or the ledger cannot be read.
    """
    if context.allow_data_loss:
        return {}
    sizes, landed = context.data.sizes(report.key), context.ledger.materializations.days(report.key)
    results: dict[date, ReplacementRefused] = {}
    for day in days:
        origin = stored_origin(context, report, landed.get(day), sizes, day)
        error = refusal(context, origin, new) if origin is not None else None
        if error is not None:
            results[day] = error
    return results


def stored_origin(
    context: PullContext, report: Report, facts: MaterializationRecord | None, sizes: Mapping[str, int], day: date
) -> Origin | None:
    """Return account and scope of the stored partition of `day`; None if there is none, or they are unknown.

    Args:
        context: the context, with ledger and data root.
        report: the report.
        facts: the ledger's record of the day.
        sizes: bytes of the files of the report.
        day: the partition.
    """
    key = report.file(day)
    if key not in sizes:
        return None
    if facts is None or facts.size != sizes[key]:
        return read_origin(context.data, key)
    return Origin(account=facts.account, scope=facts.scope)


def refusal(context: PullContext, stored: Origin, new: Origin) -> ReplacementRefused | None:
    """Return why a `new` response must not replace the `stored` partition; None if it may."""
    other, ours = (context.ledger.accounts.of(account) for account in (stored.account, new.account))
    if other and other != ours:
        return ReplacementRefused(
            f"the stored partition is of another account ({other}) than the credentials that are set now ({ours}); "
            "it stays",
            advice="Fix: set the credentials of that account, or a REPORTING_DATA_URL and DAGSTER_HOME for this one. "
            "For new keys of the same account see 'New keys' in README.md.",
        )
    lost = stored.scope.lost_in(new.scope) if stored.scope is not None and new.scope is not None else ""
    if lost:
        return ReplacementRefused(
            f"the stored partition covers more than is requested now ({lost}); it stays",
            advice="Fix: request that again, or declare the narrower report under a name of its own.",
        )
    return None
