"""Who may ask: accounts, the tokens they were given, and how many queries they have made today."""

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
    """A publisher's key pair; a revoked one was deleted in the provider's console (DT2)."""

    name: str
    client_id: str
    client_secret: str
    revoked: bool = False


def _account(name: str, *, revoked: bool = False) -> Account:
    # Derived, so that they look like the provider's and no scanner takes them for real ones.
    digest = hashlib.sha256(f"sandbox {name}".encode())
    secret = base64.urlsafe_b64encode(digest.digest() * 6).decode()
    return Account(name, digest.hexdigest()[:32], secret, revoked)


ACCOUNTS = (_account("ordinary"), _account("other"), _account("revoked", revoked=True))


@dataclass(frozen=True)
class Token:
    """A bearer token and until when it is good."""

    text: str
    client_id: str
    ends: datetime


class Tokens:
    """The tokens handed out."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._tokens: dict[str, Token] = {}

    def issue(self, account: Account, *, now: datetime, seconds: int) -> Token:
        """A new token for `account`, good for `seconds`."""
        issued = int(now.timestamp())
        claims = {"iat": issued, "exp": issued + seconds, "aud": "sandbox", "sub": account.client_id[:6]}
        claims["jti"] = str(len(self._tokens) + 1)
        head = f"{_encoded({'alg': 'HS256', 'typ': 'JWT'})}.{_encoded(claims)}"
        seal = hmac.new(self._secret, head.encode(), hashlib.sha256).digest()
        text = f"{head}.{base64.urlsafe_b64encode(seal).decode().rstrip('=')}"
        token = Token(text, account.client_id, now + timedelta(seconds=seconds))
        self._tokens[text] = token
        return token

    def holder(self, authorization: str | None, *, now: datetime, disabled: Sequence[str]) -> Account | None:
        """The account that an Authorization header speaks for; None for everything that DT3 answers with 401."""
        scheme, _, text = (authorization or "").partition(" ")
        token = self._tokens.get(text.strip())
        if scheme.lower() != "bearer" or token is None or now >= token.ends or token.client_id in disabled:
            return None
        return account(token.client_id)


def account(client_id: str) -> Account | None:
    """The account with that client id."""
    return next((one for one in ACCOUNTS if one.client_id == client_id), None)


class Quota:
    """Queries made, by account, API and UTC day (OW4)."""

    def __init__(self) -> None:
        self._made: Counter[tuple[str, str, date]] = Counter()

    def made(self, account: Account, api: str, today: date) -> int:
        """How many queries `account` has made to `api` today."""
        return self._made[account.client_id, api, today]

    def count(self, account: Account, api: str, today: date) -> None:
        """Note one more query."""
        self._made[account.client_id, api, today] += 1


def _encoded(claims: dict[str, str] | dict[str, str | int]) -> str:
    text = json.dumps(claims, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
