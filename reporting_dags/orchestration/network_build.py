"""A run of `network/daily`: build days from the partitions of other assets, or evaluate stored ones."""

import functools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

import dagster as dg

from reporting_dags.jobs.building.build import BuiltDay, CombinedReport, build, stored_build
from reporting_dags.jobs.building.retries import FailedBuild, record_failed_build
from reporting_dags.jobs.planning.report_health import NEEDS_ACTION
from reporting_dags.landing.checks.partition import CheckResult
from reporting_dags.landing.compute.group_sums import sum_by_group
from reporting_dags.landing.reading.partitions import DATE, read_days
from reporting_dags.model.clock import SystemClock
from reporting_dags.model.days import Calendar, Window, ranges
from reporting_dags.model.decimals import plain
from reporting_dags.model.errors import DataError, NotReady, ReportingError, StorageError
from reporting_dags.orchestration.asset_checks import CURRENCY_KNOWN, SOURCES_LANDED
from reporting_dags.orchestration.charts import line_chart
from reporting_dags.orchestration.evaluate_checks import evaluate_stored, not_evaluated
from reporting_dags.orchestration.event_log import has_dependants, record_checks
from reporting_dags.orchestration.failures import REPEATED_FAILURE, failure, record_failure
from reporting_dags.orchestration.keys import key_of
from reporting_dags.orchestration.partitions import combined_calendar
from reporting_dags.orchestration.storage import OpenStorage, StorageResource
from reporting_dags.reports.network import CURRENCIES, NETWORK, SOURCES

SUMS_MATCH = "sums_match"
_SHOWN_DAYS = 30
"""How many days the picture of the asset's page shows."""
NETWORK_DAILY = CombinedReport(report=NETWORK, sources=SOURCES, currencies=CURRENCIES)


@dataclass(frozen=True, kw_only=True)
class NetworkDays:
    """The days of network/daily.

    Attributes:
        first: the first partition.
        sources: the sources that are expected to land, by report key, each with its own first partition.
    """

    first: date
    sources: Mapping[str, date]

    @property
    def calendar(self) -> Calendar:
        """The calendar of the days: a day can be built as soon as the first of its sources is published."""
        return combined_calendar(source.report.calendar for source in SOURCES if source.report.key in self.sources)

    def expected(self, day: date, now: datetime) -> list[str]:
        """Return the keys of the sources that have published `day`."""
        return [
            source.report.key
            for source in SOURCES
            if source.report.key in self.sources
            and self.sources[source.report.key] <= day <= source.report.calendar.latest_available(now)
        ]


def network_days(firsts: Mapping[str, date], start: date, connected: Collection[str]) -> NetworkDays:
    """Return the days of network/daily.

    Args:
        firsts: the first partition of each report, by its key.
        start: the first day by the settings.
        connected: the providers that have credentials; if none has, all sources are expected.
    """
    keys = [source.report.key for source in SOURCES]
    expected = [source.report.key for source in SOURCES if source.report.provider in connected] or keys
    sources = {key: firsts[key] for key in expected}
    return NetworkDays(first=min(sources.values(), default=start), sources=sources)


def build_days(context: dg.AssetExecutionContext, network: NetworkDays) -> Iterator[dg.Output[None]]:
    """Build the partitions of the run; each is recorded as it ends.

    Raises:
        dg.Failure: a day failed; one line says why, and the fix.
    """
    home: StorageResource = context.resources.home
    landed: dict[date, tuple[dg.AssetMaterialization, Sequence[CheckResult]]] = {}
    failures: list[FailedBuild] = []
    days = [date.fromisoformat(key) for key in context.partition_keys]
    try:
        with home.open(context.instance) as opened:
            for place, day in enumerate(days):
                try:
                    landed[day] = _build_day(context, day, opened, network)
                except (NotReady, DataError) as error:
                    failures.append(
                        record_failed_build(NETWORK_DAILY, day, error, ledger=opened.ledger, now=SystemClock().now())
                    )
                    if isinstance(error, DataError):
                        check = CheckResult(name=SUMS_MATCH, passed=False, detail=error.message)
                        record_checks(context, NETWORK, day, [check])
                except StorageError as error:
                    # What refuses one day refuses those after it: each would wait for it, and start a run of its own.
                    now, left = SystemClock().now(), days[place:]
                    failures += [
                        record_failed_build(NETWORK_DAILY, item, error, ledger=opened.ledger, now=now) for item in left
                    ]
                    break
    except ReportingError as error:
        raise failure(NETWORK, f"{NETWORK.key} {error.outcome}: {error.line}", dict.fromkeys(days, error)) from None
    for item in failures:
        record_failure(context, NETWORK, item.day, item.error, item.next_attempt)
    if failures:
        raise _failure(failures)
    if has_dependants(context):
        # As of a report: the output counts as a bare materialization of every day, so each day's own comes again.
        yield dg.Output(None, output_name=context.op_execution_context.op_def.output_defs[0].name)
        for day, (materialization, checks) in landed.items():
            context.log_event(materialization)
            record_checks(context, NETWORK, day, checks)


def evaluate_days(context: dg.AssetExecutionContext, network: NetworkDays) -> Iterator[dg.AssetCheckResult]:
    """Evaluate the selected checks on the stored partitions of the run, or on all of them if the run names none.

    Raises:
        dg.Failure: stored partitions are damaged; one line names them and the fix.
    """
    checks_of = functools.partial(_stored_checks, network)
    yield from evaluate_stored(context, NETWORK, network.first, checks_of, built=True)


