"""A raw answer is a whole private file, or none."""

import hashlib
import stat
from pathlib import Path

import pytest

from reporting_dags.landing.spool import Spool
from reporting_dags.model.errors import StorageError


def test_bytes_arrive_as_they_were_written(tmp_path: Path) -> None:
    with Spool(tmp_path / "new") as spool:
        for chunk in (b"a,b\n", b"", b"1,2\n" * 100_000):
            spool.write(chunk)
        answer = spool.finish()
    content = b"a,b\n" + b"1,2\n" * 100_000
    assert answer.path.read_bytes() == content
    assert (answer.size, answer.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert stat.S_IMODE(answer.path.stat().st_mode) == 0o600
    assert answer.path.suffix != ".parquet"


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


def test_a_folder_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written: "):
        Spool(tmp_path / "file" / "folder")
