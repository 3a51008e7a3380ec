"""Answers that arrive with other bytes than were made, or under another `Content-Encoding`."""

import functools
import gzip
import io
import re
import zipfile
from collections.abc import Callable, Mapping

from reporting_dags.sandbox.faults import Fault

MEBIBYTE = 1 << 20

Changed = tuple[bytes, str]
"""The bytes that arrive, and what `Content-Encoding` says of them; empty where it is not sent."""


def kept(body: bytes, fault: Fault) -> bytes:
    """The bytes that arrive: a share of them when `keep` is under 1, else that many; all where it is None."""
    if fault["keep"] is None:
        return body
    keep = float(fault["keep"])
    return body[: int(len(body) * keep) if keep < 1 else int(keep)]


def _gzip_corrupt(body: bytes, _fault: Fault) -> Changed:
    packed = gzip.compress(body)
    middle = len(packed) // 2
    harmed = packed[:middle] + bytes(255 - byte for byte in packed[middle : middle + 8])
    return harmed + packed[middle + 8 :], "gzip"


def _gzip_file(body: bytes, fault: Fault) -> Changed:
    size = max(1, -(-len(body) // int(fault["members"])))
    packed = b"".join(gzip.compress(body[start : start + size]) for start in range(0, len(body), size))
    return kept(packed, fault) + str(fault["behind"]).encode(), ""


def _zip_file(body: bytes, _fault: Fault) -> Changed:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("report.csv", body)
    return packed.getvalue(), ""


def _edit(body: bytes, fault: Fault) -> Changed:
    return re.sub(fault["pattern"], fault["to"], body.decode(), count=int(fault["count"]), flags=re.DOTALL).encode(), ""


@functools.lru_cache(maxsize=1)
def _bomb(mebibytes: int) -> bytes:
    return gzip.compress(b"0" * (mebibytes * MEBIBYTE))


CHANGED: Mapping[str, Callable[[bytes, Fault], Changed]] = {
    "gzip": lambda body, _: (gzip.compress(body), "gzip"),
    "gzip_cut": lambda body, fault: (kept(gzip.compress(body), fault), "gzip"),
    "gzip_corrupt": _gzip_corrupt,
    "gzip_bomb": lambda _, fault: (_bomb(int(fault["mebibytes"])), "gzip"),
    "gzip_file": _gzip_file,
    "zip_file": _zip_file,
    "utf16_file": lambda body, _: (body.decode().encode("utf-16"), ""),
    "coding": lambda body, fault: (body, str(fault["coding"])),
    "edit": _edit,
    "media_type": lambda body, _: (body, ""),
}
