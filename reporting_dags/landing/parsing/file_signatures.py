"""Recognizes responses that are not UTF-8 text, such as compressed files, by their first bytes."""

import re

from reporting_dags.model.errors import DataError

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "a zip file or an Excel workbook"),
    (b"PK\x05\x06", "an empty zip file"),
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
_AWS_CHUNK_HEADER = re.compile(rb"[0-9a-fA-F]{1,16};chunk-signature=")
_UTF16_PROBE_BYTES = 64
_ADVICE = "The raw response is stored. Fix: ask the provider to send plain UTF-8 text"


def check_file_signature(start: bytes) -> None:
    """Raise an error that names the format if the first bytes of a response show that it is not UTF-8 text.

    Raises:
        DataError: the response is compressed, has another encoding, or is another kind of file.
    """
    detected = _detect_format(start)
    if detected:
        raise DataError(f"the response is {detected}, not UTF-8 text", advice=_ADVICE)


def _detect_format(start: bytes) -> str:
    for magic, name in _SIGNATURES:
        if start.startswith(magic):
            return name
    if _AWS_CHUNK_HEADER.match(start):
        return "in the chunks of an upload to S3 (aws-chunked)"
    probe = start[:_UTF16_PROBE_BYTES]
    # In UTF-16, every second byte of Latin text is NUL. UTF-8 text contains no NUL.
    for high_bytes, order in ((probe[1::2], "little"), (probe[::2], "big")):
        if len(probe) > 3 and high_bytes.count(0) * 4 >= len(high_bytes) * 3:
            return f"UTF-16 ({order}-endian, without a byte order mark)"
    return ""
