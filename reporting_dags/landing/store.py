"""Where finished files live: a folder of this machine, or a bucket. A key holds the old whole file or the new one."""

import contextlib
import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import pyarrow as pa
from pyarrow import fs

from reporting_dags.landing.trouble import storage_error
from reporting_dags.model.errors import SettingError, StorageError

_COPY_BYTES = 8 << 20


class Store(Protocol):
    """Whole files under keys such as `provider/report/date=2026-11-01/part-0.parquet`.

    Every method raises `StorageError`, one line, when the place refuses.
    """

    @property
    def url(self) -> str:
        """The place, as it may be shown: no credentials, no query."""
        ...

    def put(self, source: Path, key: str) -> None:
        """Make `key` hold `source`, at once and for good; the local file is consumed."""
        ...

    def exists(self, key: str) -> bool:
        """Whether there is a file under `key`."""
        ...

    def size(self, key: str) -> int:
        """Bytes under `key`."""
        ...

    def open(self, key: str) -> pa.NativeFile:
        """The file under `key`, for random access."""
        ...

    def fetch(self, key: str, into: Path) -> Path:
        """A local file that holds `key`: the stored one itself where that is local, else a copy in folder `into`."""
        ...

    def staging(self) -> Path:
        """A private local folder, outside every dataset, in which files to be `put` are made."""
        ...

    def trouble(self, verb: str, error: BaseException) -> StorageError:
        """The error to raise when the staging folder refuses."""
        ...


def partition_key(report_key: str, day: date) -> str:
    """The key of a day's one live file."""
    return f"{report_key}/date={day.isoformat()}/part-0.parquet"


def raw_key(report_key: str, sha256: str, suffix: str) -> str:
    """The key of a raw answer, named by its content; `suffix` such as `.csv`."""
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
                f"{variable}: {parts.scheme}:// is no address of a {label}",
                advice="Use a local path, s3://bucket/prefix or gs://bucket/prefix",
            )
        return ObjectStore(url, scratch=scratch, label=label, variable=variable)
    path = unquote(parts.path) if parts.scheme == "file" else url
    if not path or (parts.scheme == "file" and parts.netloc not in {"", "localhost"}):
        raise SettingError(f"{variable}: no path of this machine", advice="Use a local path, s3:// or gs://")
    return LocalStore(Path(path).expanduser().absolute(), private=private, label=label, variable=variable)


