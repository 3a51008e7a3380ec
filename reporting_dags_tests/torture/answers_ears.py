"""What a run says to loggers, and whom it connects to."""

import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any


class _Connects:
    """Where this process connects to while it listens; what is heard is the sandbox's address or a trouble."""

    def __init__(self) -> None:
        self.heard: list[Any] | None = None
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect" and self.heard is not None:
            self.heard.append(arguments[1])


_connects: list[_Connects] = []


@contextmanager
def connections() -> Generator[list[Any]]:
    """Every address that is connected to within this context; a hook cannot be taken back, so there is one."""
    if not _connects:
        _connects.append(_Connects())
    heard: list[Any] = []
    _connects[0].heard = heard
    try:
        yield heard
    finally:
        _connects[0].heard = None


class Heard(logging.Handler):
    """What every logger of this process says."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))
