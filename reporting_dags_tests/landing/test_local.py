"""A file that was put into a folder outlives a power cut: what is on the disk, and in which order it came there."""

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reporting_dags.landing.storage.paths import private_folder
from reporting_dags.landing.storage.store import open_store
from reporting_dags.model.errors import StorageError

KEY = "a/b/date=2026-11-01/part-0.parquet"


@dataclass
class Disk:
    """What was asked of the disk: (what, path), in order; files that were renamed are told by their first name."""

    done: list[tuple[str, Path]] = field(default_factory=list[tuple[str, Path]])

    def when(self, what: str, path: Path) -> int:
        """At which place `what` was done to `path`, the last time."""
        assert (what, path) in self.done, f"no {what} of {path}"
        return max(place for place, each in enumerate(self.done) if each == (what, path))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    seen = Disk()

    def noted(name: str, what: str, which: int) -> None:
        honest = getattr(os, name)

        def doing(*args: Any, **how: Any) -> Any:
            told = args[which]
            path = Path(f"/proc/self/fd/{told}").readlink() if isinstance(told, int) else Path(told)
            seen.done.append((what, path))
            return honest(*args, **how)

        monkeypatch.setattr(os, name, doing)

    noted("fsync", "flush", 0)
    noted("replace", "name", 1)
    noted("mkdir", "make", 0)
    return seen


def test_a_file_is_on_the_disk_before_it_has_its_name_and_the_name_before_it_counts_as_put(
    tmp_path: Path, disk: Disk
) -> None:
    root = tmp_path / "data"
    store = open_store(str(root), scratch=tmp_path)
    made = store.staging() / "made.part"
    made.write_bytes(b"x")
    store.put(made, KEY)
    named = disk.when("name", root / KEY)
    assert disk.when("flush", made) < named
    assert disk.when("flush", (root / KEY).parent) > named
    for folder in (root, root / "a", root / "a/b", (root / KEY).parent):
        assert folder.stat().st_mode & 0o077, "others may read the data"
        assert disk.when("flush", folder.parent) > disk.when("make", folder), "a folder that is not on the disk"


@pytest.mark.parametrize("private", [False, True])
def test_a_copy_from_another_disk_is_on_this_one_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk: Disk, private: bool
) -> None:
    root, source = tmp_path / "data", tmp_path / "elsewhere"
    source.write_bytes(b"x" * 100)
    source.chmod(0o640)
    store = open_store(str(root), scratch=tmp_path, private=private)
    noting = os.replace

    def across(old: Any, new: Any) -> None:
        if Path(old) == source:
            raise OSError(errno.EXDEV, "another disk")
        noting(old, new)

    monkeypatch.setattr(os, "replace", across)
    store.put(source, KEY)
    named = disk.when("name", root / KEY)
    flushed = [path for what, path in disk.done if what == "flush"]
    assert any(path.parent.parent == store.staging() for path in flushed), "not beside the data"
    copies = [place for place, (what, path) in enumerate(disk.done) if what == "flush" and path.suffix == ".part"]
    assert copies
    assert max(copies) < named < disk.when("flush", (root / KEY).parent)
    assert (root / KEY).read_bytes() == b"x" * 100
    assert stat.S_IMODE((root / KEY).stat().st_mode) == (0o600 if private else 0o640)
    assert not source.exists()
    assert list(store.staging().iterdir()) == []


def test_a_rename_that_fails_otherwise_is_told_and_leaves_file_and_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(str(tmp_path / "data"), scratch=tmp_path)
    made = store.staging() / "made.part"
    made.write_bytes(b"old")
    store.put(made, KEY)
    made.write_bytes(b"new")
    honest = os.replace

    def refusing(old: Any, new: Any) -> None:
        if Path(old) == made:
            raise OSError(errno.EACCES, "not this file")
        honest(old, new)

    monkeypatch.setattr(os, "replace", refusing)
    with pytest.raises(StorageError, match="cannot be written: permission denied"):
        store.put(made, KEY)
    assert made.read_bytes() == b"new"
    with store.open(KEY) as file:
        assert file.read() == b"old"


def test_what_cannot_be_read_is_told_as_that(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "data"), scratch=tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_bytes(b"x")
    endless = "x" * 300

    def fetched(key: str) -> Path:
        return store.fetch(key, tmp_path)

    def listed(key: str) -> list[str]:
        return list(store.sizes(key))

    for use, key, why in (
        (store.open, endless, "file name too long"),
        (fetched, endless, "file name too long"),
        (listed, endless, "file name too long"),
        (listed, "file", "not a directory"),
    ):
        with pytest.raises(StorageError, match=f"^data root .*/data cannot be read: {why}. Set REPORTING_DATA_URL to"):
            use(key)


def test_what_is_no_file_has_no_size(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "data"), scratch=tmp_path)
    (tmp_path / "data" / "folder").mkdir(parents=True)
    (tmp_path / "data" / "folder" / "file").write_bytes(b"abc")
    sizes = [store.size(key) for key in ("folder/file", "folder", "folder/none", "none/none")]
    assert sizes == [3, None, None, None]


def test_a_file_that_another_run_has_removed_meanwhile_is_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(str(tmp_path / "raw"), scratch=tmp_path)
    folder = tmp_path / "raw" / "a"
    folder.mkdir(parents=True)
    names = [f"{digit * 64}.csv" for digit in "12"]
    for name in names:
        (folder / name).write_bytes(b"x")
    honest = Path.iterdir

    def late(path: Path) -> Iterator[Path]:
        found = sorted(honest(path))
        (folder / names[0]).unlink()
        return iter(found)

    monkeypatch.setattr(Path, "iterdir", late)
    assert store.remove_older("a", datetime.now(UTC) + timedelta(hours=1)) == 1
    assert not (folder / "2.csv").exists()


def test_a_private_folder_is_private_from_its_first_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[int] = []
    honest = os.mkdir

    def made(path: Any, mode: int = 0o777, **how: Any) -> None:
        modes.append(mode)
        honest(path, mode, **how)

    monkeypatch.setattr(os, "mkdir", made)
    private_folder(tmp_path / "mine")
    assert modes == [0o700]


def test_a_folder_that_another_run_makes_at_the_same_moment_is_taken_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(str(tmp_path / "data"), scratch=tmp_path)
    made = store.staging() / "made.part"
    made.write_bytes(b"x")
    (tmp_path / "data" / KEY).parent.mkdir(parents=True)
    honest = Path.exists

    def late(path: Path) -> bool:
        return honest(path) and not path.is_relative_to(tmp_path / "data")

    monkeypatch.setattr(Path, "exists", late)
    store.put(made, KEY)
    assert store.size(KEY) == 1
