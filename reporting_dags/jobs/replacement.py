"""Which stored partitions an answer may replace: those of the same account of which it covers all.

A setting or a declaration that requests less than before must not erase what has landed. What the ledger notes of a
day, or what its file says of itself where another home has landed it, is compared with what is requested now.
"""

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from reporting_dags.jobs.bench import Bench
from reporting_dags.jobs.job import LandedFacts
from reporting_dags.landing.origin import Origin, read_origin
from reporting_dags.model.errors import ReplacementRefused
from reporting_dags.model.report import Report
from reporting_dags.model.scope import Scope


def refused_replacements(
    bench: Bench, report: Report[Any], days: Collection[date], scope: Scope
) -> dict[date, ReplacementRefused]:
    """The days of `days` whose stored partition may not be replaced by an answer of `scope`, each with the reason.

    Raises:
        StorageError: the data root or the ledger cannot be read.
    """
    if bench.allow_data_loss:
        return {}
    sizes, landed = bench.data.sizes(report.key), bench.ledger.days(report.key)
    found: dict[date, ReplacementRefused] = {}
    for day in days:
        origin = stored_origin(bench, report, landed.get(day), sizes, day)
        error = refusal(bench, origin, scope) if origin is not None else None
        if error is not None:
            found[day] = error
    return found


def stored_origin(
    bench: Bench, report: Report[Any], facts: LandedFacts | None, sizes: Mapping[str, int], day: date
) -> Origin | None:
    """What is known of the stored partition of `day`; None where there is none, or nothing is known of it.

    Args:
        bench: with the ledger and the data root.
        report: whose day it is.
        facts: what the ledger has of the day.
        sizes: bytes of the files of the report.
        day: the partition.
    """
    key = report.file(day)
    if key not in sizes:
        return None
    if facts is None or facts.size != sizes[key]:
        return read_origin(bench.data, key)
    return Origin(account=facts.account, scope=facts.scope)


def refusal(bench: Bench, stored: Origin, scope: Scope) -> ReplacementRefused | None:
    """Why an answer of `scope` may not replace what is `stored`; None if it may."""
    accounts = bench.ledger.accounts
    if stored.account and accounts.of(stored.account) != bench.account:
        return ReplacementRefused(
            f"the stored partition is of another account ({accounts.of(stored.account)}) than the credentials that are "
            f"set now ({bench.account}); it stays",
            advice="Fix: set the credentials of that account, or a REPORTING_DATA_URL and DAGSTER_HOME for this one. "
            "For new keys of the same account see 'New keys' in README.md.",
        )
    lost = stored.scope.lost_in(scope) if stored.scope is not None else ""
    if lost:
        return ReplacementRefused(
            f"the stored partition covers more than is requested now ({lost}); it stays",
            advice="Fix: request that again, or declare the narrower report under a name of its own.",
        )
    return None
