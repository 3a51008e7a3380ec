"""The report files: pending, then filled, then expired (DT4, DT5, DT6)."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from starlette.responses import Response

from reporting_dags.sandbox import s3
from reporting_dags.sandbox.digital_turbine.settings import DtSettings
from reporting_dags.sandbox.endpoint import Call, Subject

BUCKET = "/_s3/dt-reports"


@dataclass
class File:
    """The file of a requested report. `body` is made at the request, and returned from `ready` on."""

    id: str
    folder: str
    subject: Subject
    requested: datetime
    body: bytes
    never: bool = False
    polls: int = 0
    ready: datetime | None = None

    @property
    def path(self) -> str:
        """The path of the file in its URL."""
        return f"{BUCKET}/{self.folder}/{self.id}.csv"

    def is_filled(self, now: datetime, settings: DtSettings) -> bool:
        """Return whether a poll at `now` returns the complete file."""
        due = max(self.requested, self.ready or self.requested) + timedelta(seconds=settings.fill_seconds)
        return not self.never and now >= due and self.polls > settings.fill_polls


class Files:
    """The files whose URLs can still be valid."""

    def __init__(self, signer: s3.Signer) -> None:
        self._signer = signer
        self._files: dict[str, File] = {}

    def put(self, file: File, *, origin: str, host: str, settings: DtSettings) -> str:
        """Store the file and return its signed URL."""
        validity = timedelta(seconds=settings.url_seconds)
        # For an expired file, the check of the signature returns 403.
        self._files = {path: old for path, old in self._files.items() if file.requested - old.requested < validity}
        self._files[file.path] = file
        query = self._signer.sign(
            style=settings.signature, host=host, path=file.path, now=file.requested, seconds=settings.url_seconds
        )
        return f"{origin}{quote(file.path)}?{query}"

    def find(self, path: str) -> File | None:
        """Return the file at `path`; None if there is none."""
        return self._files.get(path)

    def get(self, call: Call, settings: DtSettings) -> Response:
        """Return the response of S3 to a poll."""
        if call.fault_is("expired"):
            return s3.expired(call.now, call.now)
        error = self._signer.error_response(
            method=call.method,
            host=call.headers.get("host", ""),
            path=call.path,
            query=call.query,
            authorization=call.headers.get("authorization"),
            now=call.now,
        )
        if error is not None:
            return error
        file = self._files.get(call.path)
        if file is None:
            return s3.missing(call.path)
        call.facts["id"] = file.id
        file.polls += 1
        if call.fault_is("never") or not file.is_filled(call.now, settings):
            call.facts["state"] = "pending"
            return s3.missing(call.path) if settings.pending == "404" else Response(b"", media_type="text/csv")
        call.facts["state"] = "filled"
        etag = hashlib.md5(file.body, usedforsecurity=False).hexdigest()
        return Response(file.body, media_type="text/csv", headers={"ETag": f'"{etag}"'})
