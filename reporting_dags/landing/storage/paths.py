"""Files, folders and locks of this machine, and the keys under which stores hold files."""

import contextlib
import errno
import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

_POLL_SECONDS = 0.02


def checked_key(key: str) -> str:
    """Return `key` if it is a relative path that stays below its root; raise `ValueError` if not."""
    if not re.fullmatch(r"[^/\0]+(/[^/\0]+)*", key) or {".", ".."} & set(key.split("/")):
        raise ValueError(f"{key!r} is not a key")
    return key


def is_raw(name: str) -> bool:
    """Return whether a file is named by its content, as raw responses are; no other file is removed by age."""
    return re.fullmatch(r"[0-9a-f]{64}\..+", name) is not None


def private_folder(path: Path) -> None:
    """Create `path`, or make it private: mode 0700."""
    path.mkdir(mode=0o700, exist_ok=True)
    if path.stat().st_mode & 0o077:
        path.chmod(0o700)


def flush(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def locked(folder: Path, *, wait: float | None = None) -> Generator[None]:
    """Hold a lock on the folder itself, which the system releases when the process ends, however it ends.

    Args:
        folder: the folder.
        wait: seconds to wait for another process at most; None waits as long as necessary.

    Raises:
        TimeoutError: another process holds the lock.
        OSError: the file system cannot lock folders, and `wait` is 0.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle, wait)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def temporary_folder(parent: Path, prefix: str) -> Generator[Path]:
    """Create a private folder in `parent` and hold its lock; folders of `prefix` that no one holds are removed first.

    The system releases the lock when the process ends, however it ends, so a folder without a lock is abandoned. On a
    file system without locks abandoned folders stay.

    Args:
        parent: an existing folder of this machine.
        prefix: begins the name of every folder of this kind.

    Raises:
        OSError: `parent` cannot be written.
    """
    with contextlib.ExitStack() as held:
        # One process at a time: a new folder whose lock is not held yet would look abandoned.
        with locked(parent):
            for folder in parent.glob(f"{prefix}*"):
                # A live process holds it, another one has just removed it, or it cannot be locked.
                with contextlib.suppress(OSError), locked(folder, wait=0):
                    shutil.rmtree(folder, ignore_errors=True)
            folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            held.enter_context(locked(folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _lock(handle: int, wait: float | None) -> None:
    deadline = None if wait is None else time.monotonic() + wait
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if deadline is None else fcntl.LOCK_NB))
        except BlockingIOError:
            if deadline is None or time.monotonic() >= deadline:
                raise TimeoutError(errno.EWOULDBLOCK, "another process holds the lock") from None
            time.sleep(_POLL_SECONDS)
        except OSError:
            # Some network file systems lock no folder: what killed processes leave there stays.
            if wait == 0:
                raise
            return
        else:
            return
