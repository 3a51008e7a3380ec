"""A key holds the old whole file or the new one, in a folder and in a bucket alike."""

import os
import re
import socket
import stat
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import obstore
import pytest

from reporting_dags.landing.reading.partitions import read_days
from reporting_dags.landing.storage.bucket_address import Bucket
from reporting_dags.landing.storage.paths import locked, private_folder
from reporting_dags.landing.storage.store import Store, open_store, raw_key
from reporting_dags.landing.writing.land import LandedDay
from reporting_dags.model.errors import SettingError, StorageError
from reporting_dags_tests.buckets import running_s3, s3_address, slow_line
from reporting_dags_tests.gcs import gcs_address, running_gcs
from reporting_dags_tests.landing.answers import FIRST, SECOND, Bench, report, rows

KEY = "dt_offer_wall/event/date=2026-11-01/part-0.parquet"


@pytest.fixture(scope="module")
def s3() -> Generator[str]:
    """The host and port of an S3 server."""
    with running_s3() as server:
        yield server


@pytest.fixture(scope="module")
def gcs() -> Generator[str]:
    """The host and port of a server of Google Cloud Storage."""
    with running_gcs() as server:
        yield server


ADDRESSES = {"s3": s3_address, "gcs": gcs_address}


@pytest.fixture(params=["folder", "s3", "gcs"])
def open_place(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Callable[[str], str]], Store]:
    """Opens the store of a test; a bucket at the address that its argument makes of the server's."""

    def opened(line: Callable[[str], str] = lambda server: server) -> Store:
        if request.param == "folder":
            return open_store(f"file://{tmp_path}/data", scratch=tmp_path / "scratch")
        server = line(request.getfixturevalue(request.param))
        return open_store(ADDRESSES[request.param](server, tmp_path.name), scratch=tmp_path / "scratch")

    return opened


@pytest.fixture
def store(open_place: Callable[..., Store]) -> Store:
    return open_place()


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


