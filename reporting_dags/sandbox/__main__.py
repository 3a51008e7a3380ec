"""The command that runs the sandbox: `python -m reporting_dags.sandbox`."""

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
    """Run a sandbox until SIGTERM or SIGINT, and return the exit status."""
    options = _parser().parse_args(arguments)
    stop = threading.Event()

    def request_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, request_stop)
    ready: Path | None = options.ready_file
    with running_sandbox(
        seed=options.seed,
        host=options.host,
        port=options.port,
        at=options.at,
        dt=DtSettings(fill_seconds=options.fill_seconds),
    ) as sandbox:
        sys.stdout.write(f"sandbox listening on {sandbox.url}\n")
        sys.stdout.flush()
        if ready is not None:
            _write_atomically(ready, sandbox.url)
        stop.wait()
    if ready is not None:
        # A process that waits for the file must not read the address of a stopped sandbox.
        with contextlib.suppress(FileNotFoundError):
            ready.unlink()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reporting_dags.sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 selects a free one")
    parser.add_argument("--seed", type=int, default=7, help="seed of the generated data")
    parser.add_argument(
        "--at", type=datetime.fromisoformat, help="initial time of the sandbox, in ISO format with time zone"
    )
    parser.add_argument(
        "--fill-seconds", type=float, default=0.0, help="seconds, by the clock of the sandbox, until a file is ready"
    )
    parser.add_argument(
        "--ready-file", type=Path, help="file to which the address is written when the sandbox is ready"
    )
    return parser


def _write_atomically(path: Path, text: str) -> None:
    """Write the file atomically: a reader sees the complete text or no file."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    sys.exit(main())
