"""The names of a report in Dagster: its asset key, and the op that materializes it."""

import dagster as dg

from reporting_dags.model.report import Report


def key_of(report: Report) -> dg.AssetKey:
    """Return the asset key of a report."""
    return dg.AssetKey([report.provider, report.name])


def op_name(report: Report) -> str:
    """Return the name of a report's op, under which its run config stands."""
    return f"{report.provider}__{report.name}"
