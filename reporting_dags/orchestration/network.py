"""`network/daily`: built from the partitions of other assets as they land, rebuilt when one of them is restated."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import dagster as dg

from reporting_dags.jobs.build_retries import FailedBuild, attempt, failed, held_back
from reporting_dags.jobs.combining import Built, Combination, build, due
from reporting_dags.landing.checks import CheckResult
from reporting_dags.model.clock import SystemClock
from reporting_dags.model.days import stretches
from reporting_dags.model.decimals import plain
from reporting_dags.model.errors import DataError, NotReady, ReportingError, StorageError
from reporting_dags.model.report import Report
from reporting_dags.orchestration.assets import daily_partitions
from reporting_dags.orchestration.checks import CURRENCY_KNOWN, SOURCES_LANDED, summaries
from reporting_dags.orchestration.home import TICK_LOCK_SECONDS, OpenHome, ReportingHome
from reporting_dags.orchestration.keys import key_of
from reporting_dags.orchestration.news import REPEATED
from reporting_dags.orchestration.record import column_schema, has_dependants, record_check
from reporting_dags.orchestration.requests import run_request
from reporting_dags.reports.network import CURRENCIES, NETWORK, SOURCES

SUMS_MATCH = "sums_match"
COMBINATION = Combination(report=NETWORK, sources=SOURCES, currencies=CURRENCIES)
_KEY = key_of(NETWORK)
_UNDER_WAY = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
)


def network_asset(start: date) -> dg.AssetsDefinition:
    """The asset; a day is built from whatever sources have landed, so that one that is late holds up no other."""
    partitions = daily_partitions(NETWORK, start)
    deps = [dg.AssetDep(key_of(source.report), partition_mapping=_same_day(source.report)) for source in SOURCES]
    deps += [dg.AssetDep(key_of(CURRENCIES))] if CURRENCIES is not None else []

    @dg.asset(
        key=_KEY,
        description=NETWORK.description,
        group_name=NETWORK.provider,
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=deps,
        check_specs=[
            dg.AssetCheckSpec(
                SOURCES_LANDED,
                asset=_KEY,
                description="Every source has landed the day. A warning only: the others are there.",
                partitions_def=partitions,
            ),
            dg.AssetCheckSpec(
                SUMS_MATCH,
                asset=_KEY,
                description="Each source's money is what it was when it landed, to the last decimal; of Integr8, whose "
                "rejected rows count for nothing, the rows alone are counted.",
                partitions_def=partitions,
                blocking=True,
            ),
            dg.AssetCheckSpec(
                CURRENCY_KNOWN,
                asset=_KEY,
                description="The currency of all money is known. A warning only: the money is there, without one.",
                partitions_def=partitions,
            ),
        ],
        required_resource_keys={"home"},
        io_manager_key="reports",
        output_required=False,
        kinds={"parquet"},
        metadata={
            "dagster/column_schema": column_schema(NETWORK),
            "dagster/table_name": NETWORK.key.replace("/", "."),
            "grain": ", ".join(("date", *NETWORK.grain_names)),
        },
    )
    def daily(context: dg.AssetExecutionContext) -> Iterator[dg.AssetCheckResult | dg.Output[None]]:
        yield from _build(context)

    return daily


def rebuilding(start: date) -> dg.SensorDefinition:
    """Looks every half minute for days whose sources have changed; on from the start, as it asks no provider."""

    @dg.sensor(
        name="network_daily_rebuild",
        target=[_KEY],
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Builds the days of network/daily of which a source has landed or was restated since. A day that "
        "failed is built again when one of its sources lands again, or after a pause that grows up to 23 hours.",
    )
    def rebuild(context: dg.SensorEvaluationContext, home: ReportingHome) -> Iterator[dg.RunRequest | dg.SkipReason]:
        busy = context.instance.get_runs(dg.RunsFilter(statuses=list(_UNDER_WAY)))
        if any(_KEY in (run.asset_selection or ()) for run in busy):
            yield dg.SkipReason("a run is building it")
            return
        try:
            with home.open(context.instance, lock_seconds=TICK_LOCK_SECONDS) as opened:
                days, now = due(COMBINATION, since=start, ledger=opened.ledger), SystemClock().now()
                held = held_back(COMBINATION, days, ledger=opened.ledger, now=now)
                ready = stretches(day for day in days if day not in held)
                attempts = [(stretch, attempt(COMBINATION, stretch.days, ledger=opened.ledger)) for stretch in ready]
        except ReportingError as error:
            yield dg.SkipReason(error.line)
            return
        told = "; ".join(map(str, list(held.values())[:10]))
        if not attempts:
            yield dg.SkipReason(told or "every day was built from its sources as they are")
        elif told:
            context.log.info(told)
        # A run that ended before it noted anything, as when its process is killed, is not the last one.
        hour = now.strftime("%Y-%m-%dT%H")
        for stretch, state in attempts:
            yield run_request(NETWORK, stretch, reason=f"sources:{state}:{hour}")

    return rebuild


def _same_day(report: Report[Any]) -> dg.PartitionMapping:
    """The source's partition of the same name; Dagster maps days of different zones by name alone."""
    if report.calendar.timezone == NETWORK.calendar.timezone:
        return dg.TimeWindowPartitionMapping(allow_nonexistent_upstream_partitions=True)
    return dg.IdentityPartitionMapping()


