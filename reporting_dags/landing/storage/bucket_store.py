"""A store in a bucket of S3 or Google Cloud Storage."""

import contextlib
import errno
import io
from collections.abc import Callable, Generator
from datetime import datetime
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
import pyarrow as pa
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

from reporting_dags.landing.storage.bucket_address import Bucket, open_bucket
from reporting_dags.landing.storage.errors import storage_error
from reporting_dags.landing.storage.paths import checked_key, is_raw, private_folder
from reporting_dags.model.errors import StorageError

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta, PutMode, UpdateVersion

_CHUNK_BYTES = 8 << 20
_TRIES = 5


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
    def _bucket(self) -> Bucket:
        return open_bucket(self._address, self._variable, uploads=False)

    @cached_property
    def _uploads(self) -> Bucket:
        return open_bucket(self._address, self._variable, uploads=True)

    def put(self, source: Path, key: str, precondition: Callable[[], None] | None = None) -> None:
        """Upload `source` as `key`.

        With a precondition the upload is one conditional request: the bucket refuses it if the object has changed since
        the precondition was checked, however late the request arrives.
        """
        with self._guard("written"):
            if precondition is None:
                self._upload(source, key)
            else:
                self._replace(source, key, precondition)
            source.unlink()

    def _upload(self, source: Path, key: str) -> None:
        obstore.put(self._uploads, checked_key(key), source, chunk_size=_CHUNK_BYTES)
        arrived, size = self.size(key), source.stat().st_size
        if arrived != size:
            raise StorageError(f"{self._label} {self._url}: {key} arrived with {arrived} of {size} bytes")

    def _replace(self, source: Path, key: str, precondition: Callable[[], None]) -> None:
        for _ in range(_TRIES):
            stored = self._head(key)
            precondition()
            try:
                obstore.put(self._uploads, checked_key(key), source, mode=_instead_of(stored), use_multipart=False)
            except (AlreadyExistsError, PreconditionError):
                continue
            return
        raise StorageError(
            f"{self._label} {self._url}: {key} changes faster than it can be replaced",
            advice="Fix: find the other process that writes it.",
        )

    def exists(self, key: str) -> bool:
        """Return whether there is an object under `key`."""
        return self.size(key) is not None

    def size(self, key: str) -> int | None:
        """Return the bytes under `key`; None if there is no object."""
        with self._guard("read"):
            stored = self._head(key)
            return None if stored is None else stored["size"]

    def open(self, key: str) -> pa.NativeFile:
        """Open the object under `key` for random access."""
        with self._guard("read"):
            stored = obstore.head(self._bucket, checked_key(key))
            return pa.PythonFile(_ObjectFile(self._bucket, stored), mode="r")

    def fetch(self, key: str, into: Path) -> Path:
        """Copy the object into the folder `into`, under its own name; replace an existing copy."""
        target = into / checked_key(key).rpartition("/")[2]
        partial = target.with_name(f"{target.name}.part")
        with self._guard("read"):
            into.mkdir(parents=True, exist_ok=True)
            try:
                with partial.open("wb") as sink:
                    for chunk in obstore.get(self._bucket, checked_key(key)).stream(_CHUNK_BYTES):
                        sink.write(chunk)
                partial.chmod(0o600)
                partial.replace(target)
            finally:
                partial.unlink(missing_ok=True)
        return target

    def sizes(self, prefix: str) -> dict[str, int]:
        """Return the bytes of every object below `prefix`."""
        with self._guard("read"):
            folder = f"{checked_key(prefix)}/" if prefix else None
            pages = obstore.list(self._bucket, folder)
            return {
                item["path"]: item["size"] for item in chain.from_iterable(pages) if not item["path"].startswith(".")
            }

    def remove_older(self, prefix: str, before: datetime) -> int:
        """Remove the raw responses directly under `prefix` that were last written before `before`."""
        with self._guard("written"):
            objects = obstore.list_with_delimiter(self._bucket, f"{checked_key(prefix)}/")["objects"]
            old = [
                item["path"]
                for item in objects
                if is_raw(item["path"].rpartition("/")[2]) and item["last_modified"] < before
            ]
            for path in old:
                # Another run of the report may remove the same object.
                with contextlib.suppress(FileNotFoundError):
                    obstore.delete(self._bucket, path)
        return len(old)

    def staging(self) -> Path:
        """Return a folder under `scratch`, mode 0700."""
        path = self._scratch / "staging"
        try:
            self._scratch.mkdir(parents=True, exist_ok=True)
            private_folder(path)
        except OSError as error:
            raise self.error("written", error) from None
        return path

    def error(self, verb: str, error: BaseException) -> StorageError:
        """Return the error to raise when the scratch folder cannot be used."""
        return storage_error("scratch folder", str(self._scratch), verb, error)

    def _head(self, key: str) -> "ObjectMeta | None":
        try:
            return obstore.head(self._bucket, checked_key(key))
        except FileNotFoundError:
            return None

    @contextlib.contextmanager
    def _guard(self, verb: str) -> Generator[None]:
        try:
            yield
        except (OSError, pa.ArrowException, BaseError) as error:
            raise storage_error(self._label, self._url, verb, error, self._variable) from None


def _instead_of(stored: "ObjectMeta | None") -> "PutMode":
    """Return the upload mode that replaces `stored` and nothing else."""
    if stored is None:
        return "create"
    update: UpdateVersion = {}
    if stored["e_tag"] is not None:
        update["e_tag"] = stored["e_tag"]
    if stored["version"] is not None:
        update["version"] = stored["version"]
    return update


class _ObjectFile(io.RawIOBase):
    """An object as a file. Each read is one request for these bytes, and fails if the object was replaced."""

    def __init__(self, bucket: Bucket, stored: "ObjectMeta") -> None:
        super().__init__()
        self._bucket = bucket
        self._stored = stored
        self._at = 0

    def readable(self) -> bool:
        """Whether it can be read."""
        return True

    def seekable(self) -> bool:
        """Whether it can be read from anywhere."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Set where the next read begins."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._stored["size"]}[whence]
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes; fewer only at the end."""
        end = self._stored["size"] if size < 0 else min(self._at + size, self._stored["size"])
        if end <= self._at:
            return b""
        options: GetOptions = {"range": (self._at, end), "if_match": self._stored["e_tag"]}
        try:
            read = obstore.get(self._bucket, self._stored["path"], options=options).bytes().to_bytes()
        except BaseError:
            raise OSError(errno.EIO, f"{self._stored['path']} was replaced, or cannot be read any more") from None
        self._at = end
        return read
