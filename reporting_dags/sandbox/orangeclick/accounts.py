"""Accounts and their rate limit (OC1, OC2)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

WINDOW = timedelta(seconds=60)


@dataclass(frozen=True)
class Account:
    """A user and the API token of the user; a revoked token is not accepted."""

    name: str
    api_token: str
    revoked: bool = False


def _account(number: int, name: str, *, revoked: bool = False) -> Account:
    # Derived by a hash, so that they look real but are not reported by secret scanners.
    digest = hashlib.sha256(f"sandbox orangeclick {name}".encode()).hexdigest()
    return Account(name, f"{number}|{digest[:48]}", revoked)


ACCOUNTS = (_account(41, "ordinary"), _account(42, "other"), _account(43, "revoked", revoked=True))


def authenticate(authorization: str | None, *, disabled: Sequence[str]) -> Account | None:
    """Return the account of an Authorization header; None if the response must be 401."""
    scheme, _, text = (authorization or "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    account = next((account for account in ACCOUNTS if account.api_token == text.strip()), None)
    return None if account is None or account.revoked or account.api_token in disabled else account


class RateLimit:
    """The rate limit: the times of the counted requests of each account in the last minute."""

    def __init__(self) -> None:
        self._requests: dict[str, list[datetime]] = {}

    def wait_time(self, account: Account, *, now: datetime, limit: int) -> timedelta | None:
        """Return how long `account` must wait, with a limit of `limit` requests a minute; None if it can proceed."""
        recent = [at for at in self._requests.get(account.name, []) if now - at < WINDOW]
        self._requests[account.name] = recent
        if len(recent) < limit:
            return None
        return recent[len(recent) - limit] + WINDOW - now if limit else WINDOW

    def count(self, account: Account, now: datetime) -> None:
        """Count a request."""
        self._requests.setdefault(account.name, []).append(now)