def test_an_upload_that_arrives_with_another_size_is_an_error_and_its_file_stays(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(s3_address(s3, tmp_path.name), scratch=tmp_path / "scratch", label="data root")
    source = staged(store, b"whole")
    put = obstore.put

    def cut(bucket: Bucket, key: str, _: Path, **named: Any) -> object:
        return put(bucket, key, b"who", **named)

    monkeypatch.setattr("reporting_dags.landing.storage.bucket_store.obstore.put", cut)
    with pytest.raises(StorageError, match=f"{KEY} arrived with 3 of 5 bytes"):
        store.put(source, KEY)
    assert source.read_bytes() == b"whole"


class TakenError(Exception):
    """Another run has taken over."""


@pytest.mark.parametrize("there", [b"", b"old"], ids=["absent", "replaced"])
def test_a_key_that_another_process_changed_after_the_check_is_checked_again_and_not_overwritten(
    store: Store, there: bytes
) -> None:
    if there:
        store.put(staged(store, there), KEY)
    checks: list[int | None] = []

    def check() -> None:
        checks.append(store.size(KEY))
        if len(checks) > 1:
            raise TakenError
        (other := store.staging() / "other.part").write_bytes(b"newer")
        store.put(other, KEY, lambda: None)

    source = staged(store, b"stale content")
    with pytest.raises(TakenError):
        store.put(source, KEY, check)
    assert checks == [len(there) or None, len(b"newer")]
    with store.open(KEY) as file:
        assert file.read() == b"newer"
    assert source.exists()


def test_a_key_that_changed_after_the_check_is_replaced_by_whoever_may_still_do_so(store: Store) -> None:
    checks: list[int | None] = []

    def check() -> None:
        checks.append(store.size(KEY))
        if len(checks) < 3:
            (other := store.staging() / "other.part").write_bytes(b"x" * len(checks))
            store.put(other, KEY, lambda: None)

    store.put(staged(store, b"newest"), KEY, check)
    assert checks == [None, 1, 2]
    assert store.size(KEY) == len(b"newest")


def test_a_key_that_never_stops_changing_is_an_error_and_its_file_stays(store: Store) -> None:
    def check() -> None:
        (other := store.staging() / "other.part").write_bytes(b"x" * (1 + (store.size(KEY) or 0)))
        store.put(other, KEY, lambda: None)

    source = staged(store, b"mine")
    with pytest.raises(StorageError, match="changes faster than it can be replaced"):
        store.put(source, KEY, check)
    assert source.exists()


@pytest.mark.parametrize("kind", ["s3", "gcs"])
@pytest.mark.parametrize("there", [b"", b"old"], ids=["absent", "replaced"])
def test_an_upload_whose_bytes_arrive_after_a_newer_one_is_refused_by_the_bucket(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, there: bytes
) -> None:
    server = request.getfixturevalue(kind)
    direct = open_store(ADDRESSES[kind](server, tmp_path.name), scratch=tmp_path / "direct")
    if there:
        direct.put(staged(direct, there), KEY)
    checks: list[str] = []

    def check() -> None:
        checks.append("checked")
        if len(checks) > 1:
            raise TakenError

    with slow_line(server) as line, ThreadPoolExecutor(1) as pool:
        slow = open_store(ADDRESSES[kind](line.address, tmp_path.name), scratch=tmp_path / "slow")
        stale = pool.submit(slow.put, staged(slow, b"stale"), KEY, check)
        assert line.holding.wait(20)
        assert checks == ["checked"]
        direct.put(staged(direct, b"newer"), KEY, lambda: None)
        line.released.set()
        with pytest.raises(TakenError):
            stale.result(20)
    with direct.open(KEY) as file:
        assert file.read() == b"newer"


@pytest.mark.parametrize("kind", ["s3", "gcs"])
def test_a_file_that_is_replaced_while_it_is_read_is_an_error_not_a_mixture(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    store = open_store(ADDRESSES[kind](request.getfixturevalue(kind), tmp_path.name), scratch=tmp_path)
    store.put(staged(store, b"a" * 100), KEY)
    with store.open(KEY) as file:
        assert file.read(50) == b"a" * 50
        store.put(staged(store, b"b" * 100), KEY)
        with pytest.raises(OSError, match="was replaced"):
            file.read(50)


def test_a_folder_that_another_process_keeps_locked_is_an_error_after_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reporting_dags.landing.storage.local_store._LOCK_SECONDS", 0.2)
    store = open_store(str(tmp_path / "data"), scratch=tmp_path)
    (tmp_path / "data" / KEY).parent.mkdir(parents=True)
    with locked((tmp_path / "data" / KEY).parent), pytest.raises(StorageError, match="stays locked by another process"):
        store.put(staged(store, b"x"), KEY, lambda: None)
    store.put(staged(store, b"x"), KEY, lambda: None)


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
    with pytest.raises(ValueError, match="is not a key"):
        store.exists(key)


@pytest.mark.parametrize("kind", ["s3", "gcs"])
def test_days_land_in_a_bucket(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    context = Bench(tmp_path)
    context.store = open_store(ADDRESSES[kind](request.getfixturevalue(kind), "landed"), scratch=tmp_path / "scratch")
    results = context.land(rows("2026-11-01,1,US,1,1,1"), days=[FIRST, SECOND])
    assert all(isinstance(each, LandedDay) for each in results)
    table = read_days(context.store, report(), [FIRST, SECOND])
    assert table.num_rows == 1
    assert list((tmp_path / "scratch" / "staging").iterdir()) == []
    assert sorted(context.store.sizes("")) == [
        f"dt_offer_wall/event/date={each}/part-0.parquet" for each in (FIRST, SECOND)
    ]


@pytest.mark.parametrize("precondition", [None, lambda: None], ids=["plain", "conditional"])
def test_a_bucket_that_refuses_is_one_line_without_secrets(
    tmp_path: Path, s3: str, precondition: Callable[[], None] | None
) -> None:
    address = s3_address(s3, "x").replace("ak:sk@reports", "ak:sk-secret@nowhere")
    store = open_store(address, scratch=tmp_path, label="raw store", variable="REPORTING_RAW_URL")
    assert store.url == "s3://nowhere/x"
    with pytest.raises(StorageError) as refused:
        store.put(staged(store, b"x"), KEY, precondition)
    line = refused.value.line
    assert line.startswith("raw store s3://nowhere/x cannot be written: no such bucket")
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


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("regoin=eu-west-1", "unknown parameter 'regoin' in the address. Fix: use only access_key, endpoint_override"),
        ("scheme=ftp&endpoint_override=127.0.0.1%3A1", "the parameter scheme is neither http nor https"),
    ],
)
def test_a_parameter_of_a_bucket_that_is_not_known_is_named(tmp_path: Path, query: str, said: str) -> None:
    store = open_store(f"s3://ak:sk@reports/x?{query}", scratch=tmp_path)
    with pytest.raises(SettingError, match=re.escape(f"REPORTING_DATA_URL: {said}")):
        store.exists(KEY)


def test_a_bucket_without_credentials_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    store = open_store("s3://reports/x?scheme=http&endpoint_override=127.0.0.1%3A1", scratch=tmp_path)
    with pytest.raises(SettingError, match="no AWS credentials were found for s3://reports"):
        store.exists(KEY)


def test_credentials_of_a_profile_open_a_bucket(s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profiles = tmp_path / "credentials"
    profiles.write_text("[reports]\naws_access_key_id = ak\naws_secret_access_key = sk\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(profiles))
    monkeypatch.setenv("AWS_PROFILE", "reports")
    store = open_store(s3_address(s3, tmp_path.name).replace("ak:sk@", ""), scratch=tmp_path / "scratch")
    store.put(staged(store, b"x"), KEY, lambda: None)
    assert store.size(KEY) == 1


def test_keys_of_an_address_are_used_whatever_the_environment_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token-of-the-environment")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with server.accept()[0] as line:
                asked.append(line.recv(65536))
                line.sendall(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        store = open_store(s3_address(f"127.0.0.1:{server.getsockname()[1]}", "x"), scratch=tmp_path)
        assert store.size(KEY) is None
        thread.join()
    assert b"Credential=ak/" in asked[0]
    assert b"token-of-the-environment" not in asked[0]


def test_a_bucket_that_is_silent_is_an_error_after_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reporting_dags.landing.storage.bucket_address._READ_TIMEOUT", timedelta(seconds=0.3))
    monkeypatch.setattr("reporting_dags.landing.storage.bucket_address._RETRIES", {"max_retries": 1})
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = f"127.0.0.1:{silent.getsockname()[1]}"
        for address in (s3_address(server, "x"), gcs_address(server, "x")):
            store = open_store(address, scratch=tmp_path)
            with pytest.raises(StorageError, match="cannot be read: no response from the bucket, or an unexpected one"):
                store.sizes("")


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
    assert sorted(store.sizes("")) == [inner, published, f"a/bb/{'1' * 64}.csv"], "what is not a raw response stays"
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
