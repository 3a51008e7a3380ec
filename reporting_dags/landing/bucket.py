"""A store in a bucket of S3 or Google Cloud Storage."""

import contextlib
from collections.abc import Callable, Generator
from datetime import datetime
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow import fs

from reporting_dags.landing.folders import checked_key, is_raw, private_folder
from reporting_dags.landing.trouble import storage_error
from reporting_dags.model.errors import SettingError, StorageError

_COPY_BYTES = 8 << 20


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
        return filesystem, f"{base}/{checked_key(key)}"

    def put(self, source: Path, key: str, last: Callable[[], None] = lambda: None) -> None:
        """Upload `source` as `key`; `last` is called when only the upload is left to do.

        pyarrow's streams complete their upload even when what writes to them raises or is interrupted, so no Python
        code runs between the first byte and the last: one native call copies the whole finished file.
        """
        with self._guard("written"):
            filesystem, path = self._at(key)
            size = source.stat().st_size
            last()
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

    def size(self, key: str) -> int | None:
        """Bytes under `key`; None if there is no object."""
        with self._guard("read"):
            filesystem, path = self._at(key)
            info = filesystem.get_file_info(path)
            return info.size if info.type is fs.FileType.File else None

    def open(self, key: str) -> pa.NativeFile:
        """The object under `key`, for random access."""
        with self._guard("read"):
            filesystem, path = self._at(key)
            return filesystem.open_input_file(path)

    def fetch(self, key: str, into: Path) -> Path:
        """A copy of the object in `into`, under its own name; a copy already there is replaced."""
        target = into / checked_key(key).rpartition("/")[2]
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

    def sizes(self, prefix: str) -> dict[str, int]:
        """Bytes of every object below `prefix`."""
        found: dict[str, int] = {}
        with self._guard("read"):
            filesystem, base = self._place
            top = self._at(prefix)[1] if prefix else base
            for info in filesystem.get_file_info(fs.FileSelector(top, allow_not_found=True, recursive=True)):
                key = info.path.removeprefix(f"{base}/")
                if info.type is fs.FileType.File and not key.startswith("."):
                    found[key] = info.size
        return found

    def remove_older(self, prefix: str, before: datetime) -> int:
        """Remove the raw answers directly under `prefix` that were last written before `before`."""
        removed = 0
        with self._guard("written"):
            filesystem, path = self._at(prefix)
            for info in filesystem.get_file_info(fs.FileSelector(path, allow_not_found=True)):
                raw = info.type is fs.FileType.File and is_raw(info.base_name)
                if raw and info.mtime is not None and info.mtime < before:
                    # Another run of the report may remove the same object.
                    with contextlib.suppress(FileNotFoundError):
                        filesystem.delete_file(info.path)
                        removed += 1
        return removed

    def staging(self) -> Path:
        """A folder under `scratch`, mode 0700."""
        path = self._scratch / "staging"
        try:
            self._scratch.mkdir(parents=True, exist_ok=True)
            private_folder(path)
        except OSError as error:
            raise self.trouble("written", error) from None
        return path

    def trouble(self, verb: str, error: BaseException) -> StorageError:
        """The error to raise when the scratch folder refuses."""
        return storage_error("scratch folder", str(self._scratch), verb, error)

    @contextlib.contextmanager
    def _guard(self, verb: str) -> Generator[None]:
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            raise storage_error(self._label, self._url, verb, error, self._variable) from None
