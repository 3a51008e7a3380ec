"""Stores: a local folder or a bucket. A key has the old complete file or the new one."""

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from reporting_dags.landing.storage.bucket_store import ObjectStore
from reporting_dags.landing.storage.local_store import LocalStore
from reporting_dags.model.errors import SettingError, StorageError


class Store(Protocol):
    """Complete files under keys such as `provider/report/date=2026-11-01/part-0.parquet`.

    Every method raises `StorageError`, in one line, when the place cannot be used.
    """

    @property
    def url(self) -> str:
        """The place, as it may be shown: without credentials and query."""
        ...

    def put(self, source: Path, key: str, precondition: Callable[[], None] | None = None) -> None:
        """Replace `key` by `source`, atomically and durably; the local file is consumed.

        If several processes can put the same key, `precondition` raises when this one no longer may. It is called after
        the state of the key was read; a key that another process has changed since is not overwritten, and the
        precondition is called again. If it raises, file and key stay as they are.
        """
        ...

    def exists(self, key: str) -> bool:
        """Return whether there is a file under `key`."""
        ...

    def size(self, key: str) -> int | None:
        """Return the bytes under `key`; None if there is no file."""
        ...

    def open(self, key: str) -> pa.NativeFile:
        """Open the file under `key` for random access."""
        ...

    def fetch(self, key: str, into: Path) -> Path:
        """Return a local file with the content of `key`: the stored one if it is local, else a copy in `into`."""
        ...

    def sizes(self, prefix: str) -> dict[str, int]:
        """Return the bytes of every key below the folder `prefix`, by one listing; empty if there is no such folder.

        "" is the whole store. Hidden folders at its top, such as the staging folder, hold no keys.
        """
        ...

    def remove_older(self, prefix: str, before: datetime) -> int:
        """Remove the raw responses directly under `prefix` that were last written before `before`; return how many.

        Only files that are named by their content are removed.
        """
        ...

    def staging(self) -> Path:
        """Return a private local folder, outside every dataset, for files that are about to be `put`."""
        ...

    def error(self, verb: str, error: BaseException) -> StorageError:
        """Return the error to raise when the staging folder cannot be used."""
        ...


def raw_key(report_key: str, sha256: str, suffix: str) -> str:
    """Return the key of a raw response, named by its content; `suffix` is, for example, `.csv`."""
    return f"{report_key}/{sha256}.{suffix.lstrip('.')}"


def open_store(
    url: str,
    *,
    scratch: Path,
    private: bool = False,
    label: str = "data root",
    variable: str = "REPORTING_DATA_URL",
) -> Store:
    """Return the store at `url`. Nothing is accessed until it is used.

    Args:
        url: a local path, `file://`, `s3://bucket/prefix` or `gs://bucket/prefix`, with pyarrow's query parameters.
        scratch: local folder for files of an object store.
        private: whether files have mode 0600 and folders mode 0700.
        label: name of the place in messages.
        variable: the environment variable that messages name.

    Raises:
        SettingError: `url` has no known form.
    """
    parts = urlsplit(url)
    if len(parts.scheme) > 1 and "://" in url and parts.scheme != "file":
        if parts.scheme not in {"s3", "gs", "gcs"} or not parts.hostname:
            raise SettingError(
                f"{variable}: {parts.scheme}:// is not an address of a {label}",
                advice="Use a local path, s3://bucket/prefix or gs://bucket/prefix",
            )
        return ObjectStore(url, scratch=scratch, label=label, variable=variable)
    if re.match(r"[a-z][a-z0-9+.-]+:/", url) and parts.scheme != "file":
        raise SettingError(f"{variable}: an address of a {label} has two slashes after {parts.scheme}:")
    path = unquote(parts.path) if parts.scheme == "file" else url
    if not path or (parts.scheme == "file" and parts.netloc not in {"", "localhost"}):
        raise SettingError(f"{variable}: no path of this machine", advice="Use a local path, s3:// or gs://")
    return LocalStore(Path(path).expanduser().absolute(), private=private, label=label, variable=variable)
