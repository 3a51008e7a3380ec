"""The files behind the report answers' URLs: pending, then filled, then gone (DT4, DT5, DT6)."""

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
    """A report that was asked for; `body` is fixed at that moment, shown or not, and not before `ready`."""

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
        """Where the file is on the sandbox's origin."""
        return f"{BUCKET}/{self.folder}/{self.id}.csv"

    def is_filled(self, now: datetime, settings: DtSettings) -> bool:
        """Whether a poll at `now` finds it filled."""
        due = max(self.requested, self.ready or self.requested) + timedelta(seconds=settings.fill_seconds)
        return not self.never and now >= due and self.polls > settings.fill_polls


class Files:
    """Every file whose URL can still be valid."""

    def __init__(self, signer: s3.Signer) -> None:
        self._signer = signer
        self._files: dict[str, File] = {}

    def put(self, file: File, *, origin: str, host: str, settings: DtSettings) -> str:
        """Keep the file and return its signed URL."""
        kept = timedelta(seconds=settings.url_seconds)
        # What has expired answers 403 by its signature alone.
        self._files = {path: old for path, old in self._files.items() if file.requested - old.requested < kept}
        self._files[file.path] = file
        query = self._signer.sign(
            style=settings.signature, host=host, path=file.path, now=file.requested, seconds=settings.url_seconds
        )
        return f"{origin}{quote(file.path)}?{query}"

    def at(self, path: str) -> File | None:
        """The file at `path`, if there is (still) one."""
        return self._files.get(path)

    def get(self, call: Call, settings: DtSettings) -> Response:
        """What S3 answers to a poll."""
        if call.fault_is("expired"):
            return s3.expired(call.now, call.now)
        refusal = self._signer.refusal(
            method=call.method,
            host=call.headers.get("host", ""),
            path=call.path,
            query=call.query,
            authorization=call.headers.get("authorization"),
            now=call.now,
        )
        if refusal is not None:
            return refusal
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
