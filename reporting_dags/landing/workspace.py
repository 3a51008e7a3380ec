"""A folder for the files of one landing, gone when it ends."""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

from reporting_dags.landing.store import Store

# No landing lasts as long; what is older was left by a process that was killed.
_LEFT_OVER_SECONDS = 7 * 24 * 3600


@contextlib.contextmanager
def workspace(store: Store) -> Generator[Path]:
    """A new private folder in the store's staging; removed with all that is in it, however the landing ends.

    Raises:
        StorageError: the staging folder refuses.
    """
    staging = store.staging()
    try:
        _sweep(staging)
        folder = Path(tempfile.mkdtemp(prefix="landing-", dir=staging))
    except OSError as error:
        raise store.trouble("written", error) from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(staging: Path) -> None:
    for folder in staging.glob("landing-*"):
        with contextlib.suppress(FileNotFoundError):
            touched = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
            if touched < time.time() - _LEFT_OVER_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
