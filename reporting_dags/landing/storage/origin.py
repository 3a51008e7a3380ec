"""The origin of a published file: account and scope, in the file's own metadata, readable by every instance."""

import json
from dataclasses import dataclass
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from reporting_dags.landing.storage.store import Store
from reporting_dags.model.scope import Scope

_ACCOUNT = "reporting_dags.account"
_SCOPE = "reporting_dags.scope"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """With what a partition was requested.

    Attributes:
        account: fingerprint of the account's credentials; "" if unknown.
        scope: what the partition covers; None if unknown.
    """

    account: str
    scope: Scope | None

    @property
    def metadata(self) -> dict[str, str]:
        """The origin as key-value metadata of a Parquet file."""
        return {_ACCOUNT: self.account} | ({_SCOPE: self.scope.text} if self.scope is not None else {})

    @classmethod
    def of(cls, metadata: dict[bytes, bytes] | None) -> Self | None:
        """Return the origin in a Parquet file's metadata; None if there is none."""
        result = metadata or {}
        if _ACCOUNT.encode() not in result:
            return None
        try:
            text = result.get(_SCOPE.encode())
            scope = Scope.from_json(json.loads(text)) if text is not None else None
        except (ValueError, KeyError, TypeError, AttributeError):
            scope = None
        return cls(account=result[_ACCOUNT.encode()].decode(errors="replace"), scope=scope)


def read_origin(store: Store, key: str) -> Origin | None:
    """Return the origin of the file under `key`; None if the file has none, or is not a readable Parquet file.

    Raises:
        StorageError: the store cannot be read.
    """
    with store.open(key) as file:
        try:
            metadata = pq.read_metadata(file).metadata
        except (OSError, pa.ArrowException):
            return None
    return Origin.of(metadata)


def without_origin(schema: pa.Schema) -> pa.Schema:
    """Return the schema of a published file without its origin metadata."""
    if not schema.metadata:
        return schema
    kept: dict[Any, Any] = {
        key: value for key, value in schema.metadata.items() if key not in {_ACCOUNT.encode(), _SCOPE.encode()}
    }
    return schema.with_metadata(kept) if kept else schema.remove_metadata()
