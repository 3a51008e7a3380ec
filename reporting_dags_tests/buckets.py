"""Buckets on loopback: S3 by moto, and a line to a bucket that holds requests back. For Google's see `gcs`."""

import logging
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

import boto3
from moto.server import ThreadedMotoServer

_CHUNK_BYTES = 65536
BUCKET = "reports"


@contextmanager
def running_s3() -> Generator[str]:
    """An S3 server with a bucket `reports`; yields its host and port."""
    # It would print a line a request.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        client = boto3.client(
            "s3",
            endpoint_url=f"http://{host}:{port}",
            aws_access_key_id="ak",
            aws_secret_access_key="sk",
            region_name="us-east-1",
        )
        client.create_bucket(Bucket=BUCKET)
        yield f"{host}:{port}"
    finally:
        server.stop()


def s3_address(server: str, prefix: str) -> str:
    """The address of `prefix` in the bucket of an S3 server."""
    return f"s3://ak:sk@{BUCKET}/{prefix}?scheme=http&region=us-east-1&endpoint_override={server}"


@dataclass
class SlowLine:
    """A TCP proxy whose uploads wait until they are let through.

    Attributes:
        address: its host and port.
        holding: set while an upload waits.
        released: what an upload waits for.
    """

    address: str
    holding: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)


@contextmanager
def slow_line(server: str) -> Generator[SlowLine]:
    """A line to `server` (host:port) on which every PUT is held back."""
    host, _, port = server.rpartition(":")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        line = SlowLine(f"127.0.0.1:{listener.getsockname()[1]}")

        def accept() -> None:
            while True:
                try:
                    near, _ = listener.accept()
                except OSError:
                    return
                far = socket.create_connection((host, int(port)))
                threading.Thread(target=_carry, args=(near, far, line), daemon=True).start()
                threading.Thread(target=_carry, args=(far, near, None), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield line
        finally:
            line.released.set()


def _carry(source: socket.socket, sink: socket.socket, line: SlowLine | None) -> None:
    try:
        while chunk := source.recv(_CHUNK_BYTES):
            if line is not None and chunk.startswith(b"PUT ") and not line.released.is_set():
                line.holding.set()
                line.released.wait()
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        sink.close()
