"""An export found again in the list of exports: whether one of them is the answer to a question (IN5).

The list shows what an export was asked for, but for its time zone. What it does not show, or shows in a way that is not
known, makes an export another one: then it is asked for anew.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from reporting_dags.providers.http import fields
from reporting_dags.providers.integr8.report import NO_EXTRA_PARAMETERS, ExportQuery

SKEW = timedelta(minutes=10)
"""How far the clocks of the run that asked and of the provider may have been apart."""
_ENDED_BADLY = ("ERROR", "CANCELED")


def ordered_at(export: Mapping[str, object]) -> datetime | None:
    """When the provider says that it was asked for an export; None where it does not."""
    try:
        at = datetime.fromisoformat(str(export.get("created_at")))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def answers(
    export: Mapping[str, object], query: ExportQuery, span: tuple[datetime, datetime], integration: str
) -> bool:
    """Whether an export answers `query` for the local times of `span`, as far as the list shows."""
    asked = fields(export.get("reports_query_option"))
    extra = _texts(asked.get("extra_parameters_as_new_fields"))
    return (
        bool(export.get("id"))
        and str(export.get("status", "")).upper() not in _ENDED_BADLY
        and str(export.get("type", "")).lower().startswith(query.log.partition("-")[0].rstrip("s"))
        and export.get("integration") == integration
        and (_moment(asked.get("start_date")), _moment(asked.get("end_date"))) == span
        and not asked.get("relative_date")
        and sorted(_texts(asked.get("include_fields"))) == sorted(query.fields)
        and extra in (([], list(NO_EXTRA_PARAMETERS)) if _without_extra(query) else (list(query.extra_parameters),))
        and fields(export.get("format")).get("delimiter") == query.delimiter
        and all(zone in (None, "", query.timezone) for zone in (export.get("timezone"), asked.get("timezone")))
        and _whole(fields(asked.get("filters")), integration)
    )


def _without_extra(query: ExportQuery) -> bool:
    return query.log == "postback-logs" or query.extra_parameters == NO_EXTRA_PARAMETERS


def _moment(said: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(said)).replace(tzinfo=None)
    except ValueError:
        return None


def _texts(said: object) -> list[str]:
    return [str(one) for one in cast("Sequence[object]", said)] if isinstance(said, list) else []


def _whole(filters: Mapping[str, Any], integration: str) -> bool:
    """Whether nothing but the integration narrows an export."""
    narrowing = {
        (name, operator): values
        for name, by in filters.items()
        for operator, values in fields(by).items()
        if values not in (None, [])
    }
    return narrowing in ({}, {("integration_id", "equal_values"): [integration]})
