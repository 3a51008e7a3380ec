"""A few random kills of two backfills side by side."""

import pytest

from reporting_dags_tests.torture.kills import rows
from reporting_dags_tests.torture.row import held

_KILLS = 4


@pytest.mark.timeout(600)
def test_backfills_that_are_killed_at_random_end_exact() -> None:
    *ended, whole = held(rows(kills=_KILLS, days=10))
    assert len(ended) >= 4, "both were left alone once, and killed in their next runs"
    assert not any(row.extra > row.allowed for row in ended)
    assert int(whole.fault.split()[0]) >= _KILLS
