"""The sandbox as a process: `python -m reporting_dags.sandbox`."""

import argparse
import contextlib
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import FrameType

from reporting_dags.sandbox.digital_turbine.settings import DtSettings
from reporting_dags.sandbox.server import running_sandbox


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a sandbox until SIGTERM or SIGINT; returns the exit status."""
    asked = _parser().parse_args(arguments)
    stop = threading.Event()

    def quit_in_order(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, quit_in_order)
    ready: Path | None = asked.ready_file
    with running_sandbox(
        seed=asked.seed, host=asked.host, port=asked.port, at=asked.at, dt=DtSettings(fill_seconds=asked.fill_seconds)
    ) as sandbox:
        sys.stdout.write(f"sandbox listening on {sandbox.url}\n")
        sys.stdout.flush()
        if ready is not None:
            _write_at_once(ready, sandbox.url)
        stop.wait()
    if ready is not None:
        # Whoever waits for the file must not find the address of a sandbox that has gone.
        with contextlib.suppress(FileNotFoundError):
            ready.unlink()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reporting_dags.sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one")
    parser.add_argument("--seed", type=int, default=7, help="what the data is made from")
    parser.add_argument("--at", type=datetime.fromisoformat, help="the sandbox's time at the start, ISO with zone")
    parser.add_argument("--fill-seconds", type=float, default=0.0, help="sandbox seconds until a file is filled")
    parser.add_argument("--ready-file", type=Path, help="where to write the address once it answers")
    return parser


def _write_at_once(path: Path, text: str) -> None:
    """Write so that a reader finds the whole text or no file."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    sys.exit(main())
