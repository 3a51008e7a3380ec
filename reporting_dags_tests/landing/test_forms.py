"""A response that is not a text is named for what it is, in every format."""

import gzip
import io
import zipfile

import pytest

from reporting_dags.model.errors import DataError
from reporting_dags.model.format import DelimitedText, JsonRows
from reporting_dags_tests.landing.answers import Bench, report, rows

TEXT = rows("2026-11-01,1,US,1,1,1").encode()


def zipped() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("report.csv", TEXT)
    return packed.getvalue()


@pytest.mark.parametrize("form", [DelimitedText(), DelimitedText(delimiter="\t", quoted=False), JsonRows(rows="data")])
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (gzip.compress(TEXT, mtime=0), "gzip"),
        (zipped(), "a zip file"),
        (TEXT.decode().encode("utf-16"), "UTF-16"),
        (b"\xfe\xff" + TEXT.decode().encode("utf-16-be"), "UTF-16"),
        (TEXT.decode().encode("utf-16-le"), "UTF-16 (little-endian, without a byte order mark)"),
        (TEXT.decode().encode("utf-16-be"), "UTF-16 (big-endian, without a byte order mark)"),
        (TEXT.decode().encode("utf-32"), "UTF-32"),
        (b"\x28\xb5\x2f\xfd\x00", "zstd"),
        (b"PAR1\x15" + TEXT, "Parquet"),
        (b"4a;chunk-signature=" + b"0" * 64 + b"\r\n" + TEXT, "in the chunks of an upload to S3 (aws-chunked)"),
    ],
)
def test_what_is_no_text_is_named(context: Bench, form: DelimitedText | JsonRows, answer: bytes, told: str) -> None:
    with pytest.raises(DataError) as refused:
        context.land(answer, of=report(format=form))
    assert refused.value.message.startswith(f"the response is {told}")
    assert "The raw response is stored. Fix: " in refused.value.line
    assert not context.path().exists()
