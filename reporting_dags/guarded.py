"""Run a command that ends with the process that started it: `python -m reporting_dags.guarded COMMAND ...`.

Standard input is a pipe of that process. However it ends, also by SIGKILL, the pipe closes and the command is stopped.
"""

import os
import signal
import subprocess
import sys
import threading
from types import FrameType

_STOPS_WITHIN_SECONDS = 90
"""How long an interrupted command may take to end its own processes before it is killed."""


def main(command: list[str]) -> int:
    """Run `command` until it ends, standard input closes, or a signal stops it; return its exit status."""
    child: subprocess.Popen[bytes] | None = None
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()
        if child is not None:
            child.send_signal(signal.SIGINT)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - our own commands
    if stopping.is_set():
        child.send_signal(signal.SIGINT)
    threading.Thread(target=_stop_at_end_of_input, args=(child,), daemon=True).start()
    status = child.wait()
    return status if status >= 0 else 128 - status


def _stop_at_end_of_input(child: subprocess.Popen[bytes]) -> None:
    # Unbuffered: a buffer's lock, held by this thread, would break the end of the interpreter.
    while os.read(sys.stdin.fileno(), 1024):
        pass
    child.send_signal(signal.SIGINT)
    try:
        child.wait(_STOPS_WITHIN_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
