"""Who may ask: accounts, and the tokens that prove each call (MT1)."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from reporting_dags.sandbox.endpoint import Call
from reporting_dags.sandbox.mintegral.question import RefusedError
from reporting_dags.sandbox.mintegral.settings import MintegralSettings


@dataclass(frozen=True)
class Account:
    """An advertiser's key pair; a revoked one was deleted in the provider's console."""

    name: str
    access_key: str
    api_key: str
    revoked: bool = False


def _account(name: str, *, revoked: bool = False) -> Account:
    # Derived, so that they look like the provider's and no scanner takes them for real ones.
    digest = hashlib.sha256(f"sandbox mintegral {name}".encode()).hexdigest()
    return Account(name, digest[:32], digest[32:], revoked)


ACCOUNTS = (_account("ordinary"), _account("other"), _account("revoked", revoked=True))


def token(api_key: str, timestamp: str) -> str:
    """The token that belongs to a key and a Unix time (MT1)."""
    return _md5(api_key + _md5(timestamp))


def holder(call: Call, settings: MintegralSettings) -> Account:
    """The account that the call's headers speak for; calls of one second share their token.

    Raises:
        RefusedError: They speak for none (MT1).
    """
    key, timestamp, given = (call.headers.get(name, "") for name in ("access-key", "timestamp", "token"))
    if not key or not timestamp or not given:
        raise RefusedError("access-key, timestamp and token are required")
    found = next((one for one in ACCOUNTS if one.access_key == key), None)
    if found is None or found.revoked or key in settings.disabled_access_keys:
        raise RefusedError("access-key is invalid")
    if not _is_near(timestamp, call.now, settings.token_seconds):
        raise RefusedError("timestamp is invalid or expired")
    if given != token(found.api_key, timestamp):
        raise RefusedError("token is invalid")
    return found


def _is_near(timestamp: str, now: datetime, seconds: int) -> bool:
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        return False
    return abs(now.timestamp() - int(timestamp)) <= seconds


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
