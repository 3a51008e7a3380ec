"""A raw response is a whole private file, or none."""

import hashlib
import stat
from pathlib import Path

import pytest

from reporting_dags.landing.storage.spool import Spool, sha256_of
from reporting_dags.model.errors import StorageError


def test_bytes_arrive_as_they_were_written(tmp_path: Path) -> None:
    with Spool(tmp_path / "new" / "folder") as spool:
        for chunk in (b"a,b\n", b"", b"1,2\n" * 100_000):
            spool.write(chunk)
        answer = spool.finish()
    content = b"a,b\n" + b"1,2\n" * 100_000
    assert answer.path.read_bytes() == content
    assert (answer.size, answer.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert stat.S_IMODE(answer.path.stat().st_mode) == 0o600
    assert answer.path.suffix != ".parquet"
    assert answer.path.parent == tmp_path / "new" / "folder", "raw responses are nowhere but where they are private"


def test_nothing_stays_of_an_answer_that_broke_off(tmp_path: Path) -> None:
    def fed() -> None:
        with Spool(tmp_path) as spool:
            spool.write(b"half")
            spool.finish()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fed()
    with Spool(tmp_path) as spool:
        spool.write(b"never finished")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_no_more_is_one_line_and_leaves_no_file(tmp_path: Path, small_files: None) -> None:
    with Spool(tmp_path) as spool, pytest.raises(StorageError, match=r"working folder .* cannot be .*: file too large"):
        spool.write(b"x" * 100_000)
    assert list(tmp_path.iterdir()) == []
    spool = Spool(tmp_path)
    spool.write(b"x" * 7)
    assert spool.finish().size == 7


def test_a_disk_that_is_full_at_the_last_byte_leaves_no_file(tmp_path: Path, small_files: None) -> None:
    spool = Spool(tmp_path)
    for size in (65_536, 10):
        spool.write(b"x" * size)
    with pytest.raises(StorageError, match=f"^working folder {tmp_path} cannot be written: file too large"):
        spool.finish()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = f"^working folder {tmp_path}/file/folder cannot be written: not a directory"
    with pytest.raises(StorageError, match=told):
        Spool(tmp_path / "file" / "folder")


def test_a_files_digest_is_that_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 100_000)
    assert sha256_of(tmp_path / "file") == hashlib.sha256(b"x" * 100_000).hexdigest()