class LocalStore:
    """A folder. A file is flushed to disk, then renamed into its place: a reader has the old one or the new one."""

    def __init__(self, root: Path, *, private: bool, label: str, variable: str) -> None:
        self._root = root
        self._private = private
        self._label = label
        self._variable = variable

    @property
    def url(self) -> str:
        """The folder's path."""
        return str(self._root)

    def put(self, source: Path, key: str) -> None:
        """Rename `source` to `key`, durably: file, folder and every new folder above it are flushed."""
        target = self._root / _checked(key)
        with self._guard("written"):
            self._folder(target.parent)
            if self._private:
                source.chmod(0o600)
            _flush(source)
            try:
                source.replace(target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                self._copy(source, target)
            _flush(target.parent)

    def exists(self, key: str) -> bool:
        """Whether there is a file under `key`."""
        with self._guard("read"):
            return (self._root / _checked(key)).is_file()

    def size(self, key: str) -> int:
        """Bytes under `key`."""
        with self._guard("read"):
            return (self._root / _checked(key)).stat().st_size

    def open(self, key: str) -> pa.NativeFile:
        """The file under `key`, for random access."""
        with self._guard("read"):
            return pa.OSFile(str(self._root / _checked(key)), mode="rb")

    def fetch(self, key: str, into: Path) -> Path:
        """The stored file itself."""
        path = self._root / _checked(key)
        with self._guard("read"):
            path.stat()
        return path

    def staging(self) -> Path:
        """`<root>/.staging`, mode 0700."""
        path = self._root / ".staging"
        with self._guard("written"):
            self._folder(self._root)
            _private_folder(path)
        return path

    def trouble(self, verb: str, error: BaseException) -> StorageError:
        """The error to raise when the folder refuses."""
        return storage_error(self._label, str(self._root), verb, error, self._variable)

    @contextlib.contextmanager
    def _guard(self, verb: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self.trouble(verb, error) from error

    def _folder(self, path: Path) -> None:
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=0o700 if self._private else 0o777, exist_ok=True)
            _flush(folder.parent)

    def _copy(self, source: Path, target: Path) -> None:
        handle, name = tempfile.mkstemp(prefix="copy-", suffix=".part", dir=self.staging())
        copy = Path(name)
        try:
            with os.fdopen(handle, "wb") as sink, source.open("rb") as read:
                shutil.copyfileobj(read, sink, _COPY_BYTES)
                sink.flush()
                os.fsync(sink.fileno())
            shutil.copymode(source, copy)
            copy.replace(target)
        finally:
            copy.unlink(missing_ok=True)
        source.unlink()


class ObjectStore:
    """A bucket and a prefix. A key changes when the upload of a finished file is complete, not before."""

    def __init__(self, url: str, *, scratch: Path, label: str, variable: str) -> None:
        parts = urlsplit(url)
        self._address = url
        self._url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")
        self._scratch = scratch
        self._label = label
        self._variable = variable

    @property
    def url(self) -> str:
        """`s3://bucket/prefix`."""
        return self._url

    @cached_property
    def _place(self) -> tuple[fs.FileSystem, str]:
        try:
            filesystem, base = fs.FileSystem.from_uri(self._address)
        except pa.ArrowInvalid as error:
            raise SettingError(
                f"{self._variable}: malformed address", advice="See pyarrow's FileSystem.from_uri"
            ) from (error)
        return filesystem, base.rstrip("/")

    def _at(self, key: str) -> tuple[fs.FileSystem, str]:
        filesystem, base = self._place
        return filesystem, f"{base}/{_checked(key)}"

    def put(self, source: Path, key: str) -> None:
        """Upload `source` as `key`.

        pyarrow's streams complete their upload even when what writes to them raises or is interrupted, so no Python
        code runs between the first byte and the last: one native call copies the whole finished file.
        """
        with self._guard("written"):
            filesystem, path = self._at(key)
            size = source.stat().st_size
            fs.copy_files(
                str(source),
                path,
                source_filesystem=fs.LocalFileSystem(),
                destination_filesystem=filesystem,
                chunk_size=_COPY_BYTES,
            )
            arrived = filesystem.get_file_info(path).size
            if arrived != size:
                filesystem.delete_file(path)
                raise StorageError(f"{self._label} {self._url}: {key} arrived with {arrived} of {size} bytes")
            source.unlink()

    def exists(self, key: str) -> bool:
        """Whether there is an object under `key`."""
        with self._guard("read"):
            filesystem, path = self._at(key)
            return filesystem.get_file_info(path).type is fs.FileType.File

    def size(self, key: str) -> int:
        """Bytes under `key`."""
        with self._guard("read"):
            filesystem, path = self._at(key)
            info = filesystem.get_file_info(path)
            if info.type is not fs.FileType.File:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            return info.size

    def open(self, key: str) -> pa.NativeFile:
        """The object under `key`, for random access."""
        with self._guard("read"):
            filesystem, path = self._at(key)
            return filesystem.open_input_file(path)

    def fetch(self, key: str, into: Path) -> Path:
        """A copy of the object in `into`, under its own name; a copy already there is replaced."""
        target = into / _checked(key).rpartition("/")[2]
        partial = target.with_name(f"{target.name}.part")
        with self._guard("read"):
            filesystem, path = self._at(key)
            into.mkdir(parents=True, exist_ok=True)
            try:
                fs.copy_files(
                    path,
                    str(partial),
                    source_filesystem=filesystem,
                    destination_filesystem=fs.LocalFileSystem(),
                    chunk_size=_COPY_BYTES,
                )
                partial.chmod(0o600)
                partial.replace(target)
            finally:
                partial.unlink(missing_ok=True)
        return target

    def staging(self) -> Path:
        """A folder under `scratch`, mode 0700."""
        path = self._scratch / "staging"
        try:
            self._scratch.mkdir(parents=True, exist_ok=True)
            _private_folder(path)
        except OSError as error:
            raise self.trouble("written", error) from error
        return path

    def trouble(self, verb: str, error: BaseException) -> StorageError:
        """The error to raise when the scratch folder refuses."""
        return storage_error("scratch folder", str(self._scratch), verb, error)

    @contextlib.contextmanager
    def _guard(self, verb: str) -> Iterator[None]:
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            raise storage_error(self._label, self._url, verb, error, self._variable) from error


def _checked(key: str) -> str:
    if not re.fullmatch(r"[^/\0]+(/[^/\0]+)*", key) or {".", ".."} & set(key.split("/")):
        raise ValueError(f"{key!r} is no key")
    return key


def _private_folder(path: Path) -> None:
    path.mkdir(mode=0o700, exist_ok=True)
    if path.stat().st_mode & 0o077:
        path.chmod(0o700)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
