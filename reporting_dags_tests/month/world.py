"""What happens to the providers in the simulated month: late days, restated days, outages, an app and a domain lost."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from reporting_dags.model.days import ONE_DAY
from reporting_dags.sandbox.digital_turbine.settings import DtSettings
from reporting_dags.sandbox.digital_turbine.user_level import USER_LEVEL_APPS
from reporting_dags.sandbox.integr8.settings import Integr8Settings
from reporting_dags.sandbox.mintegral.settings import MintegralSettings
from reporting_dags.sandbox.orangeclick.settings import OrangeClickSettings
from reporting_dags.sandbox.provider_settings import ProviderSettings
from reporting_dags.sandbox.server import Sandbox

LONGEST_LATE = 6
"""Hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What is to happen, by day counted from the first.

    Attributes:
        days: how many are eventful.
        tail: how many follow in which nothing happens any more, but that the days before go on being restated.
        restated: until which age days change; User Level's until three days less than can be had.
        outages: days on which providers of the sandbox answer nothing.
        lost_app: days on which the first User Level app is refused.
        lost_domain: the day on which OrangeClickMedia silently lacks the domain that earns most.
    """

    days: int = 30
    tail: int = 12
    restated: int = 10
    outages: Mapping[int, tuple[str, ...]] = field(default_factory=lambda: {9: ("dt",), 19: ("orangeclick", "integr8")})
    lost_app: tuple[int, ...] = (22, 23)
    lost_domain: int = 13

    @property
    def switches(self) -> dict[str, ProviderSettings]:
        """How the sandbox begins. Reports take minutes to be made; OrangeClickMedia restates without having said so."""
        return {
            "dt": DtSettings(
                restate_days=self.restated, user_level_restate_days=min(6, self.restated), fill_seconds=600
            ),
            "mintegral": MintegralSettings(fill_seconds=300),
            "orangeclick": OrangeClickSettings(restate_days=self.restated),
            "integr8": Integr8Settings(restate_days=self.restated, fill_seconds=900, rows_factor=0.2),
        }

    @property
    def settles(self) -> Mapping[str, int]:
        """At which age a report's days have changed for the last time; the others never change."""
        return {
            "dt_offer_wall/performance": self.restated,
            "dt_user_level/revenue": min(6, self.restated),
            "orangeclick/earnings": self.restated,
            "integr8/conversions": self.restated,
        }


@dataclass(kw_only=True)
class World:
    """The providers, to whom the script happens.

    Attributes:
        sandbox: they.
        began: the first day.
        script: what is to happen.
        told: what has happened, a line each.
        domain: the one that was lost, once it has been.
    """

    sandbox: Sandbox
    began: date
    script: Script
    told: list[str] = field(default_factory=list[str])
    domain: str = ""

    def dawn(self, today: date) -> None:
        """Let `today` begin."""
        number = (today - self.began).days
        self._late(today - ONE_DAY, number)
        self._away(today, number)
        apps = USER_LEVEL_APPS[:1] if number in self.script.lost_app else ()
        self.sandbox.settings.change("dt", user_level_disabled_apps=tuple(apps))
        if apps:
            self.told.append(f"{today}: the app {apps[0]} is refused")
        if number == self.script.lost_domain:
            self.domain = largest_domain(self.sandbox, today - 2 * ONE_DAY)
            self.told.append(f"{today}: the domain {self.domain} is silently missing")
        lost = (self.domain,) if number == self.script.lost_domain else ()
        self.sandbox.settings.change("orangeclick", lost_domains=lost)

    def _late(self, yesterday: date, number: int) -> None:
        """Yesterday is late, by one to six hours, at one provider or another; a file of DT may come all the same."""
        hours, turn = 1 + number % LONGEST_LATE, number % 5 if 0 < number <= self.script.days else 0
        days = (yesterday.isoformat(),)
        kind = "partial" if number % 2 else "pending"
        dt = days if turn in (1, 3) else ()
        self.sandbox.settings.change("dt", late_days=dt, late_hours=float(hours), late=kind)
        orangeclick = days if turn == 2 else ()
        self.sandbox.settings.change("orangeclick", late_days=orangeclick, late_hours=float(hours))
        mintegral = days if turn in (2, 4) else ()
        self.sandbox.settings.change("mintegral", late_days=mintegral, late_minutes=90 + 60 * hours)
        late = [name for name, when in (("dt", dt), ("orangeclick", orangeclick), ("mintegral", mintegral)) if when]
        if late:
            self.told.append(f"{yesterday}: out {hours} hours late at {', '.join(late)}")

    def _away(self, today: date, number: int) -> None:
        self.sandbox.faults.clear()
        for provider in self.script.outages.get(number, ()):
            self.told.append(f"{today}: {provider} answers nothing")
            for endpoint in self.sandbox.providers[provider].endpoints:
                self.sandbox.faults.add(endpoint.point, do="status", status=503, times=None)


def largest_domain(sandbox: Sandbox, day: date) -> str:
    """The domain that earns most on a day."""
    earned: dict[str, float] = {}
    for row in sandbox.truth("orangeclick/earnings", day):
        earned[row["domain"]] = earned.get(row["domain"], 0.0) + float(row["earnings"] or 0)
    return max(earned, key=lambda name: earned[name])
