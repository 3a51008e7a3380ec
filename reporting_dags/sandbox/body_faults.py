"""Faults that change the body of a response or its `Content-Encoding`."""

import functools
import gzip
import io
import re
import zipfile
from collections.abc import Callable, Mapping

from reporting_dags.sandbox.faults import Fault

MEBIBYTE = 1 << 20

ChangedBody = tuple[bytes, str]
"""The changed bytes, and the value of `Content-Encoding`; empty if the header is not sent."""


def truncated(body: bytes, fault: Fault) -> bytes:
    """Return the first part of `body`: a share if `keep` is less than 1, else a number of bytes; all if it is None."""
    if fault["keep"] is None:
        return body
    keep = float(fault["keep"])
    return body[: int(len(body) * keep) if keep < 1 else int(keep)]


def _gzip_corrupt(body: bytes, _fault: Fault) -> ChangedBody:
    packed = gzip.compress(body)
    middle = len(packed) // 2
    damaged = packed[:middle] + bytes(255 - byte for byte in packed[middle : middle + 8])
    return damaged + packed[middle + 8 :], "gzip"


def _gzip_file(body: bytes, fault: Fault) -> ChangedBody:
    size = max(1, -(-len(body) // int(fault["members"])))
    packed = b"".join(gzip.compress(body[start : start + size]) for start in range(0, len(body), size))
    return truncated(packed, fault) + str(fault["behind"]).encode(), ""


def _zip_file(body: bytes, _fault: Fault) -> ChangedBody:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("report.csv", body)
    return packed.getvalue(), ""


def _edit(body: bytes, fault: Fault) -> ChangedBody:
    return re.sub(fault["pattern"], fault["to"], body.decode(), count=int(fault["count"]), flags=re.DOTALL).encode(), ""


@functools.lru_cache(maxsize=1)
def _bomb(mebibytes: int) -> bytes:
    return gzip.compress(b"0" * (mebibytes * MEBIBYTE))


BODY_FAULTS: Mapping[str, Callable[[bytes, Fault], ChangedBody]] = {
    "gzip": lambda body, _: (gzip.compress(body), "gzip"),
    "gzip_cut": lambda body, fault: (truncated(gzip.compress(body), fault), "gzip"),
    "gzip_corrupt": _gzip_corrupt,
    "gzip_bomb": lambda _, fault: (_bomb(int(fault["mebibytes"])), "gzip"),
    "gzip_file": _gzip_file,
    "zip_file": _zip_file,
    "utf16_file": lambda body, _: (body.decode().encode("utf-16"), ""),
    "coding": lambda body, fault: (body, str(fault["coding"])),
    "edit": _edit,
    "media_type": lambda body, _: (body, ""),
}
