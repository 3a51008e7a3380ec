"""The parameters of an export request, and their validation (IN4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from reporting_dags.sandbox.endpoint import Call
from reporting_dags.sandbox.integr8 import parameters
from reporting_dags.sandbox.integr8.logs import LOGS, Log
from reporting_dags.sandbox.integr8.parameters import RefusedError, TimeRange
from reporting_dags.sandbox.integr8.settings import Integr8Settings

PARAMETERS = ("delimiter", "start_time", "end_time", "timezone", "fields")
EXTRA = "extra_parameters"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class ExportRequest:
    """A valid export request: the log, the time range, the columns and the delimiter."""

    log: Log
    span: TimeRange
    fields: tuple[str, ...]
    extra_parameters: tuple[str, ...]
    delimiter: str


def parse(call: Call, settings: Integr8Settings) -> ExportRequest:
    """Return the export request in a POST call.

    Raises:
        RefusedError: the path or a parameter is not valid.
    """
    log = next((log for log in LOGS if log.export_path == call.path.rpartition("/")[2]), None)
    if log is None:
        raise RefusedError(404, "The requested resource doesn't exist.")
    known = (*PARAMETERS, EXTRA) if log.extra_parameters else PARAMETERS
    given = parameters.parse(_parameters(call, settings), known, settings)
    fields = _names(parameters.required(given, "fields"), "fields")
    if unknown := [name for name in fields if name not in log.fields]:
        raise RefusedError(400, f"unknown fields: {', '.join(unknown)}")
    extra: tuple[str, ...] = ()
    if log.extra_parameters:
        empty = settings.extra_parameters_may_be_empty and given.get(EXTRA) == ""
        extra = () if empty else _names(parameters.required(given, EXTRA), EXTRA)
    if len({*fields, *extra}) < len(fields) + len(extra):
        raise RefusedError(400, "a column is requested twice")
    delimiter = given.get("delimiter", ",")
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise RefusedError(400, "delimiter must be one character")
    return ExportRequest(log, parameters.time_range(given), fields, extra, delimiter)


def _names(text: str, parameter: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if "" in names:
        raise RefusedError(400, f"{parameter} has an empty name")
    return names


def _parameters(call: Call, settings: Integr8Settings) -> Sequence[tuple[str, str]]:
    query = call.query if settings.export_params != "form" else ()
    declared = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if settings.export_params == "query" or declared != FORM:
        return query
    form = parse_qsl(call.body.decode("utf-8", errors="replace"), keep_blank_values=True)
    return (*query, *form)
