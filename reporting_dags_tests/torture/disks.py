"""Disks that are full, read-only or not there, under the data root, the raw store and DAGSTER_HOME."""

import errno
import resource
import shutil
import subprocess
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from reporting_dags_tests.torture.place import Place
from reporting_dags_tests.torture.row import Row
from reporting_dags_tests.torture.station import Strike, bring, judged, new_place, newest_days, struck_row, wait_for

_SMALL_FILE = 2048
_FULL = "no space left on device"


def rows() -> Iterator[Row]:
    """A row a fault of a disk."""
    yield from _full()
    yield _full_in_the_middle()
    yield _read_only_data()
    yield struck_row("data root is a file", _a_file_in_place_of(_data), said="data root")
    yield struck_row("raw store is a file", _a_file_in_place_of(_raw), said="raw store")
    yield _scratch_vanishes()


def may_mount() -> bool:
    """Whether this process may mount a small disk."""
    here = Path(__file__).resolve().parent / "no such folder"
    done = subprocess.run(["mount", "-t", "tmpfs", "none", str(here)], capture_output=True, text=True, check=False)
    return "does not exist" in done.stderr


def _data(place: Place) -> Path:
    return place.data


def _raw(place: Place) -> Path:
    return place.home / "raw"


def _home(place: Place) -> Path:
    return place.home


def _full() -> Iterator[Row]:
    if not may_mount():
        # No disk of our own: every file larger than a few bytes is refused, which strikes ledger and answers alike.
        limited = "EFBIG by RLIMIT_FSIZE: no right to mount"
        yield struck_row("disk full (a limit on the size of files)", _limited, why=limited, said="cannot be")
        return
    places: tuple[tuple[str, Callable[[Place], Path], str], ...] = (
        ("at the data root", _data, _FULL),
        ("at the raw store", _raw, _FULL),
        ("in DAGSTER_HOME", _home, "cannot be"),
    )
    for where, path, said in places:
        yield struck_row(f"disk full {where}", _filled(path), said=said, before=_mounted(path), why="tmpfs")


def _full_in_the_middle() -> Row:
    if not may_mount():
        return struck_row("disk full (a limit on the size of files), again", _limited, said="cannot be")
    with new_place() as place, _mounted(_home)(place), ThreadPoolExecutor(1) as pool:
        place.sandbox.faults.add("dt.file", do="never", times=None)
        days = newest_days(3)
        running = pool.submit(bring, place, days)
        wait_for(lambda: place.sandbox.log.count("dt.file") >= 2, "a poll")
        with _filled(_home)(place):
            place.sandbox.faults.clear()
            struck = running.result()
        return judged("disk full in DAGSTER_HOME in the middle of a run", place, days, struck, least=1, why="tmpfs")


def _read_only_data() -> Row:
    fault = "read-only data root"
    if may_mount():
        return struck_row(fault, _remounted_read_only, said="read-only file system", before=_mounted(_data))
    return struck_row(fault, _without_the_right_to_write, said="data root")


def _scratch_vanishes() -> Row:
    with new_place() as place, ThreadPoolExecutor(1) as pool:
        place.sandbox.faults.add("dt.file", do="never", times=None)
        days = newest_days(3)
        running = pool.submit(bring, place, days)
        wait_for(lambda: place.sandbox.log.count("dt.file") >= 2, "a poll")
        shutil.rmtree(place.home / "reporting_spool")
        place.sandbox.faults.clear()
        return judged("scratch folder vanishes in the middle of a run", place, days, running.result(), least=1)


def _mounted(path: Callable[[Place], Path]) -> Strike:
    @contextmanager
    def mounted(place: Place) -> Generator[None]:
        at = path(place)
        at.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(at)], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", "-l", str(at)], check=True)

    return mounted


def _filled(path: Callable[[Place], Path]) -> Strike:
    @contextmanager
    def filled(place: Place) -> Generator[None]:
        filler = path(place) / ".filler"
        try:
            with filler.open("wb", buffering=0) as file:
                _fill(file.write)
            yield
        finally:
            filler.unlink(missing_ok=True)

    return filled


def _fill(write: Callable[[bytes], object]) -> None:
    """Write until there is not one byte of space."""
    for size in (1 << 16, 1):
        try:
            while True:
                write(b"x" * size)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


@contextmanager
def _limited(_place: Place) -> Generator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_SMALL_FILE, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def _remounted_read_only(place: Place) -> Generator[None]:
    def remount(how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", str(place.data)], check=True)

    remount("ro")
    try:
        yield
    finally:
        remount("rw")


@contextmanager
def _without_the_right_to_write(place: Place) -> Generator[None]:
    folders = [place.data, *(path for path in place.data.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o500)
    try:
        yield
    finally:
        for folder in folders:
            folder.chmod(0o700)


def _a_file_in_place_of(path: Callable[[Place], Path]) -> Strike:
    @contextmanager
    def replaced(place: Place) -> Generator[None]:
        at = path(place)
        aside = at.with_name("aside")
        at.rename(aside)
        at.write_text("a file")
        try:
            yield
        finally:
            at.unlink()
            aside.rename(at)

    return replaced
