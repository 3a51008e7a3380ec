"""Marks on exports: by the order of its fields an export in the list is known to be the response to one job (IN4, IN5).

In which order fields are requested changes nothing but the order of the file's columns, which are found by name; and
the list shows it. So each job asks in an order of its own, and whoever else requests the same asks in another.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import cast

from reporting_dags.providers.http.response import json_object

MIN_FIELDS = 10
"""Fewer have too few orders to tell one job from all others."""
ENDED_BADLY = ("ERROR", "CANCELED")
"""What is said of an export that will never have a file (IN6)."""
_ID = re.compile(r"(?=.*\w)[\w.~:=+@,;-]{1,128}", re.ASCII)


def order_fields_for(names: Sequence[str], mark: str) -> list[str]:
    """`names` in the order that is the mark's; as they are without one."""
    if not mark or len(names) < MIN_FIELDS:
        return list(names)
    return sorted(names, key=lambda name: hashlib.sha256(f"{mark} {name}".encode()).digest())


def matches(export: Mapping[str, object], names: Sequence[str], mark: str) -> bool:
    """Whether an export of the list was requested with `mark`, and may serve."""
    requested = json_object(export.get("reports_query_option")).get("include_fields")
    return (
        bool(mark)
        and len(names) >= MIN_FIELDS
        and isinstance(requested, list)
        and cast("list[object]", requested) == order_fields_for(names, mark)
        and str(export.get("status", "")).upper() not in ENDED_BADLY
        and id_of(export) != ""
    )


def id_of(export: Mapping[str, object]) -> str:
    """The id of an export; empty if it has none that can stand in a path and a line."""
    result = export.get("id")
    return result if isinstance(result, str) and _ID.fullmatch(result) else ""
