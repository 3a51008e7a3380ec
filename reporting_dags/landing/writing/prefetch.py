"""Produces items in a second thread, ahead of their consumer."""

import contextlib
import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
_PATIENCE_SECONDS = 0.1


class _End:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Prefetch(Generic[T]):
    """Reads `source` in its own thread, at most `depth` items ahead of the consumer.

    An error in the thread is raised in the consumer. Leaving the context ends the thread.
    """

    def __init__(self, source: Iterable[T], *, depth: int) -> None:
        self._source = source
        self._items: queue.Queue[T | _End] = queue.Queue(maxsize=depth)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._draw, name="landing-ahead", daemon=True)

    def __enter__(self) -> Iterator[T]:
        self._thread.start()
        return self._received()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        with contextlib.suppress(queue.Empty):
            while True:
                self._items.get_nowait()
        self._thread.join()

    def _draw(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._source:
                if not self._offer(item):
                    return
        # The consumer waits for an end: whatever happened here must reach it, or it would wait forever.
        except BaseException as raised:  # noqa: BLE001
            error = raised
        self._offer(_End(error))

    def _offer(self, item: T | _End) -> bool:
        while not self._stop.is_set():
            with contextlib.suppress(queue.Full):
                self._items.put(item, timeout=_PATIENCE_SECONDS)
                return True
        return False

    def _received(self) -> Iterator[T]:
        while True:
            item = self._items.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
