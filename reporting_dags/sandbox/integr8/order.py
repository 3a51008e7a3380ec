"""An order for an export, as a request places it (IN4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from reporting_dags.sandbox.endpoint import Call
from reporting_dags.sandbox.integr8 import asked
from reporting_dags.sandbox.integr8.answer import LOGS, Log
from reporting_dags.sandbox.integr8.asked import RefusedError, Span
from reporting_dags.sandbox.integr8.settings import Integr8Settings

PARAMETERS = ("delimiter", "start_time", "end_time", "timezone", "fields")
EXTRA = "extra_parameters"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Order:
    """What is to be exported: which rows, and which columns between which delimiters."""

    log: Log
    span: Span
    fields: tuple[str, ...]
    extra_parameters: tuple[str, ...]
    delimiter: str


def read(call: Call, settings: Integr8Settings) -> Order:
    """The order that a POST places.

    Raises:
        RefusedError: Its path or a parameter is not allowed.
    """
    log = next((one for one in LOGS if one.export_path == call.path.rpartition("/")[2]), None)
    if log is None:
        raise RefusedError(404, "The requested resource doesn't exist.")
    known = (*PARAMETERS, EXTRA) if log.extra_parameters else PARAMETERS
    given = asked.named(_parameters(call, settings), known, settings)
    fields = _names(asked.required(given, "fields"), "fields")
    if unknown := [name for name in fields if name not in log.fields]:
        raise RefusedError(400, f"unknown fields: {', '.join(unknown)}")
    extra: tuple[str, ...] = ()
    if log.extra_parameters:
        empty = settings.extra_parameters_may_be_empty and given.get(EXTRA) == ""
        extra = () if empty else _names(asked.required(given, EXTRA), EXTRA)
    if len({*fields, *extra}) < len(fields) + len(extra):
        raise RefusedError(400, "a column is asked for twice")
    delimiter = given.get("delimiter", ",")
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise RefusedError(400, "delimiter must be one character")
    return Order(log, asked.span(given), fields, extra, delimiter)


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
