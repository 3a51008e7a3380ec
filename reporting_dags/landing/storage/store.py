"""Where finished files live: a folder of this machine, or a bucket. A key holds the old whole file or the new one."""

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
    """Whole files under keys such as `provider/report/date=2026-11-01/part-0.parquet`.

    Every method raises `StorageError`, one line, when the place refuses.
    """

    @property
    def url(self) -> str:
        """The place, as it may be shown: no credentials, no query."""
        ...

    def put(self, source: Path, key: str, precondition: Callable[[], None] | None = None) -> None:
        """Make `key` hold `source`, at once and for good; the local file is consumed.

        Where several processes may put the same key, `precondition` raises if this one may not any more. It is called
        after the state of the key was read; a key that another process has changed since is not overwritten, and the
        precondition is called again. What it raises leaves file and key as they are.
        """
        ...

    def exists(self, key: str) -> bool:
        """Whether there is a file under `key`."""
        ...

    def size(self, key: str) -> int | None:
        """Bytes under `key`; None if there is no file."""
        ...

    def open(self, key: str) -> pa.NativeFile:
        """The file under `key`, for random access."""
        ...

    def fetch(self, key: str, into: Path) -> Path:
        """A local file that holds `key`: the stored one itself where that is local, else a copy in folder `into`."""
        ...

    def sizes(self, prefix: str) -> dict[str, int]:
        """Bytes of every key below the folder `prefix`, by one listing; none if there is no such folder.

        "" is the whole store:         what is hidden at its top, such as the staging folder, holds no keys.
        """
        ...

    def remove_older(self, prefix: str, before: datetime) -> int:
        """Remove the raw responses directly under the folder `prefix` that were last written before `before`.

        Only files that are named by their content are taken for such; says how many were removed.
        """
        ...

    def staging(self) -> Path:
        """A private local folder, outside every dataset, in which files to be `put` are made."""
        ...

    def error(self, verb: str, error: BaseException) -> StorageError:
        """The error to raise when the staging folder refuses."""
        ...


def raw_key(report_key: str, sha256: str, suffix: str) -> str:
    """The key of a raw response, named by its content; `suffix` such as `.csv`."""
    return f"{report_key}/{sha256}.{suffix.lstrip('.')}"


def open_store(
    url: str,
    *,
    scratch: Path,
    private: bool = False,
    label: str = "data root",
    variable: str = "REPORTING_DATA_URL",
) -> Store:
    """The store at `url`. Nothing is touched or connected to until it is used.

    Args:
        url: a local path, `file://`, `s3://bucket/prefix` or `gs://bucket/prefix`, with pyarrow's query parameters.
        scratch: local folder in which files are made for an object store.
        private: files of mode 0600 in folders of mode 0700.
        label: what the place is called in messages.
        variable: the environment variable that messages advise to set.

    Raises:
        SettingError: `url` is of no known form.
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