def _stored_checks(network: NetworkDays, day: date, opened: OpenStorage) -> Iterator[CheckResult]:
    result = stored_build(NETWORK_DAILY, day, ledger=opened.ledger, data=opened.data)
    yield CheckResult(
        name=SUMS_MATCH,
        passed=not result.wrong,
        detail="; ".join(result.wrong) or "as the sources landed it",
        facts={"rows": result.rows},
    )
    if result.readable:
        yield _sources_landed(day, result.sources, network)
        yield _currency_known(result.no_currency)
    else:
        yield from map(not_evaluated, (SOURCES_LANDED, CURRENCY_KNOWN))


def _failure(failures: Sequence[FailedBuild]) -> dg.Failure:
    """Return the failure of a run, with the days grouped by cause; it sends no alert if nothing in it is new."""
    causes: dict[str, list[date]] = {}
    for item in failures:
        causes.setdefault(item.line, []).append(item.day)
    texts = [f"{ranges(days)} {line}" for line, days in causes.items()]
    ended = failure(NETWORK, f"{NETWORK.key} {'; '.join(texts[:10])}", {item.day: item.error for item in failures})
    repeated = not any(item.is_new for item in failures)
    return dg.Failure(ended.description, metadata={**ended.metadata, REPEATED_FAILURE: repeated}, allow_retries=False)


def _build_day(
    context: dg.AssetExecutionContext, day: date, opened: OpenStorage, network: NetworkDays
) -> tuple[dg.AssetMaterialization, tuple[CheckResult, ...]]:
    built = build(NETWORK_DAILY, day, ledger=opened.ledger, data=opened.data, clock=SystemClock())
    checks = (
        _sources_landed(day, built.versions, network),
        CheckResult(name=SUMS_MATCH, passed=True, detail="as the sources landed it", facts={"rows": built.rows}),
        _currency_known(built.no_currency),
    )
    materialization = _materialization(built, opened)
    newest = max(opened.ledger.materializations.days(NETWORK.key))
    if day == newest:
        # Of the latest day alone: it is what the asset's page shows.
        picture = _picture(opened, newest)
        materialization = materialization.with_metadata({**materialization.metadata, "money": picture})
    context.log_event(materialization)
    record_checks(context, NETWORK, day, checks)
    return materialization, checks


def _sources_landed(day: date, landed: Collection[str], network: NetworkDays) -> CheckResult:
    """Check that every expected source has landed the day. It sends no alert: the checks of the source do."""
    expected = network.expected(day, SystemClock().now())
    missing = [key for key in expected if key not in landed]
    return CheckResult(
        name=SOURCES_LANDED,
        passed=not missing,
        detail=f"missing: {', '.join(missing)}" if missing else f"{len(landed)} sources; none is missing",
        facts={"sources": len(landed), "missing": ", ".join(missing), **({NEEDS_ACTION: False} if missing else {})},
    )


def _currency_known(unknown: Mapping[str, Mapping[str, Decimal]]) -> CheckResult:
    """Check that no money of the day lacks a currency; name the entities and their money if some does."""
    if not unknown:
        return CheckResult(name=CURRENCY_KNOWN, passed=True, detail="the currency of all money is known")
    entities = [
        f"{entity or 'without an id'} ({', '.join(f'{figure} {plain(amount)}' for figure, amount in sums.items())})"
        for entity, sums in unknown.items()
    ]
    more = f" and {len(entities) - 10} more" if len(entities) > 10 else ""
    nouns = "entity" if len(entities) == 1 else "entities"
    source = CURRENCIES.key if CURRENCIES is not None else "a list of the entities"
    return CheckResult(
        name=CURRENCY_KNOWN,
        passed=False,
        detail=f"no currency was ever known of {len(entities)} {nouns}: {', '.join(entities[:10])}{more}. "
        f"Fix: materialize {source}; the day is rebuilt as soon as that names them",
        facts={"entities": len(entities)},
    )


def _picture(opened: OpenStorage, newest: date) -> dg.MarkdownMetadataValue:
    """Return a chart of the money of the last days by network."""
    days = Window(newest - timedelta(days=_SHOWN_DAYS - 1), newest).days
    table = read_days(opened.data, NETWORK, days, allow_missing=True)
    lines: dict[str, dict[int | date, float]] = {}
    for figure in ("earnings", "spend"):
        for row in sum_by_group(table, [DATE, "network", "currency"], [figure]).to_pylist():
            if row[figure]:
                name = f"{row['network']}, {figure} in {row['currency'] or 'unknown currency'}"
                lines.setdefault(name, {})[row[DATE]] = float(row[figure])
    return line_chart(lines, title="Money by day and network", x="day", y="amount, in each currency")


def _materialization(built: BuiltDay, opened: OpenStorage) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(
        asset_key=key_of(NETWORK),
        partition=built.day.isoformat(),
        description=f"{built.rows} rows of {len(built.versions)} sources",
        metadata={
            "dagster/partition_row_count": built.rows,
            "dagster/uri": f"{opened.data.url}/{NETWORK.file(built.day)}",
            "sources": ", ".join(built.versions),
            **{f"version of {key}": version for key, version in built.versions.items()},
        },
        tags={"dagster/data_version": built.data_version},
    )
