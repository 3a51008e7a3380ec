"""A store in a folder of this machine."""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pyarrow as pa

from reporting_dags.landing.folders import checked_key, flush, private_folder
from reporting_dags.landing.trouble import storage_error
from reporting_dags.model.errors import StorageError

_COPY_BYTES = 8 << 20


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
        target = self._root / checked_key(key)
        with self._guard("written"):
            self._folder(target.parent)
            if self._private:
                source.chmod(0o600)
            flush(source)
            try:
                source.replace(target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                self._copy(source, target)
            flush(target.parent)

    def exists(self, key: str) -> bool:
        """Whether there is a file under `key`."""
        with self._guard("read"):
            return (self._root / checked_key(key)).is_file()

    def size(self, key: str) -> int:
        """Bytes under `key`."""
        with self._guard("read"):
            return (self._root / checked_key(key)).stat().st_size

    def open(self, key: str) -> pa.NativeFile:
        """The file under `key`, for random access."""
        with self._guard("read"):
            return pa.OSFile(str(self._root / checked_key(key)), mode="rb")

    def fetch(self, key: str, into: Path) -> Path:  # noqa: ARG002
        """The stored file itself."""
        path = self._root / checked_key(key)
        with self._guard("read"):
            path.stat()
        return path

    def staging(self) -> Path:
        """`<root>/.staging`, mode 0700."""
        path = self._root / ".staging"
        with self._guard("written"):
            self._folder(self._root)
            private_folder(path)
        return path

    def trouble(self, verb: str, error: BaseException) -> StorageError:
        """The error to raise when the folder refuses."""
        return storage_error(self._label, str(self._root), verb, error, self._variable)

    @contextlib.contextmanager
    def _guard(self, verb: str) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise self.trouble(verb, error) from None

    def _folder(self, path: Path) -> None:
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=0o700 if self._private else 0o777, exist_ok=True)
            flush(folder.parent)

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
