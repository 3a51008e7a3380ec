"""Accounts, their bearer tokens, and their used daily quota."""

import base64
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta


@dataclass(frozen=True)
class Account:
    """A client id and its secret; a revoked account was deleted in the provider's console (DT2)."""

    name: str
    client_id: str
    client_secret: str
    revoked: bool = False


def _account(name: str, *, revoked: bool = False) -> Account:
    # Derived by a hash, so that they look real but are not reported by secret scanners.
    digest = hashlib.sha256(f"sandbox {name}".encode())
    secret = base64.urlsafe_b64encode(digest.digest() * 6).decode()
    return Account(name, digest.hexdigest()[:32], secret, revoked)


ACCOUNTS = (_account("ordinary"), _account("other"), _account("revoked", revoked=True))


@dataclass(frozen=True)
class Token:
    """A bearer token and its expiry."""

    text: str
    client_id: str
    expires_at: datetime


class Tokens:
    """The issued tokens."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._tokens: dict[str, Token] = {}

    def issue(self, account: Account, *, now: datetime, seconds: int) -> Token:
        """Issue a token for `account` that is valid for `seconds`."""
        issued = int(now.timestamp())
        claims = {"iat": issued, "exp": issued + seconds, "aud": "sandbox", "sub": account.client_id[:6]}
        claims["jti"] = str(len(self._tokens) + 1)
        head = f"{_encoded({'alg': 'HS256', 'typ': 'JWT'})}.{_encoded(claims)}"
        signature = hmac.new(self._secret, head.encode(), hashlib.sha256).digest()
        text = f"{head}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"
        token = Token(text, account.client_id, now + timedelta(seconds=seconds))
        self._tokens[text] = token
        return token

    def authenticate(self, authorization: str | None, *, now: datetime, disabled: Sequence[str]) -> Account | None:
        """Return the account of an Authorization header; None if the response must be 401 (DT3)."""
        scheme, _, text = (authorization or "").partition(" ")
        token = self._tokens.get(text.strip())
        if scheme.lower() != "bearer" or token is None or now >= token.expires_at or token.client_id in disabled:
            return None
        return find_account(token.client_id)


def find_account(client_id: str) -> Account | None:
    """Return the account with a client id; None if there is none."""
    return next((account for account in ACCOUNTS if account.client_id == client_id), None)


class Quota:
    """The number of queries by account, API and UTC day (OW4)."""

    def __init__(self) -> None:
        self._queries: Counter[tuple[str, str, date]] = Counter()

    def used(self, account: Account, api: str, today: date) -> int:
        """Return the number of queries of `account` to `api` today."""
        return self._queries[account.client_id, api, today]

    def count(self, account: Account, api: str, today: date) -> None:
        """Count a query."""
        self._queries[account.client_id, api, today] += 1


def _encoded(claims: dict[str, str] | dict[str, str | int]) -> str:
    text = json.dumps(claims, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
