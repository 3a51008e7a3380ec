"""Every shipped provider keeps the contract of providers; the sandbox emulates its API."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any, ClassVar

import requests

from reporting_dags.model.clock import Clock
from reporting_dags.reports.registry import SHIPPED
from reporting_dags.sandbox.server import running_sandbox
from reporting_dags.testing.provider_contract import Call, Data, ProviderContract, Reply
from reporting_dags_tests.conftest import NOON, SandboxClock
from reporting_dags_tests.torture.answers_targets import (
    MINTEGRAL,
    OFFER_WALL,
    ORANGECLICK,
    POSTBACKS,
    USER_LEVEL,
    Target,
)

PROVIDERS = {provider.key: provider for provider in SHIPPED}
NOT_FORWARDED = {"host", "connection", "content-length", "accept-encoding"}
NOT_RETURNED = {"connection", "content-length", "content-encoding", "transfer-encoding", "date", "server"}


class SandboxContract(ProviderContract):
    """A provider that the sandbox emulates: the server of the contract forwards its calls."""

    now = NOON
    max_range = 20
    target: ClassVar[Target]
    empty: ClassVar[Mapping[str, Any]] = {"empty_days": [NOON.date().replace(day=19).isoformat()]}

    @contextmanager
    def api(self) -> Generator[None]:
        with running_sandbox(seed=7, at=NOON, frozen=True) as self.sandbox:
            account = self.target.account(self.sandbox)
            self.base_path = account.pop("base_url").removeprefix(self.sandbox.url)
            self.settings = {**account, **self.target.settings}
            self.secrets = [value for name, value in account.items() if name != "integration_id"]
            self.sandbox.settings.change(self.target.provider, **self.target.switches)
            yield

    def make_clock(self) -> Clock:
        return SandboxClock(self.sandbox)

    def show(self, data: Data) -> None:
        super().show(data)
        switches = {**self.target.switches}
        if data is Data.EMPTY:
            switches.update(self.empty)
        if data is Data.RESTATED:
            self.sandbox.clock.advance(24 * 3600)
            switches.update(self.target.moves)
        self.sandbox.settings.change(self.target.provider, **switches)

    def forget(self) -> None:
        self.sandbox.reset()
        self.sandbox.settings.change(self.target.provider, **self.target.switches)

    def reply(self, call: Call, data: Data) -> Reply:
        response = requests.request(
            call.method,
            self.sandbox.url + call.target,
            headers={name: value for name, value in call.headers.items() if name not in NOT_FORWARDED},
            data=call.body,
            allow_redirects=False,
            timeout=30,
        )
        headers = {name: value for name, value in response.headers.items() if name.lower() not in NOT_RETURNED}
        body = response.content.replace(self.sandbox.url.encode(), self.url.encode())
        return Reply(status=response.status_code, body=body, headers=headers)

    def rows(self, day: date, data: Data) -> int:
        return len(self.sandbox.truth(self.report.key, day))


class TestOfferWall(SandboxContract):
    provider = PROVIDERS["dt_offer_wall"]
    target = OFFER_WALL
    report = OFFER_WALL.report

    def is_counted(self, call: Call, earlier: Sequence[Call]) -> bool:
        return call.method == "POST" and call.path.endswith("/offerwall")


class TestUserLevel(SandboxContract):
    provider = PROVIDERS["dt_user_level"]
    target = USER_LEVEL
    report = USER_LEVEL.report

    def is_counted(self, call: Call, earlier: Sequence[Call]) -> bool:
        return call.method == "POST" and call.path.endswith("/user-level-data")


class TestMintegral(SandboxContract):
    provider = PROVIDERS["mintegral"]
    target = MINTEGRAL
    report = MINTEGRAL.report

    def is_counted(self, call: Call, earlier: Sequence[Call]) -> bool:
        """The same parameters are the same job (MT2)."""
        return call.query["type"] == "1" and call.target not in {other.target for other in earlier}


class TestOrangeClick(SandboxContract):
    provider = PROVIDERS["orangeclick"]
    target = ORANGECLICK
    report = ORANGECLICK.report


class TestIntegr8(SandboxContract):
    provider = PROVIDERS["integr8"]
    target = POSTBACKS
    report = POSTBACKS.report
    empty: ClassVar[Mapping[str, Any]] = {"rows_factor": 0.0}

    def is_counted(self, call: Call, earlier: Sequence[Call]) -> bool:
        return call.method == "POST"


def test_every_shipped_provider_has_a_test_class_of_the_contract() -> None:
    held = {contract.provider.key for contract in SandboxContract.__subclasses__()}
    assert held == set(PROVIDERS)
