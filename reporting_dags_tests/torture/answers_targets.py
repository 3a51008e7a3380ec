"""What hostile responses are aimed at: each way in which a report lands, and what it costs there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from reporting_dags.model.days import SNAPSHOT
from reporting_dags.model.report import Report
from reporting_dags.providers.digital_turbine.resource import OfferWallResource, UserLevelResource
from reporting_dags.providers.integr8.fields import CONVERSION_FIELDS
from reporting_dags.providers.integr8.report import integr8_log
from reporting_dags.providers.integr8.resource import Integr8Resource
from reporting_dags.providers.mintegral.resource import MintegralResource
from reporting_dags.providers.orangeclick.resource import OrangeClickResource
from reporting_dags.providers.resource import ProviderResource
from reporting_dags.reports import dt_offer_wall, dt_user_level, integr8, mintegral, orangeclick
from reporting_dags.sandbox.digital_turbine.user_level import USER_LEVEL_APPS
from reporting_dags.sandbox.request_log import LogEntry
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.conftest import NOON


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Target:
    """A report, where its responses come from, and which of them are bought.

    Attributes:
        name: as rows call it.
        report: that is pulled.
        resource: makes the client.
        provider: its name in the sandbox.
        ask: point of the call that buys a response.
        file: point of the response itself.
        damage: which of the sandbox's files are meant, for damage inside them.
        bought: whether a request at `ask` was carried out, so that it may have cost something.
        switches: of the sandbox, under which no day is empty by chance, and a day's truth is another a day later.
        moves: of the sandbox, from that later day on, where time alone does not move the truth.
        settings: of the resource, besides the account.
        answers: how many responses are bought for the days together; none where nothing is.
        days: that are struck.
    """

    name: str
    report: Report
    resource: type[ProviderResource]
    provider: str
    ask: str
    file: str
    damage: str
    bought: Callable[[LogEntry], bool]
    switches: Mapping[str, Any] = field(default_factory=dict[str, Any])
    moves: Mapping[str, Any] = field(default_factory=dict[str, Any])
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    answers: int = 1
    days: tuple[date, ...] = (NOON.date() - timedelta(days=2), NOON.date() - timedelta(days=1))

    def account(self, sandbox: Sandbox) -> dict[str, str]:
        """The fields of the resource that name the sandbox and its ordinary account."""
        found = sandbox.providers[self.provider].credentials["ordinary"]
        path, names = _ACCOUNTS[self.provider]
        return {"base_url": sandbox.url + path, **{name: getattr(found, of) for name, of in names.items()}}


_ACCOUNTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "dt": ("", {"client_id": "client_id", "client_secret": "client_secret"}),
    "mintegral": ("", {"access_key": "access_key", "api_key": "api_key"}),
    "orangeclick": ("/api/v1", {"api_token": "api_token"}),
    "integr8": ("/api/v2", {"api_key": "api_key", "integration_id": "integration_id"}),
}


def _with(fact: str) -> Callable[[LogEntry], bool]:
    return lambda entry: fact in entry.facts


OFFER_WALL = Target(
    name="DT Offer Wall",
    report=dt_offer_wall.PERFORMANCE,
    resource=OfferWallResource,
    provider="dt",
    ask="dt.report",
    file="dt.file",
    damage="dt.data",
    bought=_with("id"),
    switches={"empty_day_one_in": 0},
)
USER_LEVEL = Target(
    name="DT User Level",
    report=dt_user_level.REVENUE,
    resource=UserLevelResource,
    provider="dt",
    ask="dt.user_level",
    file="dt.file",
    damage="dt.data",
    bought=_with("id"),
    settings={"app_ids": ",".join(USER_LEVEL_APPS[:2])},
    answers=2,
    switches={"empty_day_one_in": 0, "user_level_disabled_apps": USER_LEVEL_APPS[2:]},
    days=(NOON.date() - timedelta(days=1),),
)
MINTEGRAL = Target(
    name="Mintegral",
    report=mintegral.OFFER_PERFORMANCE,
    resource=MintegralResource,
    provider="mintegral",
    ask="mintegral.generate",
    file="mintegral.download",
    damage="mintegral.data",
    # The same parameters are the same job (MT2): only a new one is accepted with 201.
    bought=lambda entry: entry.facts.get("code") == "201",
    answers=0,
    switches={"empty_day_one_in": 0, "restate_days": 10},
)
MINTEGRAL_HOURLY = replace(MINTEGRAL, name="Mintegral by the hour", report=mintegral.OFFER_PERFORMANCE_HOURLY)
ORANGECLICK = Target(
    name="OrangeClickMedia",
    report=orangeclick.EARNINGS,
    resource=OrangeClickResource,
    provider="orangeclick",
    ask="orangeclick.generate",
    file="orangeclick.generate",
    damage="orangeclick.data",
    bought=_with("rows"),
    switches={"empty_day_one_in": 0, "restate_days": 10},
)
EXPORT = Target(
    name="Integr8 export",
    report=integr8.CONVERSIONS,
    resource=Integr8Resource,
    provider="integr8",
    ask="integr8.export",
    file="integr8.file",
    damage="integr8.data",
    bought=_with("id"),
    switches={"empty_day_one_in": 0},
)
POSTBACKS = Target(
    name="Integr8 postbacks",
    report=integr8.POSTBACKS,
    resource=Integr8Resource,
    provider="integr8",
    ask="integr8.export",
    file="integr8.file",
    damage="integr8.data",
    bought=_with("id"),
    switches={"empty_day_one_in": 0, "rows_factor": 1.5},
    moves={"rows_factor": 1.7},
)
TABLE = Target(
    name="Integr8 table",
    report=integr8_log(
        name="conversions",
        log="conversions",
        fields=CONVERSION_FIELDS,
        grain=("real_tx_id", "event_id"),
        method="table",
    ),
    resource=Integr8Resource,
    provider="integr8",
    ask="integr8.conversion_table",
    file="integr8.conversion_table",
    damage="integr8.data",
    bought=lambda _: False,
    answers=0,
    switches={"empty_day_one_in": 0, "rows_factor": 1.5},
    moves={"rows_factor": 1.7},
    days=(NOON.date() - timedelta(days=1),),
)
LIST = Target(
    name="Integr8 list",
    report=integr8.OFFERS,
    resource=Integr8Resource,
    provider="integr8",
    ask="integr8.offers",
    file="integr8.offers",
    damage="integr8.data",
    bought=lambda _: False,
    answers=0,
    moves={"null_texts": False},
    days=(SNAPSHOT,),
)
FILES = (OFFER_WALL, USER_LEVEL, MINTEGRAL, ORANGECLICK, EXPORT)
"""Where a response is one file."""
PAGED = (TABLE, LIST)
"""Where it comes in pages."""
