"""The staging folder of a store: where files are written before they are published."""

import contextlib
from collections.abc import Generator
from pathlib import Path

from reporting_dags.landing.storage.paths import temporary_folder
from reporting_dags.landing.storage.store import Store


@contextlib.contextmanager
def staging_folder(store: Store) -> Generator[Path]:
    """Create a temporary folder for the files that are about to be published in `store`.

    Raises:
        StorageError: the staging folder cannot be written.
    """
    with contextlib.ExitStack() as held:
        try:
            folder = held.enter_context(temporary_folder(store.staging(), "landing-"))
        except OSError as error:
            raise store.error("written", error) from None
        yield folder
