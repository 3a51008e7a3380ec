"""What was asked of the sandbox, request by request, credentials included: it is a measuring instrument."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One request and what was answered.

    `status` is None while the answer is being made and when the connection was reset without one; `fault` names the
    scripted fault that the answer suffered; `headers` has lower-case names; `body` is the parsed JSON, or text.
    """

    number: int
    at: datetime
    point: str
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: Any
    status: int | None = None
    fault: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict[str, str])

    def as_json(self) -> dict[str, Any]:
        """The entry as JSON can carry it."""
        return {**self.__dict__, "at": self.at.isoformat(), "headers": dict(self.headers), "facts": dict(self.facts)}


class Log:
    """Every request since the start or the last `clear`, in order of arrival. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[int, Entry] = {}
        self._last = 0

    def begin(
        self,
        *,
        at: datetime,
        point: str,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        body: Any,
    ) -> int:
        """Note a request that has come in; returns its number, counted from 1."""
        with self._lock:
            self._last += 1
            entry = Entry(self._last, at, point, method, path, query, headers, body)
            self._entries[entry.number] = entry
            return entry.number

    def answered(self, number: int, *, status: int | None, fault: str | None, facts: Mapping[str, str]) -> None:
        """Note what request `number` is being answered; forgotten requests are passed over."""
        with self._lock:
            entry = self._entries.get(number)
            if entry is not None:
                self._entries[number] = replace(entry, status=status, fault=fault, facts=dict(facts))

    def entries(
        self, point: str | None = None, *, status: int | None = None, fault: str | None = None, since: int = 0
    ) -> list[Entry]:
        """The entries after number `since` at `point`, answered `status`, with `fault`; None takes any."""
        with self._lock:
            found = list(self._entries.values())
        return [
            entry
            for entry in found
            if entry.number > since
            and point in (None, entry.point)
            and status in (None, entry.status)
            and fault in (None, entry.fault)
        ]

    def count(self, point: str | None = None, *, status: int | None = None, fault: str | None = None) -> int:
        """How many entries `entries` would give."""
        return len(self.entries(point, status=status, fault=fault))

    def clear(self) -> None:
        """Forget every entry; numbers go on counting."""
        with self._lock:
            self._entries.clear()
