"""Every report that ships, from the one file that each provider has."""

from reporting_dags.model.errors import DeclarationError
from reporting_dags.model.report import Report
from reporting_dags.reports import dt_offer_wall, dt_user_level, integr8, mintegral, orangeclick


def all_reports() -> tuple[Report, ...]:
    """The declared reports; raises `DeclarationError` when two share a key."""
    found: tuple[Report, ...] = (
        *dt_offer_wall.REPORTS,
        *dt_user_level.REPORTS,
        *mintegral.REPORTS,
        *orangeclick.REPORTS,
        *integr8.REPORTS,
    )
    keys = [report.key for report in found]
    for report in found:
        if keys.count(report.key) > 1:
            raise DeclarationError(f"reports/{report.provider}.py: {report.key}: name: declared twice")
    return found