def _build(context: dg.AssetExecutionContext) -> Iterator[dg.AssetCheckResult | dg.Output[None]]:
    home: ReportingHome = context.resources.home
    landed: list[dg.AssetMaterialization] = []
    checks: dict[date, tuple[CheckResult, ...]] = {}
    failures: list[FailedBuild] = []
    days = [date.fromisoformat(key) for key in context.partition_keys]
    try:
        with home.open(context.instance) as opened:
            for place, day in enumerate(days):
                try:
                    materialization, checks[day] = _build_day(context, day, opened)
                    landed.append(materialization)
                except (NotReady, DataError) as error:
                    failures.append(failed(COMBINATION, day, error, ledger=opened.ledger, now=SystemClock().now()))
                    if isinstance(error, DataError):
                        checks[day] = (CheckResult(name=SUMS_MATCH, passed=False, detail=error.message),)
                        record_check(context, NETWORK, day, checks[day][0])
                except StorageError as error:
                    # What refuses one day refuses those after it: each would wait for it, and start a run of its own.
                    now, left = SystemClock().now(), days[place:]
                    failures += [failed(COMBINATION, one, error, ledger=opened.ledger, now=now) for one in left]
                    break
    except ReportingError as error:
        raise dg.Failure(f"{NETWORK.key} {error.outcome}: {error.line}", allow_retries=False) from None
    yield from summaries(NETWORK, checks)
    if failures:
        raise _failure(failures)
    if has_dependants(context):
        # As of a report: the output counts as a bare materialization of every day, so each day's own comes again.
        yield dg.Output(None)
        for materialization in landed:
            context.log_event(materialization)


def _failure(failures: Sequence[FailedBuild]) -> dg.Failure:
    """The end of a run, days of one cause together; no alert tells of one in which nothing is new."""
    causes: dict[str, list[date]] = {}
    for failure in failures:
        causes.setdefault(failure.line, []).append(failure.day)
    told = [f"{', '.join(map(str, stretches(days)))} {line}" for line, days in causes.items()]
    repeated = not any(failure.is_new for failure in failures)
    return dg.Failure(f"{NETWORK.key} {'; '.join(told[:10])}", metadata={REPEATED: repeated}, allow_retries=False)


def _build_day(
    context: dg.AssetExecutionContext, day: date, opened: OpenHome
) -> tuple[dg.AssetMaterialization, tuple[CheckResult, ...]]:
    built = build(COMBINATION, day, ledger=opened.ledger, data=opened.data, clock=SystemClock())
    missing = [source.report.key for source in SOURCES if source.report.key not in built.versions]
    checks = (
        CheckResult(
            name=SOURCES_LANDED,
            passed=not missing,
            detail=f"missing: {', '.join(missing)}" if missing else f"all {len(SOURCES)} sources",
            facts={"sources": len(built.versions), "missing": ", ".join(missing)},
        ),
        CheckResult(name=SUMS_MATCH, passed=True, detail="as the sources landed it", facts={"rows": built.rows}),
        _currency_known(built),
    )
    materialization = _materialization(built, missing, opened)
    context.log_event(materialization)
    for check in checks:
        record_check(context, NETWORK, day, check)
    return materialization, checks


def _currency_known(built: Built) -> CheckResult:
    """Whether the day has no money without a currency; names the entities and their money where it has."""
    unknown = built.no_currency
    if not unknown:
        return CheckResult(name=CURRENCY_KNOWN, passed=True, detail="the currency of all money is known")
    told = [
        f"{entity or 'without an id'} ({', '.join(f'{figure} {plain(amount)}' for figure, amount in sums.items())})"
        for entity, sums in unknown.items()
    ]
    more = f" and {len(told) - 10} more" if len(told) > 10 else ""
    nouns = "entity" if len(told) == 1 else "entities"
    source = CURRENCIES.key if CURRENCIES is not None else "a list of the entities"
    return CheckResult(
        name=CURRENCY_KNOWN,
        passed=False,
        detail=f"no currency was ever known of {len(told)} {nouns}: {', '.join(told[:10])}{more}. "
        f"Fix: materialize {source}; the day is rebuilt as soon as that names them",
        facts={"entities": len(told)},
    )


def _materialization(built: Built, missing: list[str], opened: OpenHome) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(
        asset_key=_KEY,
        partition=built.day.isoformat(),
        description=f"{built.rows} rows of {len(built.versions)} sources",
        metadata={
            "dagster/partition_row_count": built.rows,
            "dagster/uri": f"{opened.data.url}/{NETWORK.file(built.day)}",
            "sources": ", ".join(built.versions),
            "missing_sources": ", ".join(missing) or "none",
            **{f"version of {key}": version for key, version in built.versions.items()},
        },
        tags={"dagster/data_version": built.fingerprint},
    )
