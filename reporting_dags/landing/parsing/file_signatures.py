"""What a response is when it is not the text that the report declares: recognized by its first bytes."""

import re

from reporting_dags.model.errors import DataError

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip, or an Excel workbook"),
    (b"PK\x05\x06", "zip, and empty"),
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh91AY&SY", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "7-zip"),
    (b"PAR1\x15", "Parquet"),
    (b"%PDF-", "PDF"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
)
_CHUNK_HEAD = re.compile(rb"[0-9a-fA-F]{1,16};chunk-signature=")
_SEEN = 64
_KEPT = "The raw response is kept. Fix: ask the provider for plain text in UTF-8"


def check_file_signature(start: bytes) -> None:
    """Refuse a response whose first bytes show that it is not a UTF-8 text, and say what it is.

    Raises:
        DataError: it is packed, in another encoding, or another kind of file.
    """
    form = _form(start)
    if form:
        raise DataError(f"the response is {form}, not text in UTF-8", advice=_KEPT)


def _form(start: bytes) -> str:
    for magic, name in _MAGIC:
        if start.startswith(magic):
            return name
    if _CHUNK_HEAD.match(start):
        return "in the chunks of an upload to S3 (aws-chunked)"
    seen = start[:_SEEN]
    # Latin letters in UTF-16 have a NUL in every second place; no text in UTF-8 has any.
    for places, order in ((seen[1::2], "little"), (seen[::2], "big")):
        if len(seen) > 3 and places.count(0) * 4 >= len(places) * 3:
            return f"UTF-16 ({order}-endian, without a byte order mark)"
    return ""
