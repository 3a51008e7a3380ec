"""The log of all requests to the sandbox. It includes credentials, because tests assert them."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class LogEntry:
    """A request and its response.

    Attributes:
        number: number of the request, from 1.
        at: time of the request.
        point: name of the endpoint.
        method: HTTP method.
        path: path of the URL.
        query: query string of the URL.
        headers: headers of the request, with lower-case names.
        body: the parsed JSON body, or its text; None if it is empty.
        status: HTTP status; None before the response, and if the connection was reset.
        fault: name of the fault that was applied to the response.
        facts: further facts, such as the id of the report.
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
        """Return the entry as JSON values."""
        return {**self.__dict__, "at": self.at.isoformat(), "headers": dict(self.headers), "facts": dict(self.facts)}


class RequestLog:
    """All requests since the start or the last `clear`, in the order of arrival. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[int, LogEntry] = {}
        self._last = 0

    def record_request(
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
        """Add a request and return its number, which is 1 for the first one."""
        with self._lock:
            self._last += 1
            entry = LogEntry(self._last, at, point, method, path, query, headers, body)
            self._entries[entry.number] = entry
            return entry.number

    def record_response(self, number: int, *, status: int | None, fault: str | None, facts: Mapping[str, str]) -> None:
        """Add the response to request `number`; ignored if the log was cleared since."""
        with self._lock:
            entry = self._entries.get(number)
            if entry is not None:
                self._entries[number] = replace(entry, status=status, fault=fault, facts=dict(facts))

    def entries(
        self, point: str | None = None, *, status: int | None = None, fault: str | None = None, since: int = 0
    ) -> list[LogEntry]:
        """Return the entries after number `since` with the given `point`, `status` and `fault`; None matches all."""
        with self._lock:
            entries = list(self._entries.values())
        return [
            entry
            for entry in entries
            if entry.number > since
            and point in (None, entry.point)
            and status in (None, entry.status)
            and fault in (None, entry.fault)
        ]

    def count(self, point: str | None = None, *, status: int | None = None, fault: str | None = None) -> int:
        """Return the number of entries; see `entries`."""
        return len(self.entries(point, status=status, fault=fault))

    def clear(self) -> None:
        """Delete all entries. Numbers of later requests continue."""
        with self._lock:
            self._entries.clear()
