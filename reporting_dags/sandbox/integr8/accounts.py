"""Accounts, their API keys, rate limit and daily export quota (IN1, IN8, IN10)."""

import hashlib
import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from reporting_dags.sandbox.data_owner import ORDINARY
from reporting_dags.sandbox.endpoint import Call
from reporting_dags.sandbox.integr8.parameters import RefusedError
from reporting_dags.sandbox.integr8.settings import Integr8Settings


def _derived(name: str) -> str:
    # Derived by a hash, so that it looks real but is not reported by secret scanners.
    return hashlib.sha256(f"sandbox integr8 {name}".encode()).hexdigest()


ORGANIZATION = _derived("organization")[:24]
INTEGRATION = _derived("integration")[:24]


@dataclass(frozen=True)
class Account:
    """A user with an API key, and the integration of the user's organization, which has the data."""

    name: str
    api_key: str
    integration_id: str = INTEGRATION
    organization_id: str = ORGANIZATION
    revoked: bool = False
    limited: bool = False


def _other(name: str) -> Account:
    """Return a user of another organization."""
    integration, organization = (_derived(f"{kind} of {name}")[:24] for kind in ("integration", "organization"))
    return Account(name, _derived(name), integration, organization)


ACCOUNTS = (
    Account(ORDINARY, _derived("ordinary")),
    _other("other"),
    Account("revoked", _derived("revoked"), revoked=True),
    Account("limited", _derived("limited"), limited=True),
)


class AccessControl:
    """Authenticates requests, and enforces the rate limit and the export quota."""

    def __init__(self) -> None:
        self._requests: defaultdict[str, list[datetime]] = defaultdict(list)
        self._exports: Counter[tuple[str, date]] = Counter()

    def reset(self) -> None:
        """Delete all counters."""
        self._requests.clear()
        self._exports.clear()

    def authorize(self, call: Call, settings: Integr8Settings) -> Account:
        """Return the account of a request and count it. A: a refused request does not count against the rate limit.

        Raises:
            RefusedError: the key is wrong or has no permission, or the rate limit is exceeded.
        """
        key = call.headers.get("api-key")
        account = next((account for account in ACCOUNTS if account.api_key == key and not account.revoked), None)
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
        """Check the export quota of an account.

        Raises:
            RefusedError: the quota of today is used up.
        """
        if self._exports[account.name, today] >= settings.exports_per_day:
            raise RefusedError(settings.quota_status, f"Only {settings.exports_per_day} exports a day are allowed.")

    def count_export(self, account: Account, today: date) -> None:
        """Count an export."""
        self._exports[account.name, today] += 1
