"""The quick form of the changes of accounts, settings and declarations."""

import pytest

from reporting_dags_tests.torture import changes
from reporting_dags_tests.torture.row import held


@pytest.mark.timeout(600)
def test_nothing_stored_is_lost_by_changes_and_repeated_runs() -> None:
    assert len(held(changes.quick())) == 7
