from pathlib import Path

import pytest

from reporting_dags_tests.landing.answers import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
