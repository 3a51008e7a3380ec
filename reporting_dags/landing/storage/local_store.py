"""A store in a folder of this machine."""

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Callable, Generator
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from reporting_dags.landing.storage.errors import storage_error
from reporting_dags.landing.storage.paths import checked_key, flush, is_raw, locked, private_folder, temporary_folder
from reporting_dags.model.errors import StorageError

_COPY_BYTES = 8 << 20
_LOCK_SECONDS = 30.0
_TRIES = 5


class LocalStore:
    """A folder. A file is flushed to disk and then renamed: a reader sees the old file or the new one."""

    def __init__(self, root: Path, *, private: bool, label: str, variable: str) -> None:
        self._root = root
        self._private = private
        self._label = label
        self._variable = variable

    @property
    def url(self) -> str:
        """The folder's path."""
        return str(self._root)

    def put(self, source: Path, key: str, precondition: Callable[[], None] | None = None) -> None:
        """Rename `source` to `key`, durably: the file, its folder and every new folder above it are flushed.

        With a precondition the rename happens only if `key` has not changed since the precondition was checked; a lock
        on the folder excludes other processes of this machine between this comparison and the rename.
        """
        target = self._root / checked_key(key)
        with self._guard("written"):
            self._folder(target.parent)
            if self._private:
                source.chmod(0o600)
            flush(source)
            try:
                self._replace(source, target, precondition)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                with self._copied(source) as copy:
                    self._replace(copy, target, precondition)
                source.unlink()
            flush(target.parent)

    def _replace(self, source: Path, target: Path, precondition: Callable[[], None] | None) -> None:
        if precondition is None:
            source.replace(target)
            return
        for _ in range(_TRIES):
            stored = _identity(target)
            precondition()
            try:
                with locked(target.parent, wait=_LOCK_SECONDS):
                    if _identity(target) == stored:
                        source.replace(target)
                        return
            except TimeoutError:
                raise StorageError(
                    f"{self._label} {self._root}: {target.parent.name} stays locked by another process",
                    advice=f"It was waited for {_LOCK_SECONDS:.0f} s. Fix: find the process that holds it, run again.",
                ) from None
        raise StorageError(
            f"{self._label} {self._root}: {target.parent.name} changes faster than it can be replaced",
            advice="Fix: find the other process that writes it.",
        )

    def exists(self, key: str) -> bool:
        """Return whether there is a file under `key`."""
        with self._guard("read"):
            return (self._root / checked_key(key)).is_file()

    def size(self, key: str) -> int | None:
        """Return the bytes under `key`; None if there is no file."""
        path = self._root / checked_key(key)
        with self._guard("read"):
            return path.stat().st_size if path.is_file() else None

    def open(self, key: str) -> pa.NativeFile:
        """Open the file under `key` for random access."""
        with self._guard("read"):
            return pa.OSFile(str(self._root / checked_key(key)), mode="rb")

    def fetch(self, key: str, into: Path) -> Path:  # noqa: ARG002
        """Return the stored file itself."""
        path = self._root / checked_key(key)
        with self._guard("read"):
            path.stat()
        return path

    def sizes(self, prefix: str) -> dict[str, int]:
        """Return the bytes of every file below the folder `prefix`; links to folders are not followed."""
        results: dict[str, int] = {}
        top = self._root / checked_key(prefix) if prefix else self._root

        def refuse(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError):
                raise error

        with self._guard("read"):
            for folder, inner, names in os.walk(top, onerror=refuse):
                if folder == str(self._root):
                    inner[:] = [name for name in inner if not name.startswith(".")]
                for path in (Path(folder, name) for name in names):
                    # A run may take away what it had staged.
                    with contextlib.suppress(FileNotFoundError):
                        results[path.relative_to(self._root).as_posix()] = path.stat().st_size
        return results

    def remove_older(self, prefix: str, before: datetime) -> int:
        """Remove the raw responses directly under `prefix` that were last written before `before`."""
        removed = 0
        folder = self._root / checked_key(prefix)
        with self._guard("written"):
            for path in list(folder.iterdir()) if folder.exists() else ():
                # Another run of the report may remove the same file.
                with contextlib.suppress(FileNotFoundError):
                    status = path.lstat()
                    if is_raw(path.name) and stat.S_ISREG(status.st_mode) and status.st_mtime < before.timestamp():
                        path.unlink()
                        removed += 1
        return removed

    def staging(self) -> Path:
        """Return `<root>/.staging`, mode 0700."""
        path = self._root / ".staging"
        with self._guard("written"):
            self._folder(self._root)
            private_folder(path)
        return path

    def error(self, verb: str, error: BaseException) -> StorageError:
        """Return the error to raise when the folder cannot be used."""
        return storage_error(self._label, str(self._root), verb, error, self._variable)

    @contextlib.contextmanager
    def _guard(self, verb: str) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise self.error(verb, error) from None

    def _folder(self, path: Path) -> None:
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=0o700 if self._private else 0o777, exist_ok=True)
            flush(folder.parent)

    @contextlib.contextmanager
    def _copied(self, source: Path) -> Generator[Path]:
        """Copy `source` to the store's own file system, flushed; the copy is removed when the block ends."""
        with temporary_folder(self.staging(), "copy-") as folder:
            copy = folder / "copy.part"
            with copy.open("wb") as sink, source.open("rb") as read:
                shutil.copyfileobj(read, sink, _COPY_BYTES)
                sink.flush()
                os.fsync(sink.fileno())
            shutil.copymode(source, copy)
            yield copy


def _identity(path: Path) -> tuple[int, ...] | None:
    """Return what distinguishes a file from one that replaced it; None if there is no file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
