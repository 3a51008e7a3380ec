"""Downloads: a provider's response is written to disk byte for byte as it arrives."""

import contextlib
import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from reporting_dags.landing.storage.errors import storage_error


@dataclass(frozen=True, slots=True)
class RawResponse:
    """A complete response as one local file.

    Attributes:
        path: the file; the holder of this object owns it.
        sha256: SHA-256 of its bytes, in hex.
        size: its bytes.
    """

    path: Path
    sha256: str
    size: int


class Spool:
    """A private file (mode 0600) for the bytes of a response; it is removed unless `finish` is called.

    Raises:
        StorageError: the folder cannot be written, or is full; the file is removed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._digest = hashlib.sha256()
        self._size = 0
        self._finished = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix="answer-", suffix=".part", dir=folder)
        except OSError as error:
            raise self._trouble(error) from None
        self._path = Path(name)
        self._file = os.fdopen(handle, "wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None or not self._finished:
            self._discard()

    def write(self, chunk: bytes) -> None:
        """Append `chunk`."""
        try:
            self._file.write(chunk)
        except OSError as error:
            self._discard()
            raise self._trouble(error) from None
        self._digest.update(chunk)
        self._size += len(chunk)

    def finish(self) -> RawResponse:
        """Close the file and return it."""
        try:
            self._file.close()
        except OSError as error:
            self._discard()
            raise self._trouble(error) from None
        self._finished = True
        return RawResponse(self._path, self._digest.hexdigest(), self._size)

    def _discard(self) -> None:
        # Closing flushes, so on a full disk it fails a second time; the descriptor is released all the same.
        with contextlib.suppress(OSError):
            self._file.close()
        self._path.unlink(missing_ok=True)

    def _trouble(self, error: OSError) -> Exception:
        return storage_error("working folder", str(self._folder), "written", error)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
