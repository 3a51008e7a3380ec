"""A short response of an API and the JSON in it. No input makes the readers fail."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reporting_dags.model.numbers import parse_integer


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiResponse:
    """A complete short response of an API: status code, headers and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the decoded body, or None if it is not JSON."""
        return parse_json(self.body)


def parse_json(text: bytes) -> Any:
    """Return the decoded JSON; None if the text is not JSON, or is nested too deeply."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def json_object(value: object) -> Mapping[str, Any]:
    """Return the fields of a JSON object; an empty mapping if the value is not an object."""
    return {str(key): item for key, item in value.items()} if isinstance(value, dict) else {}


def json_integer(value: object) -> int | None:
    """Return the integer in a JSON number or text, in any notation; None if the value is not an integer."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    return parse_integer(str(value))
