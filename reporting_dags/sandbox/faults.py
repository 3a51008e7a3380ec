"""Faults scripted by occurrence: which answers go wrong, how, and how often."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

ANYWHERE = "*"
REQUIRED = object()

# What any answer can suffer, with the parameters and their defaults. `effect`: the request is carried out all the same
# and only its answer is lost, as when a gateway fails on the way back.
ANSWER_FAULTS: Mapping[str, Mapping[str, Any]] = {
    "status": {"status": REQUIRED, "body": "", "headers": {}, "effect": False},
    "html": {"body": "<!DOCTYPE html><html><body><h1>Sign in</h1></body></html>", "effect": False},
    "xml": {"body": '<?xml version="1.0"?><Error><Code>SlowDown</Code></Error>', "effect": False},
    "empty": {"effect": False},
    "redirect": {"to": REQUIRED, "status": 302, "effect": False},
    "reset": {"effect": False},
    "stall": {"seconds": 1.0, "at": "head"},
    "drip": {"pieces": 10, "pause": 0.05},
    "drip_head": {"pieces": 10, "pause": 0.05},
    # A line in the head that is no header.
    "garbled_head": {},
    # The same body over and over, as long as the client listens and up to so many MiB.
    "endless": {"mebibytes": 64},
    "cut": {"keep": 0.5},
    "cut_chunked": {"keep": 0.5},
    "cut_close": {"keep": 0.5},
    "gzip": {},
    "gzip_cut": {"keep": 0.5},
    "gzip_corrupt": {},
    # Packed without a header that says so: a share of the bytes, in so many members, with a text behind them.
    "gzip_file": {"keep": None, "members": 1, "behind": ""},
    "zip_file": {},
    "utf16_file": {},
    # The honest bytes under another `Content-Encoding` or `Content-Type`.
    "coding": {"coding": REQUIRED},
    "media_type": {"kind": REQUIRED},
    # The honest text, in which what matches a pattern is something else; `count` times, or everywhere where it is 0.
    "edit": {"pattern": REQUIRED, "to": REQUIRED, "count": 0},
    # Small on the way, and so many MiB of zeros when unpacked.
    "gzip_bomb": {"mebibytes": 300},
}

# What handlers carry out themselves; an endpoint names those that it knows.
HANDLER_FAULTS: Mapping[str, Mapping[str, Any]] = {
    "never": {},
    "expired": {},
    "bad_url": {"url": REQUIRED},
    # A JSON answer with that code: to a request for generation, and in place of a file.
    "code": {"code": REQUIRED, "msg": ""},
    "json_error": {"code": REQUIRED, "msg": ""},
    "incomplete": {},
    # What an answer says of itself; None stays true.
    "meta": {"count": None, "start_date": None, "end_date": None, "currency": None},
    # A page of rows: it begins with the last row of the page before, has no rows, or leads to itself; its count lies.
    "page_again": {},
    "empty_page": {},
    "cursor_loop": {},
    "count": {"count": REQUIRED},
    # An export: what is said of how far it is; it holds the first rows alone; its total lies.
    "state": {"status": REQUIRED, "error": ""},
    "truncate": {"rows": REQUIRED},
    "total": {"total": REQUIRED},
}

# What can be wrong in a file. None as a row's app or a column: the sandbox chooses one that is there.
DATA_FAULTS: Mapping[str, Mapping[str, Any]] = {
    "duplicate_row": {},
    "wrong_day": {"to": None},
    "drop_column": {"column": REQUIRED},
    "rename_column": {"column": REQUIRED, "to": REQUIRED},
    "extra_column": {"column": "Surprise", "value": "1"},
    "duplicate_header": {"column": None},
    "repeat_header": {},
    "bad_value": {"column": REQUIRED, "value": REQUIRED},
    # Every value of a column, in which what matches a pattern is something else.
    "edit_values": {"column": REQUIRED, "pattern": REQUIRED, "to": REQUIRED},
    # One row more, of the day of the first: the sums of some columns, a text in others.
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
    """One scripted fault and how far its script has come."""

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
        """Whether the request is carried out although its answer is lost."""
        return bool(self.parameters.get("effect", True))

    def aims_at(self, source: str | None, first: date | None, last: date | None) -> bool:
        """Whether a request for `source` from `first` to `last` (None: about no report) is meant."""
        if self.source is not None and self.source != source:
            return False
        return self.day is None or (first is not None and last is not None and first <= self.day <= last)

    def occurs(self) -> bool:
        """Count one more request that this is meant for; whether the script says that it goes wrong."""
        self.seen += 1
        return self.seen > self.after and (self.times is None or self.struck < self.times)

    def as_json(self) -> dict[str, Any]:
        """The fault as JSON can carry it."""
        return {**self.__dict__, "day": None if self.day is None else self.day.isoformat()}


class Faults:
    """The faults scripted now. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._points: dict[str, frozenset[str]] = {}
        self._data_points: set[str] = set()
        self._faults: list[Fault] = []
        self._last = 0

    def learn(self, points: Mapping[str, frozenset[str]], data_point: str) -> None:
        """Know a provider's endpoints, each with what its handler carries out, and the point of its files."""
        self._points.update(points)
        self._data_points.add(data_point)

    def add(
        self,
        point: str,
        *,
        do: str,
        times: int | Literal["usual"] | None = "usual",
        after: int = 0,
        source: str | None = None,
        day: str | date | None = None,
        **parameters: Any,
    ) -> int:
        """Script a fault; returns its number, for `remove`.

        Every fault counts the requests that it is meant for, from the moment it is added: the first `after` of them
        pass, then `times` go wrong. Where several faults fall on one request the first added strikes, and the others
        keep their turn. Faults in a file all strike together.

        Args:
            point: Where: an endpoint's point, a provider's data point, or `*` for every endpoint.
            do: What: a name of ANSWER_FAULTS, of HANDLER_FAULTS where the endpoint carries it out, or of DATA_FAULTS.
            times: How many times; None means until removed. Usual: once for an answer, until removed for a file.
            after: How many requests pass unharmed first.
            source: Only requests for this source of reports.
            day: Only requests whose days include this one; in a file, also the day whose rows are harmed.
            parameters: What the fault itself needs.

        Raises:
            ValueError: No such point or fault there, or a parameter is missing or unknown.
        """
        known = self._known(point, do)
        if unknown := sorted(set(parameters) - set(known)):
            raise ValueError(f"{do} takes no {', '.join(unknown)}; it takes: {', '.join(known) or 'nothing'}")
        filled = {**known, **parameters}
        if missing := sorted(name for name, value in filled.items() if value is REQUIRED):
            raise ValueError(f"{do} needs {', '.join(missing)}")
        if times == "usual":
            times = None if do in DATA_FAULTS else 1
        with self._lock:
            self._last += 1
            aimed = date.fromisoformat(day) if isinstance(day, str) else day
            self._faults.append(Fault(self._last, point, do, filled, times, after, source, aimed))
            return self._last

    def remove(self, number: int) -> None:
        """Take one fault back; one that is not there is passed over."""
        with self._lock:
            self._faults = [fault for fault in self._faults if fault.number != number]

    def clear(self) -> None:
        """Take every fault back."""
        with self._lock:
            self._faults.clear()

    def scripted(self) -> list[Fault]:
        """Every fault added and not taken back, those that have run out included."""
        with self._lock:
            return list(self._faults)

    def strike(self, point: str, source: str | None, first: date | None, last: date | None) -> Fault | None:
        """The fault that this request to `point` suffers, if any."""
        due = self._due((point, ANYWHERE), source, first, last, most=1)
        return due[0] if due else None

    def damage(self, point: str, source: str, first: date, last: date) -> list[Fault]:
        """Every fault that the file made now suffers, in the order they were added."""
        return self._due((point,), source, first, last, most=None)

    def _due(
        self, points: tuple[str, ...], source: str | None, first: date | None, last: date | None, *, most: int | None
    ) -> list[Fault]:
        with self._lock:
            meant = [fault for fault in self._faults if fault.point in points and fault.aims_at(source, first, last)]
            due = [fault for fault in meant if fault.occurs()][:most]
            for fault in due:
                fault.struck += 1
            return due

    def _known(self, point: str, do: str) -> Mapping[str, Any]:
        if point in self._data_points:
            found = DATA_FAULTS.get(do)
        elif point == ANYWHERE:
            found = ANSWER_FAULTS.get(do)
        elif point in self._points:
            here = {name: needs for name, needs in HANDLER_FAULTS.items() if name in self._points[point]}
            found = {**ANSWER_FAULTS, **here}.get(do)
        else:
            places = ", ".join((*sorted(self._points), *sorted(self._data_points), ANYWHERE))
            raise ValueError(f"no point {point!r}; there are: {places}")
        if found is None:
            raise ValueError(f"{do!r} cannot happen at {point}")
        return found
