"""The scope of a partition: what was requested for it, so that two responses can be compared without their rows.

A response may replace a partition if it covers at least as much. A response that covers less (an app, a column or a
filter value is no longer requested) or something else (another time zone or source) would lose stored data.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, runtime_checkable

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryScope:
    """The rows that a query selects.

    Attributes:
        fixed: name → value of settings that must be equal for a comparison, such as the source or the currency.
        filters: name → the values that rows can have. A name that is missing does not restrict rows.
    """

    fixed: Mapping[str, str] = field(default_factory=dict[str, str])
    filters: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])


@runtime_checkable
class ScopedQuery(Protocol):
    """A query that reports its scope. Any other query is comparable only with an equal one."""

    def scope(self) -> QueryScope:
        """Return what the query selects, without columns and dates."""
        ...


def query_scope(query: object) -> QueryScope:
    """Return the scope of `query`; its `repr` if it does not report one."""
    return query.scope() if isinstance(query, ScopedQuery) else QueryScope(fixed={"query": repr(query)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The scope of a partition.

    Attributes:
        fixed: see `QueryScope`.
        filters: see `QueryScope`.
        columns: names of the stored columns.
        parts: the shards for which a window is requested, such as app ids; empty if one request covers it.
    """

    fixed: Mapping[str, str]
    filters: Mapping[str, frozenset[str]]
    columns: frozenset[str]
    parts: frozenset[str]

    def lost_in(self, other: Self) -> str:
        """Return what this scope covers and `other` does not, for a message; "" if `other` covers everything."""
        missing = [
            f"{name} {self.fixed.get(name, 'unset')} is {other.fixed.get(name, 'unset')} now"
            for name in sorted({*self.fixed, *other.fixed})
            if self.fixed.get(name) != other.fixed.get(name)
        ]
        missing += _missing("column", self.columns - other.columns)
        missing += _missing("app or part", self.parts - other.parts)
        for name, values in sorted(other.filters.items()):
            if name not in self.filters:
                missing.append(f"all rows, not only those filtered by {name}")
            else:
                missing += _missing(f"rows of {name}", self.filters[name] - values)
        return "; ".join(missing)

    def covers(self, other: Self) -> bool:
        """Return whether this scope covers everything that `other` covers."""
        return not other.lost_in(self)

    @property
    def id(self) -> str:
        """A hash of the scope."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def text(self) -> str:
        """The scope as JSON text with sorted keys."""
        return json.dumps(self.as_json(), sort_keys=True)

    def as_json(self) -> dict[str, Any]:
        """Return the scope as JSON values."""
        return {
            "fixed": dict(self.fixed),
            "filters": {name: sorted(values) for name, values in self.filters.items()},
            "columns": sorted(self.columns),
            "parts": sorted(self.parts),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the scope that `as_json` wrote.

        Raises:
            KeyError, TypeError, AttributeError: `value` is not in that format.
        """
        return cls(
            fixed=dict(value["fixed"]),
            filters={name: frozenset(values) for name, values in value["filters"].items()},
            columns=frozenset(value["columns"]),
            parts=frozenset(value["parts"]),
        )


def _missing(what: str, names: Collection[str]) -> list[str]:
    if not names:
        return []
    shown = ", ".join(sorted(names)[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return [f"{what} {shown}{more}"]
