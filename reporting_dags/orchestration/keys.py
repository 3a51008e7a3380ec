"""What a report is called in Dagster: its asset, and the op that materializes it."""

import dagster as dg

from reporting_dags.model.report import Report


def key_of(report: Report) -> dg.AssetKey:
    """The asset of a report."""
    return dg.AssetKey([report.provider, report.name])


def op_name(report: Report) -> str:
    """The op of a report's asset, under which its config stands."""
    return f"{report.provider}__{report.name}"
