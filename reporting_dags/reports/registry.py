"""THE list of providers: the resource that calls each network, and the reports that are pulled from it.

Dagster's definitions, the commands, the demo, the benchmarks and the tests read this list, so that a provider is added
in one line. A package outside this repository adds one by an entry point:

    [project.entry-points."reporting_dags.providers"]
    acme = "reporting_dags_acme:PROVIDER"
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from reporting_dags.model.errors import DeclarationError
from reporting_dags.model.report import Report
from reporting_dags.providers.digital_turbine.resource import OfferWallResource, UserLevelResource
from reporting_dags.providers.integr8.resource import Integr8Resource
from reporting_dags.providers.mintegral.resource import MintegralResource
from reporting_dags.providers.orangeclick.resource import OrangeClickResource
from reporting_dags.providers.resource import ProviderResource
from reporting_dags.reports import dt_offer_wall, dt_user_level, integr8, mintegral, orangeclick

ENTRY_POINT_GROUP = "reporting_dags.providers"


@dataclass(frozen=True, slots=True)
class RegisteredProvider:
    """A provider: how it is called, and what is pulled from it.

    Attributes:
        key: first part of its asset keys, and the key of its Dagster resource.
        resource: the resource class, which makes clients from settings and variables.
        reports: the declared reports.
    """

    key: str
    resource: type[ProviderResource]
    reports: Sequence[Report]


SHIPPED = (
    RegisteredProvider("dt_offer_wall", OfferWallResource, dt_offer_wall.REPORTS),
    RegisteredProvider("dt_user_level", UserLevelResource, dt_user_level.REPORTS),
    RegisteredProvider("mintegral", MintegralResource, mintegral.REPORTS),
    RegisteredProvider("orangeclick", OrangeClickResource, orangeclick.REPORTS),
    RegisteredProvider("integr8", Integr8Resource, integr8.REPORTS),
)


def all_providers() -> tuple[RegisteredProvider, ...]:
    """Return the shipped providers, then those of installed packages by name.

    Raises:
        DeclarationError: two providers share a key, or two reports do; a report has another provider's key; or an
            installed package cannot be loaded.
    """
    providers = (*SHIPPED, *installed_providers())
    keys = [provider.key for provider in providers]
    for provider in providers:
        if keys.count(provider.key) > 1:
            raise DeclarationError(f"provider {provider.key}: registered twice. Fix: uninstall one of the packages")
        names = [report.key for report in provider.reports]
        for report in provider.reports:
            if names.count(report.key) > 1:
                raise DeclarationError(f"reports/{report.provider}.py: {report.key}: name: declared twice")
            if report.provider != provider.key:
                raise DeclarationError(f"provider {provider.key}: report {report.key} belongs to another provider")
    return providers


def all_reports() -> tuple[Report, ...]:
    """Return the declared reports of every provider; raises as `all_providers`."""
    return tuple(report for provider in all_providers() for report in provider.reports)


@cache
def installed_providers() -> tuple[RegisteredProvider, ...]:
    """Return the providers of installed packages, by the name of their entry point."""
    points = sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name)
    return tuple(_loaded(point) for point in points)


def _loaded(point: EntryPoint) -> RegisteredProvider:
    package = point.dist.name if point.dist is not None else point.value
    try:
        provider = point.load()
    except DeclarationError:
        raise
    # Whatever the package raises when it is imported, the reader needs its name and the reason.
    except Exception as error:
        raise DeclarationError(
            f"provider {point.name} of {package} cannot be loaded: {type(error).__name__}: {error}. "
            "Fix: upgrade or uninstall the package"
        ) from error
    if not isinstance(provider, RegisteredProvider):
        raise DeclarationError(f"provider {point.name} of {package}: {point.value} is not a RegisteredProvider")
    return provider
