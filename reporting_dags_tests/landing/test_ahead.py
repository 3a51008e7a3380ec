"""Two threads, neither of which can leave the other hanging."""

import threading
import time
from collections.abc import Iterator

import pytest

from reporting_dags.landing.writing.prefetch import Prefetch


def test_items_come_in_order() -> None:
    with Prefetch(range(100), depth=3) as items:
        assert list(items) == list(range(100))


def test_what_the_thread_raises_is_raised_here() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise SystemExit("gone")

    with Prefetch(source(), depth=1) as items:
        assert next(items) == 1
        with pytest.raises(SystemExit, match="gone"):
            next(items)


def test_it_stays_no_further_ahead_than_asked() -> None:
    drawn: list[int] = []

    def source() -> Iterator[int]:
        for n in range(100):
            drawn.append(n)
            yield n

    with Prefetch(source(), depth=2) as items:
        next(items)
        time.sleep(0.3)
        assert len(drawn) <= 4


def test_leaving_early_ends_the_thread() -> None:
    before = threading.active_count()

    def endless() -> Iterator[int]:
        while True:
            yield 1

    with Prefetch(endless(), depth=1) as items:
        next(items)
    assert threading.active_count() == before
