"""The owner of the data: each account has its own entities and numbers."""

import hashlib
from dataclasses import dataclass
from typing import Self

ORDINARY = "ordinary"
_PREFIX = "2"
_SHIFT = 500_000_000


@dataclass(frozen=True)
class DataOwner:
    """The seed, ids and names of the data of an account.

    The account `ordinary` has the seed of the sandbox, and the ids and names of the catalogs.
    """

    account: str
    seed: int

    @classmethod
    def of(cls, seed: int, account: str) -> Self:
        """Return the data owner for an account in a sandbox with the given seed."""
        if account == ORDINARY:
            return cls(account, seed)
        return cls(account, int(hashlib.sha256(f"{seed}|{account}".encode()).hexdigest()[:12], 16))

    def text(self, text: str) -> str:
        """Return the account's id or name for one of the catalog; an empty one stays empty."""
        return text if self.account == ORDINARY or not text else _PREFIX + text

    def number(self, number: int) -> int:
        """Return the account's numeric id for one of the catalog."""
        return number if self.account == ORDINARY else number + _SHIFT
