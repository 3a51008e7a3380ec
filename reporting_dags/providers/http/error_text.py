"""What a provider says in place of what was requested: its own words, found in whatever JSON it sends."""

import codecs
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, cast

from reporting_dags.providers.http.response import json_object, parse_json

MAX_BYTES = 64 * 1024
"""A longer document is not a refusal."""
_MAX_CHARACTERS = 1000
_MAX_DEPTH = 4
_NAMES = ("error", "error_description", "description", "message", "msg", "detail", "details", "reason", "errors")
"""Where APIs put a refusal's words, in the order in which they are shown."""


def error_texts(payload: object, *, also: tuple[str, ...] = ()) -> str:
    """A refusal's words, as in `Validation failed; dimensions.0: it is invalid`; empty if it has none.

    They come as the provider wrote them, uncut, since half of a secret would not be recognized: clean them before they
    are shown.

    Args:
        payload: the JSON document.
        also: further keys of it that hold words.
    """
    document = json_object(payload)
    results: dict[str, None] = {}
    length = 0
    for name in (*_NAMES, *also):
        for text in _texts(document.get(name), _MAX_DEPTH):
            results.setdefault(text)
            length += len(text)
            if length >= _MAX_CHARACTERS:
                return "; ".join(results)
    return "; ".join(results)


def error_text(body: bytes, *, also: tuple[str, ...] = ()) -> str:
    """As `words`, of a response that may be plain text as well; empty for a web page, and for what is not a text."""
    payload = parse_json(body)
    if payload is not None:
        return payload if isinstance(payload, str) else error_texts(payload, also=also)
    text = body.decode("utf-8", "replace").strip()
    return "" if text.startswith("<") or "\ufffd" in text or len(body) > MAX_BYTES else text


def opening_text(chunks: Iterator[bytes]) -> tuple[Mapping[str, Any], Iterator[bytes]]:
    """The JSON object of which a response consists, if it is one of at most 64 KiB, and the whole response's bytes.

    Raises:
        Partial: as `chunks` does: what is short is read to its end.
    """
    start = bytearray()
    for chunk in chunks:
        start += chunk
        text = start.removeprefix(codecs.BOM_UTF8).lstrip()
        if len(start) > MAX_BYTES or (text and not text.startswith(b"{")):
            return {}, itertools.chain([bytes(start)], chunks)
    return json_object(parse_json(bytes(start))), iter([bytes(start)] if start else [])


def _texts(value: object, deepest: int) -> Iterator[str]:
    """Every text and number in `value`, a key before what it holds; true, false, null and 0 are no words."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        if value and (text := " ".join(str(value).split())):
            yield text
    elif deepest and isinstance(value, dict):
        for key, each in cast("dict[object, object]", value).items():
            yield from (text if key in _NAMES else f"{key}: {text}" for text in _texts(each, deepest - 1))
    elif deepest and isinstance(value, list):
        for each in cast("list[object]", value):
            yield from _texts(each, deepest - 1)
