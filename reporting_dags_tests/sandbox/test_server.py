import threading
from time import perf_counter, sleep

import pytest
import requests

from reporting_dags.sandbox.server import running_sandbox
from reporting_dags_tests.sandbox.client import NOW, Client, get, query


def test_a_port_that_is_taken_is_an_error() -> None:
    with running_sandbox(at=NOW) as first:
        port = int(first.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"), running_sandbox(port=port):
            pass


def test_the_sandbox_stops_although_a_request_is_stalled() -> None:
    lost: list[BaseException] = []

    def ask(url: str) -> None:
        try:
            requests.get(f"{url}/anywhere", timeout=30)
        except requests.RequestException as wrong:
            lost.append(wrong)

    with running_sandbox(at=NOW) as sandbox:
        sandbox.faults.add("*", do="stall", seconds=30)
        thread = threading.Thread(target=ask, args=(sandbox.url,))
        thread.start()
        while not sandbox.log.count("none"):
            sleep(0.01)
        start = perf_counter()
    thread.join(timeout=10)
    assert perf_counter() - start < 5
    assert len(lost) <= 1


def test_many_clients_are_answered_at_once() -> None:
    with running_sandbox(at=NOW, frozen=True) as sandbox:
        client = Client(sandbox).log_in()
        contents: list[bytes] = []

        def pull() -> None:
            contents.append(get(client.ask(query()).json()["url"]).content)

        threads = [threading.Thread(target=pull) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(contents) == 20
        assert len(set(contents)) == 1
        assert sandbox.log.count("dt.report", status=200) == 20
