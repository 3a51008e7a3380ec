"""Events for Dagster: one materialization and its check results for each day, and one log line for failures."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, cast

import dagster as dg

# Not exported, and no evaluation that is logged by hand can do without it.
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData

from reporting_dags.jobs.pulling.result import DayResult, Restatement
from reporting_dags.landing.storage.store import Store
from reporting_dags.landing.writing.land import CheckResult, LandedDay
from reporting_dags.model.column import MIXED, Column
from reporting_dags.model.days import ranges
from reporting_dags.model.decimals import difference, plain, rounded
from reporting_dags.model.report import Report
from reporting_dags.orchestration.asset_checks import blocks, severity
from reporting_dags.orchestration.keys import key_of

_SHOWN_DECIMALS = 6
"""Of money as a number, which the UI plots; beside it stands the exact amount, as text."""


def record_partition(
    context: dg.AssetExecutionContext,
    report: Report,
    result: DayResult,
    checks: Sequence[CheckResult],
    data: Store,
) -> None:
    """Log one day's materialization, if it landed, and its check results, under the day's partition."""
    if result.landed is not None:
        context.log_event(
            dg.AssetMaterialization(
                asset_key=key_of(report),
                partition=partition_of(report, result.day),
                description=f"{result.landed.rows} rows, {result.outcome}",
                metadata=_metadata(report, result, result.landed, data),
                tags={"dagster/data_version": result.landed.data_version, "dagster/code_version": report.version},
            )
        )
    record_checks(context, report, result.day, checks)


def partition_of(report: Report, day: date) -> str | None:
    """Return the partition key of `day`; None if the report has no partitions."""
    return day.isoformat() if report.partitioned else None


def _metadata(report: Report, result: DayResult, landed: LandedDay, data: Store) -> dict[str, Any]:
    evidence = result.provenance
    location = f"{data.url}/{report.file(result.day)}"
    facts: dict[str, Any] = {
        "dagster/partition_row_count" if report.partitioned else "dagster/row_count": landed.rows,
        "dagster/uri": location,
        "dagster/table_name": report.key.replace("/", "."),
        "outcome": str(result.outcome),
        "bytes": landed.size,
        "provider_request_id": ", ".join(evidence.request_ids),
        "raw_sha256": ", ".join(evidence.raw_sha256),
        "raw_bytes": evidence.raw_bytes,
        "window": str(evidence.window),
        "window_calls_spent": evidence.calls_spent,
        "seconds_waited": round(evidence.waited.total_seconds(), 3),
    }
    facts |= {f"{api} left today": left for api, left in evidence.calls_left.items()}
    facts |= _restatement(evidence.restatement, landed)
    if evidence.replayed:
        facts["replayed"] = "from the kept raw response; the provider was not asked"
    for column, sums in landed.money.items():
        for currency, amount in sums.items():
            facts[f"{column}_{_unit(currency)}"] = float(rounded(amount, _SHOWN_DECIMALS))
            facts[f"{column}_{_unit(currency)}_exact"] = plain(amount)
    additive = {column.name for column in report.stored_columns if column.additive}
    facts |= {
        f"{column}_total": total
        for column, total in landed.totals.items()
        if isinstance(total, int) and column in additive
    }
    facts |= {f"{column}_of_sums": float(quotient) for column, quotient in landed.ratios.items()}
    if landed.warnings:
        facts["warnings"] = "; ".join(landed.warnings)
    return facts


def _restatement(before: Restatement | None, landed: LandedDay) -> dict[str, Any]:
    """Return metadata on how the day differs from its previous version."""
    if before is None:
        return {}
    rows = before.rows
    facts: dict[str, Any] = {"restated": str(rows) if rows is not None else "its file was gone or of another form"}
    if rows is not None:
        facts |= {"rows_added": rows.added, "rows_gone": rows.gone, "rows_changed": rows.changed}
    for column, sums in landed.money.items():
        for currency, amount in sums.items():
            was = before.money.get(column, {}).get(currency, Decimal())
            facts[f"{column}_{_unit(currency)}_before"] = float(rounded(was, _SHOWN_DECIMALS))
            changed = difference(amount, was)
            facts[f"{column}_{_unit(currency)}_restated_by"] = float(rounded(changed, _SHOWN_DECIMALS))
            facts[f"{column}_{_unit(currency)}_restated_by_exact"] = plain(changed)
    return facts


def _unit(currency: str) -> str:
    return "mixed" if currency == MIXED else currency.lower()


def record_checks(context: dg.AssetExecutionContext, report: Report, day: date, checks: Sequence[CheckResult]) -> None:
    """Log a day's check results, for the day's latest materialization."""
    if not checks:
        return
    partition = partition_of(report, day)
    # Where an evaluation does not name the materialization, the check's list of partitions counts it as missing.
    requested = dg.AssetRecordsFilter(asset_key=key_of(report), asset_partitions=[partition] if partition else None)
    newest = next(iter(context.instance.fetch_materializations(requested, limit=1).records), None)
    target = newest and AssetCheckEvaluationTargetMaterializationData(
        storage_id=newest.storage_id, run_id=newest.run_id, timestamp=newest.timestamp
    )
    for check in checks:
        evaluation = dg.AssetCheckEvaluation(
            asset_key=key_of(report),
            check_name=check.name,
            passed=check.passed,
            metadata=dict(check.facts),
            target_materialization_data=target,
            severity=severity(check),
            description=check.detail,
            blocking=blocks(check),
            partition=partition,
        )
        # `log_event` records check evaluations at run time, though its annotation does not list them.
        context.log_event(cast("dg.AssetObservation", evaluation))


def has_dependants(context: dg.AssetExecutionContext) -> bool:
    """Return whether the run also materializes an asset that depends on this one."""
    graph = context.job_def.asset_layer.asset_graph
    return any(child in graph.materializable_asset_keys for child in graph.get(context.asset_key).child_keys)


def column_schema(report: Report) -> dg.TableSchema:
    """Return the dataset's columns for Dagster's UI."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(column.name, type=str(column.type), description=_described(column))
            for column in report.stored_columns
        ]
    )


def _described(column: Column) -> str:
    unit = f" [{column.unit}]" if column.unit else ""
    return f"{column.meaning or column.header}{unit}"


def warn(context: dg.AssetExecutionContext, report: Report, results: Sequence[DayResult]) -> None:
    """Log one line for the days that landed with warnings; the metadata of each day has its own."""
    warned = [(result.day, result.landed.warnings) for result in results if result.landed and result.landed.warnings]
    if warned:
        day, warnings = warned[0]
        text = "%s: %d days landed with warnings, shown in their metadata; the first, %s: %s"
        context.log.warning(text, report.key, len(warned), ranges([day]), "; ".join(warnings))
