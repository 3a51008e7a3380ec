"""Telling Dagster how each day ended: one materialization and its check results a day, one line a failure."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, cast

import dagster as dg

from reporting_dags.jobs.result import DayResult, Restatement
from reporting_dags.landing.land import CheckResult, LandedDay
from reporting_dags.landing.store import Store
from reporting_dags.model.column import MIXED, Column
from reporting_dags.model.days import ranges
from reporting_dags.model.decimals import difference, plain
from reporting_dags.model.errors import Deferred
from reporting_dags.model.report import Report
from reporting_dags.orchestration.checks import evaluation
from reporting_dags.orchestration.keys import key_of


def record_day(
    context: dg.AssetExecutionContext,
    report: Report[Any],
    result: DayResult,
    checks: Sequence[CheckResult],
    data: Store,
) -> None:
    """Log one day's materialization, if it landed, and its check results, under the day's own partition."""
    key = key_of(report)
    if result.landed is not None:
        context.log_event(
            dg.AssetMaterialization(
                asset_key=key,
                partition=result.day.isoformat() if report.partitioned else None,
                description=f"{result.landed.rows} rows, {result.outcome}",
                metadata=_metadata(report, result, result.landed, data),
                tags={"dagster/data_version": result.landed.fingerprint},
            )
        )
    for check in checks:
        record_check(context, report, result.day, check)
    if result.error is not None and not isinstance(result.error, Deferred):
        context.log.error("%s %s %s: %s", report.key, ranges([result.day]), result.outcome, result.error.line)


def _metadata(report: Report[Any], result: DayResult, landed: LandedDay, data: Store) -> dict[str, Any]:
    evidence = result.evidence
    location = f"{data.url}/{report.file(result.day)}"
    facts: dict[str, Any] = {
        "dagster/partition_row_count" if report.partitioned else "dagster/row_count": landed.rows,
        "dagster/uri": location,
        "dagster/table_name": report.key.replace("/", "."),
        "outcome": str(result.outcome),
        "rows": landed.rows,
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
        facts["replayed"] = "from the kept raw answer; the provider was not asked"
    for column, sums in landed.money.items():
        for currency, amount in sums.items():
            facts[f"{column}_{_unit(currency)}"] = float(amount)
            facts[f"{column}_{_unit(currency)}_exact"] = plain(amount)
    facts |= {f"{column}_total": total for column, total in landed.totals.items() if isinstance(total, int)}
    facts |= {f"{column}_of_sums": float(quotient) for column, quotient in landed.ratios.items()}
    if landed.warnings:
        facts["warnings"] = "; ".join(landed.warnings)
    return facts


def _restatement(before: Restatement | None, landed: LandedDay) -> dict[str, Any]:
    """How the day differs from what lay there before."""
    if before is None:
        return {}
    rows = before.rows
    facts: dict[str, Any] = {"restated": str(rows) if rows is not None else "its file was gone or of another form"}
    if rows is not None:
        facts |= {"rows_added": rows.added, "rows_gone": rows.gone, "rows_changed": rows.changed}
    for column, sums in landed.money.items():
        for currency, amount in sums.items():
            was = before.money.get(column, {}).get(currency, Decimal())
            facts[f"{column}_{_unit(currency)}_before"] = float(was)
            changed = difference(amount, was)
            facts[f"{column}_{_unit(currency)}_restated_by"] = float(changed)
            facts[f"{column}_{_unit(currency)}_restated_by_exact"] = plain(changed)
    return facts


def _unit(currency: str) -> str:
    return "mixed" if currency == MIXED else currency.lower()


def record_check(context: dg.AssetExecutionContext, report: Report[Any], day: date, check: CheckResult) -> None:
    """Log one day's result of one check."""
    # `log_event` records check evaluations at run time, though its annotation does not list them.
    context.log_event(cast("dg.AssetObservation", evaluation(report, day, check)))


def has_dependants(context: dg.AssetExecutionContext) -> bool:
    """Whether an asset that depends on this one is materialized in the same run."""
    graph = context.job_def.asset_layer.asset_graph
    return any(child in graph.materializable_asset_keys for child in graph.get(context.asset_key).child_keys)


def column_schema(report: Report[Any]) -> dg.TableSchema:
    """The dataset's columns for Dagster's UI."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(column.name, type=str(column.type), description=_described(column)) for column in report.kept
        ]
    )


def _described(column: Column) -> str:
    unit = f" [{column.unit}]" if column.unit else ""
    return f"{column.meaning or column.header}{unit}"


def warn(context: dg.AssetExecutionContext, report: Report[Any], results: Sequence[DayResult]) -> None:
    """One log line on the days that landed with warnings; each day's own stand in its metadata."""
    warned = [(result.day, result.landed.warnings) for result in results if result.landed and result.landed.warnings]
    if warned:
        day, warnings = warned[0]
        text = "%s: %d days landed with warnings, shown in their metadata; the first, %s: %s"
        context.log.warning(text, report.key, len(warned), ranges([day]), "; ".join(warnings))


def failure_line(report: Report[Any], results: Sequence[DayResult]) -> str:
    """One line on every day that did not come home: days of one cause together."""
    bad = [result for result in results if result.error is not None]
    causes: dict[str, list[date]] = {}
    for result in bad:
        text = f"{result.outcome}: {result.error.line.rstrip('.') if result.error else ''}"
        causes.setdefault(text, []).append(result.day)
    told = [f"{ranges(days)} {text}" for text, days in causes.items()]
    of = f" ({len(bad)} of {len(results)} days)" if len(results) > 1 else ""
    return f"{report.key}{of} {'; '.join(told)}"
