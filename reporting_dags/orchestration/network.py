"""`network/daily`: built from the partitions of other assets as they land, rebuilt when one of them is restated."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reporting_dags.landing.checks import CheckResult
from reporting_dags.landing.combine import Source, summed
from reporting_dags.landing.hashing import fingerprint
from reporting_dags.landing.workspace import workspace
from reporting_dags.model.errors import DataError, NotReady, ReportingError, StorageError
from reporting_dags.model.report import Report
from reporting_dags.orchestration.assets import daily_partitions
from reporting_dags.orchestration.checks import SOURCES_LANDED, summaries
from reporting_dags.orchestration.home import OpenHome, ReportingHome
from reporting_dags.orchestration.record import column_schema, record_check
from reporting_dags.reports.network import CURRENCIES, NETWORK, SOURCES

SUMS_MATCH = "sums_match"
_KEY = dg.AssetKey([NETWORK.provider, NETWORK.name])
_TRIES = 5


def network_asset(start: date) -> dg.AssetsDefinition:
    """The asset; a day is built from whatever sources have landed, so that one that is late holds up no other."""
    partitions = daily_partitions(NETWORK, start)
    same_day = dg.TimeWindowPartitionMapping(allow_nonexistent_upstream_partitions=True)
    offers = _key(CURRENCIES[0])
    deps = [dg.AssetDep(_key(source.report), partition_mapping=same_day) for source in SOURCES]
    updated = dg.AutomationCondition.any_deps_updated().ignore(dg.AssetSelection.assets(offers))

    @dg.asset(
        key=_KEY,
        description=NETWORK.description,
        group_name=NETWORK.provider,
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[*deps, dg.AssetDep(offers)],
        automation_condition=updated.since_last_handled() & ~dg.AutomationCondition.in_progress(),
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
                description="Money and counts of the day are those of its sources, to the last decimal.",
                partitions_def=partitions,
                blocking=True,
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
    def daily(context: dg.AssetExecutionContext) -> Iterator[dg.AssetCheckResult]:
        yield from _build(context)

    return daily


def rebuilding() -> dg.AutomationConditionSensorDefinition:
    """Looks every half minute whether a source has landed; on from the start, since it asks no provider anything."""
    return dg.AutomationConditionSensorDefinition(
        "network_daily_rebuild",
        target=dg.AssetSelection.assets(_KEY),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Builds a day of network/daily again when one of its sources has landed or was restated.",
    )


def _key(report: Report[Any]) -> dg.AssetKey:
    return dg.AssetKey([report.provider, report.name])


def _build(context: dg.AssetExecutionContext) -> Iterator[dg.AssetCheckResult]:
    home: ReportingHome = context.resources.home
    checks: dict[date, tuple[CheckResult, ...]] = {}
    bad: list[str] = []
    try:
        with home.open(context.instance) as opened:
            currencies = _currencies(opened)
            for day in (date.fromisoformat(key) for key in context.partition_keys):
                try:
                    checks[day] = _build_day(context, day, opened, currencies)
                except (NotReady, DataError) as error:
                    bad.append(f"{day} {error.outcome}: {error.line}")
    except ReportingError as error:
        raise dg.Failure(f"{NETWORK.key} {error.outcome}: {error.line}", allow_retries=False) from None
    yield from summaries(NETWORK, checks)
    if bad:
        raise dg.Failure(f"{NETWORK.key} {'; '.join(bad[:10])}", allow_retries=False)


def _build_day(
    context: dg.AssetExecutionContext, day: date, opened: OpenHome, currencies: Mapping[str, str]
) -> tuple[CheckResult, ...]:
    for _ in range(_TRIES):
        versions = opened.ledger.versions(day, [source.report.key for source in SOURCES])
        present = [source for source in SOURCES if opened.data.exists(source.report.file(day))]
        if not present:
            raise NotReady("none of its sources has landed", advice="Materialize them first.")
        try:
            tables = [
                summed(source, day, opened.data, schema=NETWORK.schema, currencies=currencies) for source in present
            ]
        except (OSError, pa.ArrowException):
            raise StorageError(f"a source of {day} cannot be read", advice="Materialize the sources again.") from None
        table = pa.concat_tables(tables)
        checks = (_landed_check(present), _sums_check(present, tables, table, day, opened))
        if not checks[1].passed:
            record_check(context, NETWORK, day, checks[1])
            raise DataError(checks[1].detail, advice="Materialize that source again.")
        if _published(opened, day, table, versions):
            break
    else:
        raise StorageError(f"the sources of {day} change faster than they can be read", advice="Run the day again.")
    context.log_event(
        dg.AssetMaterialization(
            asset_key=_KEY,
            partition=day.isoformat(),
            description=f"{table.num_rows} rows of {len(present)} sources",
            metadata={
                "dagster/partition_row_count": table.num_rows,
                "dagster/uri": f"{opened.data.url}/{NETWORK.file(day)}",
                "sources": ", ".join(source.report.key for source in present),
                "missing_sources": ", ".join(_missing(present)) or "none",
                **{f"version of {key}": version for key, version in versions.items() if version},
            },
            tags={"dagster/data_version": fingerprint(table)},
        )
    )
    for check in checks:
        record_check(context, NETWORK, day, check)
    return checks


def _published(opened: OpenHome, day: date, table: pa.Table, versions: Mapping[str, str]) -> bool:
    """Put the day in place, unless a source has landed anew since it was read."""
    with workspace(opened.data) as folder:
        path = folder / f"{day}.part"
        pq.write_table(table, path, compression="zstd")

        return opened.ledger.if_unchanged(day, versions, lambda: opened.data.put(path, NETWORK.file(day)))


def _currencies(opened: OpenHome) -> dict[str, str]:
    report, entity, currency = CURRENCIES
    names = {column.header: column.name for column in report.kept}
    file = report.file(date.min)
    if not opened.data.exists(file):
        return {}
    with opened.data.open(file) as open_file:
        table = pq.read_table(open_file, columns=[names[entity], names[currency]])
    pairs = zip(table.column(names[entity]).to_pylist(), table.column(names[currency]).to_pylist(), strict=True)
    return {str(key): str(value) for key, value in pairs if key and value}


def _missing(present: Sequence[Source]) -> list[str]:
    there = {source.report.key for source in present}
    return [source.report.key for source in SOURCES if source.report.key not in there]


def _landed_check(present: Sequence[Source]) -> CheckResult:
    missing = _missing(present)
    told = f"missing: {', '.join(missing)}" if missing else f"all {len(SOURCES)} sources"
    facts = {"sources": len(present), "missing": ", ".join(missing)}
    return CheckResult(name=SOURCES_LANDED, passed=not missing, detail=told, facts=facts)


def _sums_check(
    present: Sequence[Source], tables: Sequence[pa.Table], table: pa.Table, day: date, opened: OpenHome
) -> CheckResult:
    """Compare what was summed by group with the ledger's own sums of money, noted when each source landed."""
    wrong: list[str] = []
    for source, part in zip(present, tables, strict=True):
        facts = opened.ledger.days(source.report.key).get(day)
        if facts is None or source.worthless is not None:
            continue
        names = {column.header: column.name for column in source.report.kept}
        for figure, header in source.money.items():
            noted = sum(facts.money_sums.get(names[header], {}).values(), Decimal())
            found = pc.sum(part.column(figure)).as_py() or Decimal()
            if noted != found:
                wrong.append(f"{source.report.key} {figure}: {found} of {noted}")
    facts_told = {"rows": table.num_rows}
    detail = "; ".join(wrong) or "money as the sources landed it"
    return CheckResult(name=SUMS_MATCH, passed=not wrong, detail=detail, facts=facts_told)
