"""Whose data an answer holds: each account has entities and numbers of its own."""

import hashlib
from dataclasses import dataclass
from typing import Self

ORDINARY = "ordinary"
_PREFIX = "2"
_SHIFT = 500_000_000


@dataclass(frozen=True)
class Owner:
    """An account as the owner of data: the seed of its numbers, and its own ids and names.

    The ordinary account has the sandbox's seed, and the ids and names of the catalogues as they stand.
    """

    account: str
    seed: int

    @classmethod
    def of(cls, seed: int, account: str) -> Self:
        """The account of that name in a sandbox with that seed."""
        if account == ORDINARY:
            return cls(account, seed)
        return cls(account, int(hashlib.sha256(f"{seed}|{account}".encode()).hexdigest()[:12], 16))

    def text(self, text: str) -> str:
        """The account's own id or name in place of one of the catalogues; an empty one stays empty."""
        return text if self.account == ORDINARY or not text else _PREFIX + text

    def number(self, number: int) -> int:
        """The account's own numeric id in place of one of the catalogues."""
        return number if self.account == ORDINARY else number + _SHIFT
