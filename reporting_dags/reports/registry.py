"""The registry of providers: the resource class and the declared reports of each provider.

The Dagster definitions, the commands, the demo, the benchmarks and the tests all use this registry: one line adds a
provider. A package outside this repository adds a provider by an entry point:

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
    """A provider, with its resource class and its reports.

    Attributes:
        key: first part of the asset keys, and key of the Dagster resource.
        resource: the resource class, which creates API clients from settings and environment variables.
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
    """Return the shipped providers, then the providers of installed packages, sorted by name.

    Raises:
        DeclarationError: two providers or two reports have the same key, a report belongs to another provider, or an
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
    """Return the declared reports of all providers.

    Raises:
        DeclarationError: see `all_providers`.
    """
    return tuple(report for provider in all_providers() for report in provider.reports)


@cache
def installed_providers() -> tuple[RegisteredProvider, ...]:
    """Return the providers of installed packages, sorted by the name of their entry point.

    Raises:
        DeclarationError: a package cannot be loaded, or its entry point is not a `RegisteredProvider`.
    """
    points = sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name)
    return tuple(_load(point) for point in points)


def _load(point: EntryPoint) -> RegisteredProvider:
    package = point.dist.name if point.dist is not None else point.value
    try:
        provider = point.load()
    except DeclarationError:
        raise
    # The import of a package can raise any error; the message names the package and the reason.
    except Exception as error:
        raise DeclarationError(
            f"provider {point.name} of {package} cannot be loaded: {type(error).__name__}: {error}. "
            "Fix: upgrade or uninstall the package"
        ) from error
    if not isinstance(provider, RegisteredProvider):
        raise DeclarationError(f"provider {point.name} of {package}: {point.value} is not a RegisteredProvider")
    return provider
