"""Which stored partitions a response may replace: those of the same account of which it covers all.

A setting or a declaration that requests less than before must not erase what has landed. What the ledger notes of a
day, or what its file says of itself where another home has landed it, is compared with what is requested now.
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
    """The days of `days` whose stored partition may not be replaced by a `new` answer, each with the reason.

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
    """What is known of the stored partition of `day`; None where there is none, or nothing is known of it.

    Args:
        context: with the ledger and the data root.
        report: whose day it is.
        facts: what the ledger has of the day.
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
    """Why a `new` answer may not replace what is `stored`; None if it may."""
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
