"""Files and folders of this machine, and the keys under which stores hold files."""

import contextlib
import fcntl
import os
import re
from collections.abc import Generator
from pathlib import Path


def checked_key(key: str) -> str:
    """`key`, if it is a relative path that stays below its root; `ValueError` if not."""
    if not re.fullmatch(r"[^/\0]+(/[^/\0]+)*", key) or {".", ".."} & set(key.split("/")):
        raise ValueError(f"{key!r} is no key")
    return key


def is_raw(name: str) -> bool:
    """Whether a file is named by its content, as raw answers are; nothing else is removed for its age."""
    return re.fullmatch(r"[0-9a-f]{64}\..+", name) is not None


def private_folder(path: Path) -> None:
    """Make `path`, or make it private: mode 0700."""
    path.mkdir(mode=0o700, exist_ok=True)
    if path.stat().st_mode & 0o077:
        path.chmod(0o700)


def flush(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def locked(folder: Path, *, wait: bool = True) -> Generator[None]:
    """A lock on the folder itself, which the system lets go when the process dies, however it dies.

    Raises:
        OSError: another process holds it, unless it is waited for; or nobody can tell.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        if wait:
            # Some network file systems lock no folder: what killed processes leave there stays.
            with contextlib.suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)
