import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_tells_its_address_and_quits_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    ready = tmp_path / "ready"
    command = [sys.executable, "-m", "reporting_dags.sandbox", "--port", "0", "--seed", "3", "--ready-file", str(ready)]
    command += ["--at", "2026-11-22T15:00:00Z", "--fill-seconds", "20"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 20
        while not ready.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        url = ready.read_text(encoding="utf-8")
        health = requests.get(f"{url}/_sandbox/health", timeout=10).json()
        settings = requests.get(f"{url}/_sandbox/settings", timeout=10).json()
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
    assert process.returncode == 0
    assert out == f"sandbox listening on {url}\n"
    assert err == ""
    assert health["now"].startswith("2026-11-22T15:0")
    assert settings["dt"]["fill_seconds"] == 20
    assert not ready.exists()
