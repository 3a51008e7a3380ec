from collections.abc import Generator

import pytest

from reporting_dags.sandbox.server import Sandbox, running_sandbox
from reporting_dags_tests.sandbox.client import NOW, Client


@pytest.fixture(scope="session")
def one_sandbox() -> Generator[Sandbox]:
    with running_sandbox(seed=7, at=NOW, frozen=True) as running:
        yield running


@pytest.fixture
def sandbox(one_sandbox: Sandbox) -> Sandbox:
    """As new: a server for each test would take most of the tests' time."""
    one_sandbox.reset()
    return one_sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> Client:
    return Client(sandbox).log_in()
