"""Providers are registered in one place: the shipped ones, and those of packages that are installed beside them."""

from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from reporting_dags.definitions import definitions
from reporting_dags.local import sandbox_environment
from reporting_dags.model.errors import DeclarationError
from reporting_dags.orchestration.keys import key_of
from reporting_dags.providers.mintegral.resource import MintegralResource
from reporting_dags.reports import registry
from reporting_dags.reports.mintegral import OFFER_PERFORMANCE
from reporting_dags.reports.registry import SHIPPED, RegisteredProvider, all_providers, all_reports
from reporting_dags.sandbox.server import Sandbox


class AcmeResource(MintegralResource):
    variable_prefix = "ACME"


ACME = RegisteredProvider("acme", AcmeResource, (replace(OFFER_PERFORMANCE, provider="acme"),))
NO_PROVIDER = "a text"
STRANGER = RegisteredProvider("stranger", AcmeResource, (OFFER_PERFORMANCE,))
TWIN = RegisteredProvider("mintegral", AcmeResource, ())
TWICE = RegisteredProvider("twice", AcmeResource, [replace(OFFER_PERFORMANCE, provider="twice")] * 2)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes a name of this module an entry point of an installed package."""

    def install(name: str, value: str | None = None) -> None:
        point = EntryPoint(name, value or f"{__name__}:{name.upper()}", registry.ENTRY_POINT_GROUP)

        def entry_points(group: str) -> list[EntryPoint]:
            return [point] if group == point.group else []

        monkeypatch.setattr(registry, "entry_points", entry_points)

    registry.installed_providers.cache_clear()
    yield install
    registry.installed_providers.cache_clear()


def test_every_shipped_provider_has_reports_of_its_own_key() -> None:
    for provider in SHIPPED:
        assert provider.reports
        assert {report.provider for report in provider.reports} == {provider.key}


def test_a_provider_of_an_installed_package_gets_assets_resource_schedule_and_sensor(installed: Any) -> None:
    installed("acme")
    assert ACME in all_providers()
    assert ACME.reports[0] in all_reports()
    loaded = definitions()
    assert isinstance((loaded.resources or {})["acme"], AcmeResource)
    assert loaded.resolve_assets_def(key_of(ACME.reports[0]))
    names = {*(one.name for one in loaded.schedules or ()), *(one.name for one in loaded.sensors or ())}
    assert sum("acme" in name for name in names) == 2


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("no_provider", None, "provider no_provider of .*: .*:NO_PROVIDER is not a RegisteredProvider"),
        ("stranger", None, "provider stranger: report mintegral/offer_performance belongs to another provider"),
        ("twin", None, "provider mintegral: registered twice"),
        ("twice", None, "reports/twice.py: twice/offer_performance: name: declared twice"),
        ("gone", "reporting_dags_gone:PROVIDER", "provider gone of .* cannot be loaded: ModuleNotFoundError"),
    ],
)
def test_a_package_that_registers_wrongly_is_named_in_one_line(
    installed: Any, name: str, value: str | None, line: str
) -> None:
    installed(name, value)
    with pytest.raises(DeclarationError, match=line) as refused:
        all_providers()
    assert "\n" not in str(refused.value)


def test_variables_of_an_installed_provider_do_not_reach_the_demo(
    installed: Any, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed("acme")
    monkeypatch.setenv("ACME_ACCESS_KEY", "mine")
    environment = sandbox_environment(sandbox.url, tmp_path)
    assert [name for name in environment if name.startswith("ACME_")] == []
