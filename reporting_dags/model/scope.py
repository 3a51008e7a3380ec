"""What a partition covers: what was requested for it, so that two answers can be compared without their rows.

A partition may be replaced by a response that covers at least as much. One that covers less (an app, a column or a
value of a filter is no longer requested), or something else (another time zone or source), would lose what only the
stored one has.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, runtime_checkable

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryScope:
    """What a provider's query selects.

    Attributes:
        fixed: name → value of what makes another value incomparable, such as the source or the currency.
        filters: name → the values that rows may have. A name that is missing does not restrict rows.
    """

    fixed: Mapping[str, str] = field(default_factory=dict[str, str])
    filters: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])


@runtime_checkable
class ScopedQuery(Protocol):
    """A query that says what it selects. One that does not is comparable with an equal one alone."""

    def scope(self) -> QueryScope:
        """What it selects, but for columns and dates."""
        ...


def query_scope(query: object) -> QueryScope:
    """What `query` selects."""
    return query.scope() if isinstance(query, ScopedQuery) else QueryScope(fixed={"query": repr(query)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a partition covers.

    Attributes:
        fixed: as of `QueryScope`.
        filters: as of `QueryScope`.
        columns: names of the stored columns.
        parts: what a window is requested for in parts, such as app ids; none where one request covers it.
    """

    fixed: Mapping[str, str]
    filters: Mapping[str, frozenset[str]]
    columns: frozenset[str]
    parts: frozenset[str]

    def lost_in(self, other: Self) -> str:
        """What this scope covers and `other` does not, as a phrase for a message; "" if `other` covers all of it."""
        results = [
            f"{name} {self.fixed.get(name, 'unset')} is {other.fixed.get(name, 'unset')} now"
            for name in sorted({*self.fixed, *other.fixed})
            if self.fixed.get(name) != other.fixed.get(name)
        ]
        results += _missing("column", self.columns - other.columns)
        results += _missing("app or part", self.parts - other.parts)
        for name, values in sorted(other.filters.items()):
            if name not in self.filters:
                results.append(f"all rows, not only those filtered by {name}")
            else:
                results += _missing(f"rows of {name}", self.filters[name] - values)
        return "; ".join(results)

    def covers(self, other: Self) -> bool:
        """Whether a partition of this scope holds all that one of `other` would."""
        return not other.lost_in(self)

    @property
    def id(self) -> str:
        """Equal for equal scopes."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def text(self) -> str:
        """As JSON with sorted keys."""
        return json.dumps(self.as_json(), sort_keys=True)

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "fixed": dict(self.fixed),
            "filters": {name: sorted(values) for name, values in self.filters.items()},
            "columns": sorted(self.columns),
            "parts": sorted(self.parts),
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """From `as_json`.

        Raises:
            KeyError, TypeError, AttributeError: it is not of that form.
        """
        return cls(
            fixed=dict(found["fixed"]),
            filters={name: frozenset(values) for name, values in found["filters"].items()},
            columns=frozenset(found["columns"]),
            parts=frozenset(found["parts"]),
        )


def _missing(what: str, names: Collection[str]) -> list[str]:
    if not names:
        return []
    shown = ", ".join(sorted(names)[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return [f"{what} {shown}{more}"]
