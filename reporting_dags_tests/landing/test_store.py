"""A key holds the old whole file or the new one, in a folder and in a bucket alike."""

import os
import stat
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer
from pyarrow import fs

from reporting_dags.landing.folders import private_folder
from reporting_dags.landing.land import LandedDay
from reporting_dags.landing.read import read_days
from reporting_dags.landing.store import Store, open_store, raw_key
from reporting_dags.model.errors import SettingError, StorageError
from reporting_dags_tests.landing.answers import FIRST, SECOND, Bench, report, rows

KEY = "dt_offer_wall/event/date=2026-11-01/part-0.parquet"


@pytest.fixture(scope="module")
def bucket() -> Generator[str]:
    """The query of an S3 address on loopback, with a bucket `reports` in it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = fs.S3FileSystem(
        access_key="ak", secret_key="sk", endpoint_override=f"{host}:{port}", scheme="http", region="us-east-1",
        allow_bucket_creation=True,
    )  # fmt: skip
    client.create_dir("reports")
    yield f"scheme=http&region=us-east-1&endpoint_override={host}%3A{port}"
    server.stop()


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return open_store(f"file://{tmp_path}/data", scratch=tmp_path / "scratch")
    query = request.getfixturevalue("bucket")
    return open_store(f"s3://ak:sk@reports/{tmp_path.name}?{query}", scratch=tmp_path / "scratch")


def staged(store: Store, content: bytes) -> Path:
    path = store.staging() / "made.part"
    path.write_bytes(content)
    return path


def test_keys_say_report_and_day_or_content() -> None:
    assert KEY == "dt_offer_wall/event/date=2026-11-01/part-0.parquet"
    assert raw_key("dt_offer_wall/event", "abc", ".csv") == "dt_offer_wall/event/abc.csv"


def test_what_is_put_is_there_and_replaces(store: Store, tmp_path: Path) -> None:
    assert not store.exists(KEY)
    for content in (b"one", b"and two" * 3_000_000):
        source = staged(store, content)
        store.put(source, KEY)
        assert not source.exists()
        assert store.exists(KEY)
        assert store.size(KEY) == len(content)
        with store.open(KEY) as file:
            assert file.read() == content
        assert store.fetch(KEY, tmp_path / "into").read_bytes() == content
    assert not store.exists("dt_offer_wall/event")


def test_the_last_look_comes_before_a_key_changes_and_what_it_raises_changes_nothing(store: Store) -> None:
    class Taken(Exception):
        """Another run has taken over."""

    def taken() -> None:
        with store.open(KEY) as file:
            seen.append(file.read())
        raise Taken

    seen: list[bytes] = []
    store.put(staged(store, b"old"), KEY)
    source = staged(store, b"newer")
    with pytest.raises(Taken):
        store.put(source, KEY, taken)
    assert seen == [b"old"]
    assert store.size(KEY) == len(b"old")
    assert source.read_bytes() == b"newer"


@pytest.mark.parametrize("bytes_that_arrive", [0, 4, 6])
def test_an_upload_that_arrives_with_another_size_is_an_error_and_its_file_stays(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bytes_that_arrive: int
) -> None:
    store = open_store(f"s3://ak:sk@reports/{tmp_path.name}?{bucket}", scratch=tmp_path / "scratch", label="data root")
    source = staged(store, b"whole")

    def copy(_: str, path: str, *, destination_filesystem: fs.FileSystem, **__: object) -> None:
        with destination_filesystem.open_output_stream(path) as stream:
            stream.write(b"whole!"[:bytes_that_arrive])

    monkeypatch.setattr("reporting_dags.landing.bucket.fs.copy_files", copy)
    with pytest.raises(StorageError, match=f"{KEY} arrived with {bytes_that_arrive} of 5 bytes"):
        store.put(source, KEY)
    assert source.read_bytes() == b"whole"
    assert not store.exists(KEY), "nobody reads what is not whole"


def test_what_is_not_there_is_a_storage_error(store: Store, tmp_path: Path) -> None:
    def fetch(key: str) -> object:
        return store.fetch(key, tmp_path / "into")

    for use in (store.open, fetch):
        with pytest.raises(StorageError, match="cannot be read"):
            use(KEY)
    assert store.size(KEY) is None


def test_staging_is_private_and_holds_nothing_that_a_glob_would_read(store: Store) -> None:
    assert stat.S_IMODE(store.staging().stat().st_mode) == 0o700
    assert store.staging() == store.staging()


@pytest.mark.parametrize("key", ["/etc/passwd", "../x", "a/../../x", "a//b", "", "a/", "."])
def test_a_key_stays_below_the_root(store: Store, key: str) -> None:
    with pytest.raises(ValueError, match="is no key"):
        store.exists(key)


def test_days_land_in_a_bucket(tmp_path: Path, bucket: str) -> None:
    bench = Bench(tmp_path)
    bench.store = open_store(f"s3://ak:sk@reports/landed?{bucket}", scratch=tmp_path / "scratch")
    results = bench.land(rows("2026-11-01,1,US,1,1,1"), days=[FIRST, SECOND])
    assert all(isinstance(each, LandedDay) for each in results)
    table = read_days(bench.store, report(), [FIRST, SECOND])
    assert table.num_rows == 1
    assert list((tmp_path / "scratch" / "staging").iterdir()) == []
    client, base = fs.FileSystem.from_uri(f"s3://ak:sk@reports/landed?{bucket}")
    files = [info.path for info in client.get_file_info(fs.FileSelector(base, recursive=True)) if info.is_file]
    assert sorted(files) == [f"{base}/dt_offer_wall/event/date={each}/part-0.parquet" for each in (FIRST, SECOND)]


def test_a_bucket_that_refuses_is_one_line_without_secrets(tmp_path: Path, bucket: str) -> None:
    store = open_store(
        f"s3://ak:sk-secret@nowhere/x?{bucket}", scratch=tmp_path, label="raw store", variable="REPORTING_RAW_URL"
    )
    assert store.url == "s3://nowhere/x"
    with pytest.raises(StorageError) as refused:
        store.put(staged(store, b"x"), KEY)
    line = refused.value.line
    assert line.startswith("raw store s3://nowhere/x cannot be written: ")
    assert line.endswith("Set REPORTING_RAW_URL to a place that can be written")
    for secret in ("sk-secret", "endpoint_override", "127.0.0.1"):
        assert secret not in line


def test_a_raw_store_is_private(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "raw"), scratch=tmp_path, private=True)
    store.put(staged(store, b"x"), "a/b/c.csv")
    root = tmp_path / "raw"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (root, *root.rglob("*"))}
    assert modes == {"raw": 0o700, ".staging": 0o700, "a": 0o700, "b": 0o700, "c.csv": 0o600}


def test_a_file_from_another_disk_arrives_whole(tmp_path: Path) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("one file system only")
    source = other / f"landing-{os.getpid()}"
    source.write_bytes(b"x" * 100)
    store = open_store(str(tmp_path / "data"), scratch=tmp_path)
    store.put(source, KEY)
    assert not source.exists()
    assert store.size(KEY) == 100
    assert list(store.staging().iterdir()) == []


def test_a_staging_folder_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    private_folder(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("url", ["ftp://host/x", "http://host", "file://host/x", "", "s3://"])
def test_an_address_of_no_known_form_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="REPORTING_DATA_URL"):
        open_store(url, scratch=tmp_path)


def test_opening_a_store_touches_nothing(tmp_path: Path) -> None:
    open_store(str(tmp_path / "data"), scratch=tmp_path / "scratch")
    open_store("s3://bucket/prefix?endpoint_override=127.0.0.1%3A1", scratch=tmp_path / "scratch")
    assert list(tmp_path.iterdir()) == []


def test_keys_are_those_of_every_file_below_a_folder(store: Store) -> None:
    other = "dt_offer_wall/events/part-0.parquet"
    assert list(store.sizes("")) == []
    for key in (KEY, other):
        store.put(staged(store, b"x"), key)
    staged(store, b"on its way")
    assert sorted(store.sizes("")) == [KEY, other]
    assert list(store.sizes("dt_offer_wall/event")) == [KEY]
    assert list(store.sizes("mintegral/event")) == []


def test_old_raw_answers_directly_under_a_folder_are_removed(store: Store) -> None:
    inner, published = f"a/b/inner/{'c' * 64}.csv", "a/b/part-0.parquet"
    for key in (f"a/b/{'1' * 64}.csv", f"a/b/{'2' * 64}.json", inner, f"a/bb/{'1' * 64}.csv", published):
        store.put(staged(store, b"x"), key)
    assert store.remove_older("a/b", datetime.now(UTC) - timedelta(hours=1)) == 0
    assert store.remove_older("a/b", datetime.now(UTC) + timedelta(hours=1)) == 2
    assert sorted(store.sizes("")) == [inner, published, f"a/bb/{'1' * 64}.csv"], "what is no raw answer stays"
    assert store.remove_older("nowhere/at_all", datetime.now(UTC)) == 0


def test_age_is_told_by_the_time_of_writing(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "raw"), scratch=tmp_path, private=True)
    now = datetime.now(UTC)
    for digit, age in (("3", 3), ("2", 2), ("1", 1)):
        store.put(staged(store, b"x"), f"a/b/{digit * 64}.csv")
        written = (now - timedelta(days=age)).timestamp()
        os.utime(tmp_path / f"raw/a/b/{digit * 64}.csv", (written, written))
    assert store.remove_older("a/b", now - timedelta(days=2)) == 1
    assert sorted(store.sizes("a/b")) == [f"a/b/{'1' * 64}.csv", f"a/b/{'2' * 64}.csv"]


def test_a_folder_that_cannot_be_emptied_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "raw" / "a").mkdir(parents=True)
    (tmp_path / "raw" / "a" / "b").write_bytes(b"no folder")
    store = open_store(str(tmp_path / "raw"), scratch=tmp_path, label="raw store", variable="REPORTING_RAW_URL")
    with pytest.raises(StorageError, match=r"raw store .* cannot be written: not a directory"):
        store.remove_older("a/b", datetime.now(UTC))
