"""A short response of an API, and the JSON in it, read so that nothing a provider sends breaks the reader."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reporting_dags.model.numbers import whole_number


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiResponse:
    """A whole, small response of an API: status code, headers and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The decoded body, or None when it is not JSON."""
        return parse_json(self.body)


def parse_json(text: bytes) -> Any:
    """JSON as Python has it; None for what is none, or is nested deeper than any response."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def json_object(value: object) -> Mapping[str, Any]:
    """A JSON object's fields; none of what is not an object."""
    return {str(key): each for key, each in value.items()} if isinstance(value, dict) else {}


def row_count_in(value: object) -> int | None:
    """The whole number that a JSON value writes, as a number or a text, in any notation; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    return whole_number(str(value))
