"""Google Cloud Storage on loopback: the part of its XML API that stores use, with preconditions as it documents them.

No server of Google's can be installed here, so this is our own reading of the documents: `x-goog-if-generation-match`
(0 where no object may exist) is held to the object's generation, and a request that does not match ends with 412.
"""

import base64
import hashlib
import re
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from reporting_dags_tests.buckets import BUCKET


@dataclass(frozen=True)
class _Object:
    content: bytes
    generation: int
    at: datetime

    @property
    def tag(self) -> str:
        return f'"{hashlib.md5(self.content, usedforsecurity=False).hexdigest()}"'


@dataclass
class _Bucket:
    objects: dict[str, _Object] = field(default_factory=dict[str, _Object])
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict[str, dict[int, bytes]])
    generation: int = 0
    guard: threading.Lock = field(default_factory=threading.Lock)

    def put(self, key: str, content: bytes, expected: str | None) -> _Object | None:
        """Store an object; None if the object that is there is not of the generation `expected`."""
        with self.guard:
            stored = self.objects.get(key)
            if expected is not None and int(expected) != (stored.generation if stored else 0):
                return None
            self.generation += 1
            self.objects[key] = _Object(content, self.generation, datetime.now(UTC))
            return self.objects[key]


@contextmanager
def running_gcs() -> Generator[str]:
    """A server with a bucket `reports`; yields its host and port."""
    bucket = _Bucket()

    class Handler(_Handler):
        stored = bucket

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def gcs_address(server: str, prefix: str) -> str:
    """The address of `prefix` in the bucket of a server."""
    return f"gs://token@{BUCKET}/{prefix}?scheme=http&endpoint_override={server}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stored: _Bucket

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing is logged."""

    def do_PUT(self) -> None:
        key, query = self._asked()
        body = self.rfile.read(int(self.headers["content-length"]))
        if "uploadId" in query:
            self.stored.uploads[query["uploadId"]][int(query["partNumber"])] = body
            self._answer(200, etag=f'"{len(body)}"')
            return
        found = self.stored.put(key, body, self.headers.get("x-goog-if-generation-match"))
        if found is None:
            self._refuse(412, "PreconditionFailed")
            return
        more = {"etag": found.tag, "x-goog-generation": str(found.generation)}
        self._answer(200, b"", **more)

    def do_POST(self) -> None:
        key, query = self._asked()
        self.rfile.read(int(self.headers.get("content-length", 0)))
        if "uploadId" not in query:
            id_ = str(len(self.stored.uploads) + 1)
            self.stored.uploads[id_] = {}
            self._xml(f"<InitiateMultipartUploadResult><UploadId>{id_}</UploadId></InitiateMultipartUploadResult>")
            return
        pieces = self.stored.uploads.pop(query["uploadId"])
        found = self.stored.put(key, b"".join(pieces[number] for number in sorted(pieces)), None)
        assert found is not None
        self._xml(f"<CompleteMultipartUploadResult><ETag>{escape(found.tag)}</ETag></CompleteMultipartUploadResult>")

    def do_HEAD(self) -> None:
        self._read()

    def do_GET(self) -> None:
        key, query = self._asked()
        if not key:
            self._list(query)
        else:
            self._read()

    def do_DELETE(self) -> None:
        key, _ = self._asked()
        if self.stored.objects.pop(key, None) is None:
            self._refuse(404, "NoSuchKey")
        else:
            self._answer(204)

    def _asked(self) -> tuple[str, dict[str, str]]:
        parts = urlsplit(self.path)
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        return (key, query) if bucket == BUCKET else ("no such bucket", query)

    def _read(self) -> None:
        found = self.stored.objects.get(self._asked()[0])
        if found is None:
            self._refuse(404, "NoSuchKey")
            return
        if self.headers.get("if-match") not in {None, found.tag}:
            self._refuse(412, "PreconditionFailed")
            return
        content, more, status = found.content, dict[str, str](), 200
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range", ""))
        if span:
            first, last = int(span[1]), min(int(span[2]), len(content) - 1)
            more, status = {"content-range": f"bytes {first}-{last}/{len(content)}"}, 206
            content = content[first : last + 1]
        more |= {"x-goog-generation": str(found.generation), "last-modified": format_datetime(found.at, usegmt=True)}
        self._answer(status, content, etag=found.tag, **more)

    def _list(self, query: dict[str, str]) -> None:
        prefix, items = query.get("prefix", ""), ""
        for key, found in sorted(self.stored.objects.items()):
            if not key.startswith(prefix) or (query.get("delimiter") and "/" in key[len(prefix) :]):
                continue
            items += (
                f"<Contents><Key>{escape(key)}</Key><Size>{len(found.content)}</Size><ETag>{escape(found.tag)}</ETag>"
                f"<LastModified>{found.at:%Y-%m-%dT%H:%M:%S.%fZ}</LastModified></Contents>"
            )
        self._xml(f"<ListBucketResult>{items}</ListBucketResult>")

    def _xml(self, text: str) -> None:
        self._answer(200, f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode())

    def _refuse(self, status: int, code: str) -> None:
        self._answer(status, f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>".encode())

    def _answer(self, status: int, content: bytes = b"", /, **headers: str) -> None:
        self.send_response(status)
        digest = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
        for name, value in {"content-length": str(len(content)), "x-goog-hash": f"md5={digest}", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
