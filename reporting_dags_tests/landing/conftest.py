import resource
import signal
from collections.abc import Generator
from pathlib import Path

import pytest

from reporting_dags_tests.landing.answers import Bench


@pytest.fixture
def context(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def small_files() -> Generator[None]:
    """Files of this process cannot pass 64 KiB: writes fail as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)
