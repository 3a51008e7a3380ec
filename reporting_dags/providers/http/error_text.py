"""The provider's own error message, extracted from any JSON that it sends in place of the requested response."""

import codecs
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, cast

from reporting_dags.providers.http.response import json_object, parse_json

MAX_ERROR_BYTES = 64 * 1024
"""A longer document is not an error response."""
_MAX_CHARACTERS = 1000
_MAX_DEPTH = 4
_KEYS = ("error", "error_description", "description", "message", "msg", "detail", "details", "reason", "errors")
"""The keys that hold the message in the error responses of APIs, in the order in which they are shown."""


def error_message(payload: object, *, extra_keys: tuple[str, ...] = ()) -> str:
    """Return the message of an error response, such as `Validation failed; dimensions.0: it is invalid`.

    The result is empty if there is no message. It is not redacted and not cut, because half of a secret would not be
    recognized: pass it to `Redactor.clean` before it is shown.

    Args:
        payload: the JSON document.
        extra_keys: further keys of the document that hold a message.
    """
    document = json_object(payload)
    results: dict[str, None] = {}
    length = 0
    for key in (*_KEYS, *extra_keys):
        for text in _texts(document.get(key), _MAX_DEPTH):
            results.setdefault(text)
            length += len(text)
            if length >= _MAX_CHARACTERS:
                return "; ".join(results)
    return "; ".join(results)


def body_error_message(body: bytes, *, extra_keys: tuple[str, ...] = ()) -> str:
    """Return the message of an error response that may be JSON or plain text; empty for a web page and for binary data.

    `extra_keys` are those of `error_message`.
    """
    payload = parse_json(body)
    if payload is not None:
        return payload if isinstance(payload, str) else error_message(payload, extra_keys=extra_keys)
    text = body.decode("utf-8", "replace").strip()
    return "" if text.startswith("<") or "\ufffd" in text or len(body) > MAX_ERROR_BYTES else text


def peek_json_object(chunks: Iterator[bytes]) -> tuple[Mapping[str, Any], Iterator[bytes]]:
    """Read the start of a response; return it as a JSON object if the complete response is one, and all its bytes.

    The object is empty if the response is not a JSON object, or is longer than 64 KiB. The bytes are those of the
    complete response.

    Raises:
        Partial: raised by `chunks`, which is read to the end if the response is a short JSON object.
    """
    start = bytearray()
    for chunk in chunks:
        start += chunk
        text = start.removeprefix(codecs.BOM_UTF8).lstrip()
        if len(start) > MAX_ERROR_BYTES or (text and not text.startswith(b"{")):
            return {}, itertools.chain([bytes(start)], chunks)
    return json_object(parse_json(bytes(start))), iter([bytes(start)] if start else [])


def _texts(value: object, max_depth: int) -> Iterator[str]:
    """Yield every text and number in `value`, after its key; skip true, false, null and 0."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        if value and (text := " ".join(str(value).split())):
            yield text
    elif max_depth and isinstance(value, dict):
        for key, item in cast("dict[object, object]", value).items():
            yield from (text if key in _KEYS else f"{key}: {text}" for text in _texts(item, max_depth - 1))
    elif max_depth and isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _texts(item, max_depth - 1)
