"""Who may ask, and how much: keys, requests a minute, exports a day (IN1, IN8, IN10)."""

import hashlib
import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from reporting_dags.sandbox.endpoint import Call
from reporting_dags.sandbox.integr8.asked import RefusedError
from reporting_dags.sandbox.integr8.settings import Integr8Settings
from reporting_dags.sandbox.owner import ORDINARY


def _derived(name: str) -> str:
    # Derived, so that it looks like the provider's and no scanner takes it for a real one.
    return hashlib.sha256(f"sandbox integr8 {name}".encode()).hexdigest()


ORGANIZATION = _derived("organization")[:24]
INTEGRATION = _derived("integration")[:24]


@dataclass(frozen=True)
class Account:
    """A user's key, and the one integration of the user's organization, which has the data."""

    name: str
    api_key: str
    integration_id: str = INTEGRATION
    organization_id: str = ORGANIZATION
    revoked: bool = False
    limited: bool = False


def _other(name: str) -> Account:
    """The user of another organization."""
    integration, organization = (_derived(f"{kind} of {name}")[:24] for kind in ("integration", "organization"))
    return Account(name, _derived(name), integration, organization)


ACCOUNTS = (
    Account(ORDINARY, _derived("ordinary")),
    _other("other"),
    Account("revoked", _derived("revoked"), revoked=True),
    Account("limited", _derived("limited"), limited=True),
)


class Gate:
    """Lets requests in, and counts them."""

    def __init__(self) -> None:
        self._requests: defaultdict[str, list[datetime]] = defaultdict(list)
        self._exports: Counter[tuple[str, date]] = Counter()

    def reset(self) -> None:
        """Forget every request."""
        self._requests.clear()
        self._exports.clear()

    def admitted(self, call: Call, settings: Integr8Settings) -> Account:
        """Whose request it is. A: a refused request does not count against the limit.

        Raises:
            RefusedError: The key is wrong or has no permission, or there were too many requests.
        """
        key = call.headers.get("api-key")
        account = next((one for one in ACCOUNTS if one.api_key == key and not one.revoked), None)
        if account is None:
            raise RefusedError(401, "No valid API key provided.")
        call.facts["account"] = account.name
        if account.limited:
            raise RefusedError(403, "The API key doesn't have permissions to perform the request.")
        minute = timedelta(seconds=60)
        recent = [at for at in self._requests[account.name] if at > call.now - minute]
        self._requests[account.name] = recent
        if len(recent) >= settings.requests_per_minute:
            wait = (recent[0] + minute - call.now).total_seconds() if recent else 60
            raise RefusedError(429, "Too many requests hit the API too quickly.", math.ceil(wait))
        recent.append(call.now)
        return account

    def check_exports(self, account: Account, today: date, settings: Integr8Settings) -> None:
        """Whether the account may make one more export.

        Raises:
            RefusedError: It has made as many as it may today.
        """
        if self._exports[account.name, today] >= settings.exports_per_day:
            raise RefusedError(settings.quota_status, f"Only {settings.exports_per_day} exports a day are allowed.")

    def count_export(self, account: Account, today: date) -> None:
        """Note one more export."""
        self._exports[account.name, today] += 1
