"""Scripted faults: which responses go wrong, how, and how often."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

ANYWHERE = "*"
REQUIRED = object()

# Faults of any response, with their parameters and defaults. `effect`: the request takes effect and only its response
# is replaced, as when a gateway fails after the request.
RESPONSE_FAULTS: Mapping[str, Mapping[str, Any]] = {
    "status": {"status": REQUIRED, "body": "", "headers": {}, "effect": False},
    "html": {"body": "<!DOCTYPE html><html><body><h1>Sign in</h1></body></html>", "effect": False},
    "xml": {"body": '<?xml version="1.0"?><Error><Code>SlowDown</Code></Error>', "effect": False},
    "empty": {"effect": False},
    "redirect": {"to": REQUIRED, "status": 302, "effect": False},
    "reset": {"effect": False},
    "stall": {"seconds": 1.0, "at": "head"},
    "drip": {"pieces": 10, "pause": 0.05},
    "drip_head": {"pieces": 10, "pause": 0.05},
    # The response head has a line that is not a header.
    "garbled_head": {},
    # Repeats the body, up to this many MiB.
    "endless": {"mebibytes": 64},
    "cut": {"keep": 0.5},
    "cut_chunked": {"keep": 0.5},
    "cut_close": {"keep": 0.5},
    "gzip": {},
    "gzip_cut": {"keep": 0.5},
    "gzip_corrupt": {},
    # Compressed without a header: the share of the bytes to keep, the number of gzip members, and a text after them.
    "gzip_file": {"keep": None, "members": 1, "behind": ""},
    "zip_file": {},
    "utf16_file": {},
    # The correct bytes with another `Content-Encoding` or `Content-Type`.
    "coding": {"coding": REQUIRED},
    "media_type": {"kind": REQUIRED},
    # Replaces the matches of a regular expression in the body: `count` of them, or all if it is 0.
    "edit": {"pattern": REQUIRED, "to": REQUIRED, "count": 0},
    # Decompresses to this many MiB of zeros.
    "gzip_bomb": {"mebibytes": 300},
}

# Faults that handlers implement; an endpoint names those that it supports.
HANDLER_FAULTS: Mapping[str, Mapping[str, Any]] = {
    "never": {},
    "expired": {},
    "bad_url": {"url": REQUIRED},
    # A JSON response with this code: to a request for generation, and instead of a file.
    "code": {"code": REQUIRED, "msg": ""},
    "json_error": {"code": REQUIRED, "msg": ""},
    "incomplete": {},
    # The metadata of a response; None keeps the correct value.
    "meta": {"count": None, "start_date": None, "end_date": None, "currency": None},
    # A page begins with the last row of the page before, has no rows, or has itself as next page; its count is wrong.
    "page_again": {},
    "empty_page": {},
    "cursor_loop": {},
    "count": {"count": REQUIRED},
    # An export has this status, has only the first rows, or has a wrong total.
    "state": {"status": REQUIRED, "error": ""},
    "truncate": {"rows": REQUIRED},
    "total": {"total": REQUIRED},
}

# Faults in the data of a file. If the app or the column is None, the sandbox selects one.
DATA_FAULTS: Mapping[str, Mapping[str, Any]] = {
    "duplicate_row": {},
    "wrong_day": {"to": None},
    "drop_column": {"column": REQUIRED},
    "rename_column": {"column": REQUIRED, "to": REQUIRED},
    "extra_column": {"column": "Surprise", "value": "1"},
    "duplicate_header": {"column": None},
    "repeat_header": {},
    "bad_value": {"column": REQUIRED, "value": REQUIRED},
    # Replaces the matches of a regular expression in all values of a column.
    "edit_values": {"column": REQUIRED, "pattern": REQUIRED, "to": REQUIRED},
    # Adds a total row with the day of the first row, the sums of some columns and a text in others.
    "total_row": {"sums": REQUIRED, "names": (), "text": ""},
    "pad_header": {},
    "bom": {},
    "latin1": {},
    "nul": {"column": None},
    "open_quote": {},
    "short_row": {},
    "long_row": {},
    "header_only": {},
    "lose_app": {"app": None},
}


@dataclass
class Fault:
    """A scripted fault, with the number of requests that it has seen and damaged."""

    number: int
    point: str
    do: str
    parameters: Mapping[str, Any]
    times: int | None
    after: int
    source: str | None
    day: date | None
    seen: int = field(default=0)
    struck: int = field(default=0)

    def __getitem__(self, name: str) -> Any:
        return self.parameters[name]

    @property
    def effect(self) -> bool:
        """Whether the request takes effect although its response is lost."""
        return bool(self.parameters.get("effect", True))

    def applies_to(self, source: str | None, first: date | None, last: date | None) -> bool:
        """Return whether the fault applies to a request for `source` from `first` to `last` (None: no report)."""
        if self.source is not None and self.source != source:
            return False
        return self.day is None or (first is not None and last is not None and first <= self.day <= last)

    def count_request(self) -> bool:
        """Count a request to which the fault applies, and return whether the fault occurs."""
        self.seen += 1
        return self.seen > self.after and (self.times is None or self.struck < self.times)

    def as_json(self) -> dict[str, Any]:
        """Return the fault as JSON values."""
        return {**self.__dict__, "day": None if self.day is None else self.day.isoformat()}


class Faults:
    """The current scripted faults. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._points: dict[str, frozenset[str]] = {}
        self._data_points: set[str] = set()
        self._faults: list[Fault] = []
        self._last = 0

    def register(self, points: Mapping[str, frozenset[str]], data_point: str) -> None:
        """Register the endpoints of a provider, each with the faults of its handler, and the point of its files."""
        self._points.update(points)
        self._data_points.add(data_point)

    def add(
        self,
        point: str,
        *,
        do: str,
        times: int | Literal["default"] | None = "default",
        after: int = 0,
        source: str | None = None,
        day: str | date | None = None,
        **parameters: Any,
    ) -> int:
        """Add a fault and return its number, for `remove`.

        A fault counts the requests to which it applies, from the time it is added: the first `after` of them succeed,
        the next `times` fail. If several faults apply to one request, only the first added occurs, and the others do
        not count the request as failed. All faults of a file occur together.

        Args:
            point: the point of an endpoint, the data point of a provider, or `*` for all endpoints.
            do: the name of the fault: of RESPONSE_FAULTS, DATA_FAULTS, or HANDLER_FAULTS if the endpoint supports it.
            times: how often it occurs; None for always. By default once in a response, and always in a file.
            after: number of requests that succeed first.
            source: only for requests of this report source.
            day: only for requests that include this day; in a file, only its rows are damaged.
            parameters: the parameters of the fault.

        Raises:
            ValueError: the point or the fault does not exist, or a parameter is missing or unknown.
        """
        known = self._parameters_of(point, do)
        if unknown := sorted(set(parameters) - set(known)):
            raise ValueError(
                f"{do} has no parameter {', '.join(unknown)}; its parameters: {', '.join(known) or 'none'}"
            )
        filled = {**known, **parameters}
        if missing := sorted(name for name, value in filled.items() if value is REQUIRED):
            raise ValueError(f"{do} needs {', '.join(missing)}")
        if times == "default":
            times = None if do in DATA_FAULTS else 1
        with self._lock:
            self._last += 1
            of_day = date.fromisoformat(day) if isinstance(day, str) else day
            self._faults.append(Fault(self._last, point, do, filled, times, after, source, of_day))
            return self._last

    def remove(self, number: int) -> None:
        """Remove a fault; ignored if it does not exist."""
        with self._lock:
            self._faults = [fault for fault in self._faults if fault.number != number]

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._faults.clear()

    def scripted(self) -> list[Fault]:
        """Return all faults that are not removed, also those that occur no more."""
        with self._lock:
            return list(self._faults)

    def next_fault(self, point: str, source: str | None, first: date | None, last: date | None) -> Fault | None:
        """Return the fault that occurs in this request to `point`, if any, and count the request."""
        due = self._due((point, ANYWHERE), source, first, last, most=1)
        return due[0] if due else None

    def file_faults(self, point: str, source: str, first: date, last: date) -> list[Fault]:
        """Return the faults that occur in a new file, in the order in which they were added."""
        return self._due((point,), source, first, last, most=None)

    def _due(
        self, points: tuple[str, ...], source: str | None, first: date | None, last: date | None, *, most: int | None
    ) -> list[Fault]:
        with self._lock:
            matches = [
                fault for fault in self._faults if fault.point in points and fault.applies_to(source, first, last)
            ]
            due = [fault for fault in matches if fault.count_request()][:most]
            for fault in due:
                fault.struck += 1
            return due

    def _parameters_of(self, point: str, do: str) -> Mapping[str, Any]:
        if point in self._data_points:
            parameters = DATA_FAULTS.get(do)
        elif point == ANYWHERE:
            parameters = RESPONSE_FAULTS.get(do)
        elif point in self._points:
            supported = {name: known for name, known in HANDLER_FAULTS.items() if name in self._points[point]}
            parameters = {**RESPONSE_FAULTS, **supported}.get(do)
        else:
            points = ", ".join((*sorted(self._points), *sorted(self._data_points), ANYWHERE))
            raise ValueError(f"unknown point {point!r}; known points: {points}")
        if parameters is None:
            raise ValueError(f"{do!r} is not a fault of {point}")
        return parameters
