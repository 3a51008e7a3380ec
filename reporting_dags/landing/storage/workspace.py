"""A folder for the files of one landing, gone when it ends; what a killed process left goes with the next landing."""

import contextlib
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

from reporting_dags.landing.storage.paths import locked
from reporting_dags.landing.storage.store import Store


@contextlib.contextmanager
def workspace(store: Store) -> Generator[Path]:
    """A new private folder in the store's staging; removed with all that is in it, however the landing ends.

    Raises:
        StorageError: the staging folder refuses.
    """
    staging = store.staging()
    with contextlib.ExitStack() as held:
        try:
            # One at a time: a folder that is made but not yet held would be taken for a dead process's.
            with locked(staging):
                _sweep(staging)
                folder = Path(tempfile.mkdtemp(prefix="landing-", dir=staging))
                held.enter_context(locked(folder))
        except OSError as error:
            raise store.error("written", error) from None
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _sweep(staging: Path) -> None:
    for folder in staging.glob("landing-*"):
        # A live process holds it, or it is gone meanwhile, or nobody can tell.
        with contextlib.suppress(OSError), locked(folder, wait=0):
            shutil.rmtree(folder, ignore_errors=True)
