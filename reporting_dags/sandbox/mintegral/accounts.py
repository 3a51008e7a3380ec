"""Accounts, and the token that authenticates each call (MT1)."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from reporting_dags.sandbox.endpoint import Call
from reporting_dags.sandbox.mintegral.report_request import RefusedError
from reporting_dags.sandbox.mintegral.settings import MintegralSettings


@dataclass(frozen=True)
class Account:
    """The access key and API key of an advertiser; a revoked account was deleted in the provider's console."""

    name: str
    access_key: str
    api_key: str
    revoked: bool = False


def _account(name: str, *, revoked: bool = False) -> Account:
    # Derived by a hash, so that they look real but are not reported by secret scanners.
    digest = hashlib.sha256(f"sandbox mintegral {name}".encode()).hexdigest()
    return Account(name, digest[:32], digest[32:], revoked)


ACCOUNTS = (_account("ordinary"), _account("other"), _account("revoked", revoked=True))


def token(api_key: str, timestamp: str) -> str:
    """Return the token for an API key and a Unix time (MT1)."""
    return _md5(api_key + _md5(timestamp))


def authenticate(call: Call, settings: MintegralSettings) -> Account:
    """Return the account of a call, from its headers.

    Raises:
        RefusedError: a header is missing or wrong (MT1).
    """
    key, timestamp, given = (call.headers.get(name, "") for name in ("access-key", "timestamp", "token"))
    if not key or not timestamp or not given:
        raise RefusedError("access-key, timestamp and token are required")
    account = next((account for account in ACCOUNTS if account.access_key == key), None)
    if account is None or account.revoked or key in settings.disabled_access_keys:
        raise RefusedError("access-key is invalid")
    if not _is_near(timestamp, call.now, settings.token_seconds):
        raise RefusedError("timestamp is invalid or expired")
    if given != token(account.api_key, timestamp):
        raise RefusedError("token is invalid")
    return account


def _is_near(timestamp: str, now: datetime, seconds: int) -> bool:
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        return False
    return abs(now.timestamp() - int(timestamp)) <= seconds


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
