"""Who may ask, and how often (OC1, OC2)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

WINDOW = timedelta(seconds=60)


@dataclass(frozen=True)
class Account:
    """A user and the API token that OrangeClickMedia gave out; a revoked one is not accepted."""

    name: str
    api_token: str
    revoked: bool = False


def _account(number: int, name: str, *, revoked: bool = False) -> Account:
    # Derived, so that they look like the provider's and no scanner takes them for real ones.
    digest = hashlib.sha256(f"sandbox orangeclick {name}".encode()).hexdigest()
    return Account(name, f"{number}|{digest[:48]}", revoked)


ACCOUNTS = (_account(41, "ordinary"), _account(42, "other"), _account(43, "revoked", revoked=True))


def holder(authorization: str | None, *, disabled: Sequence[str]) -> Account | None:
    """The account that an Authorization header speaks for; None where the answer is 401."""
    scheme, _, text = (authorization or "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    found = next((one for one in ACCOUNTS if one.api_token == text.strip()), None)
    return None if found is None or found.revoked or found.api_token in disabled else found


class Pace:
    """When each account made the requests that count, as long as that matters."""

    def __init__(self) -> None:
        self._made: dict[str, list[datetime]] = {}

    def wait(self, account: Account, *, now: datetime, most: int) -> timedelta | None:
        """How long `account` has to wait when it may make `most` requests in any minute; None: it need not."""
        made = [at for at in self._made.get(account.name, []) if now - at < WINDOW]
        self._made[account.name] = made
        if len(made) < most:
            return None
        return made[len(made) - most] + WINDOW - now if most else WINDOW

    def count(self, account: Account, now: datetime) -> None:
        """Note one more request."""
        self._made.setdefault(account.name, []).append(now)
