"""Identification of a job's export in the list of exports, by the order of its fields (IN4, IN5).

The order in which fields are requested only changes the order of the columns in the file, which are read by name. The
list of exports shows this order. So each job requests the fields in an order derived from its correlation id, and no
other request uses the same order.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import cast

from reporting_dags.providers.http.response import json_object

MIN_FIELDS = 10
"""Fewer fields have too few possible orders to identify a job."""
FAILED_STATES = ("ERROR", "CANCELED")
"""The states of an export that will never have a file (IN6)."""
_ID = re.compile(r"(?=.*\w)[\w.~:=+@,;-]{1,128}", re.ASCII)


def order_fields_for(names: Sequence[str], correlation_id: str) -> list[str]:
    """Return `names` in the order of the correlation id; unchanged if it is empty or there are too few names."""
    if not correlation_id or len(names) < MIN_FIELDS:
        return list(names)
    return sorted(names, key=lambda name: hashlib.sha256(f"{correlation_id} {name}".encode()).digest())


def matches(export: Mapping[str, object], names: Sequence[str], correlation_id: str) -> bool:
    """Return whether an export in the list was requested with `correlation_id` and has not failed."""
    requested = json_object(export.get("reports_query_option")).get("include_fields")
    return (
        bool(correlation_id)
        and len(names) >= MIN_FIELDS
        and isinstance(requested, list)
        and cast("list[object]", requested) == order_fields_for(names, correlation_id)
        and str(export.get("status", "")).upper() not in FAILED_STATES
        and export_id(export) != ""
    )


def export_id(export: Mapping[str, object]) -> str:
    """Return the id of an export; empty if it has no id that is valid in a path and in a log line."""
    result = export.get("id")
    return result if isinstance(result, str) and _ID.fullmatch(result) else ""
