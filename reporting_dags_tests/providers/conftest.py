"""One sandbox for every test of a client: starting and stopping one for each would take most of their time."""

from collections.abc import Generator

import pytest

from reporting_dags.sandbox.server import Sandbox, running_sandbox
from reporting_dags_tests.conftest import NOON


@pytest.fixture(scope="session")
def one_sandbox() -> Generator[Sandbox]:
    with running_sandbox(seed=7, at=NOON, frozen=True) as running:
        yield running


@pytest.fixture
def sandbox(one_sandbox: Sandbox) -> Sandbox:
    """As new, on a still clock."""
    one_sandbox.reset()
    return one_sandbox
