"""Responses that are spoilt on their way: cut, badly packed, replaced by a page, slow, without an end."""

from collections.abc import Iterator, Mapping
from typing import Any

from reporting_dags_tests.torture.answers_case import Case, again
from reporting_dags_tests.torture.answers_targets import (
    EXPORT,
    FILES,
    LIST,
    MINTEGRAL,
    OFFER_WALL,
    ORANGECLICK,
    PAGED,
    TABLE,
    USER_LEVEL,
    Target,
)

_ALL = FILES + PAGED
_TRIES = "the response comes with the request, and each of three tries is one (OC2)"
_DT = (OFFER_WALL, USER_LEVEL)


def cases() -> Iterator[Case]:
    """Every spoilt way."""
    yield from _broken()
    yield from _packed()
    yield from _in_its_place()
    yield from _slow()
    yield from _large()


def _broken() -> Iterator[Case]:
    faults: Mapping[str, Mapping[str, Any]] = {
        "body cut, length given": {"do": "cut"},
        "body cut, no length given": {"do": "cut_close"},
        "chunked body cut": {"do": "cut_chunked"},
        "gzip cut short": {"do": "gzip_cut"},
        "gzip corrupt": {"do": "gzip_corrupt"},
    }
    for fault, script in faults.items():
        for target in _ALL:
            ends = "partial"
            if target in PAGED and script["do"] != "cut_close":
                ends = "failed"  # a page is a small response: it did not arrive
            extra, why = (3, _TRIES) if target is ORANGECLICK else (0, "")
            yield _at(fault, target, script, ends, extra=extra, why=why)
    for target in (OFFER_WALL, MINTEGRAL, ORANGECLICK, EXPORT):
        yield _at("gzip bomb", target, {"do": "gzip_bomb"}, "failed", says="decompresses to", **again(target))
    yield _at("gzip bomb", TABLE, {"do": "gzip_bomb"}, "failed", says="more than 8388608 bytes; expected fewer")


def _packed() -> Iterator[Case]:
    """Complete responses that are packed or labeled in other ways than was asked."""
    complete: Mapping[str, Mapping[str, Any]] = {
        "gzip without Content-Encoding": {"do": "gzip_file"},
        "gzip without Content-Encoding, in members": {"do": "gzip_file", "members": 3},
        "Content-Encoding is UTF-8": {"do": "coding", "coding": "UTF-8"},
        "Content-Encoding is aws-chunked": {"do": "coding", "coding": "aws-chunked"},
        "Content-Type is text/html": {"do": "media_type", "kind": "text/html; charset=UTF-8"},
    }
    for fault, script in complete.items():
        for target in _ALL:
            yield _at(fault, target, script, "data")
    broken: Mapping[str, Mapping[str, Any]] = {
        "gzip without Content-Encoding, cut short": {"do": "gzip_file", "keep": 0.5},
        "gzip without Content-Encoding, bytes behind it": {"do": "gzip_file", "behind": "bytes"},
    }
    for fault, script in broken.items():
        for target in FILES:
            extra, why = (3, _TRIES) if target is ORANGECLICK else (0, "")
            yield _at(fault, target, script, "partial", says="gzip", extra=extra, why=why)
    for fault, do in (("zip", "zip_file"), ("UTF-16", "utf16_file")):
        for target in FILES:
            yield _at(f"{fault} in place of the text", target, {"do": do}, "failed", says=fault, **again(target))
    for target in FILES:
        script = {"do": "coding", "coding": "br"}
        yield _at(
            "Content-Encoding is br",
            target,
            script,
            "failed",
            says="has the encoding 'br', which was not requested",
            **again(target),
        )


def _in_its_place() -> Iterator[Case]:
    for fault, do in (("HTML with status 200", "html"), ("XML with status 200", "xml")):
        ends = {ORANGECLICK: "failed", EXPORT: "failed"}
        for target in (MINTEGRAL, ORANGECLICK, EXPORT, TABLE, LIST):
            yield _at(fault, target, {"do": do}, ends.get(target, "partial"))
    for fault, do in (("HTML with status 200", "html"), ("XML with status 200", "xml"), ("empty file", "empty")):
        for target in _DT:
            yield _at(fault, target, {"do": do}, "not ready", settings={"job_timeout_seconds": 600})
            yield _at(f"{fault}, after the file was seen", target, {"do": do, "after": 1, "times": 1}, "data")
    for target in (MINTEGRAL, ORANGECLICK, EXPORT, TABLE, LIST):
        yield _at("empty file", target, {"do": "empty"}, "partial")


def _slow() -> Iterator[Case]:
    patient = {"silence_seconds": 2.5}
    short = {"file_seconds": 2.5, "answer_seconds": 2.5}
    drip = {"pieces": 20, "pause": 0.25}
    for target in (OFFER_WALL, MINTEGRAL, ORANGECLICK, EXPORT, TABLE):
        # Digital Turbine's file is looked at first, and fetched then.
        once = {"times": 1, "after": 1 if target is OFFER_WALL else 0}
        tries: dict[str, Any] = {"repeated": target.file}
        if target is ORANGECLICK:
            tries |= {"extra": 2, "why": _TRIES}
        # A host that is silent on the first call of a run, over plain HTTP, may be a wrong address: it is tried once.
        silent = (
            ("failed", {"says": "_BASE_URL", **again(target)}) if target in {ORANGECLICK, TABLE} else ("data", tries)
        )
        for at, where in (("head", "before the head"), ("body", "in the middle of the body")):
            script = {"do": "stall", "seconds": 5.0, "at": at, **once}
            ends, more = silent if at == "head" else ("data", tries)
            yield _at(f"stall {where}", target, script, ends, settings=patient, **more)
        for what, do in (("body", "drip"), ("head", "drip_head")):
            script = {"do": do, **drip, **once}
            ends, more = silent if what == "head" else ("data", tries)
            yield _at(f"slow drip of the {what}", target, script, ends, settings=short, running=True, **more)
    script = {"do": "drip", **drip, "after": 1}
    yield _at(
        "slow drip forever", OFFER_WALL, script, "partial", settings=short, running=True, says="not complete after"
    )
    for target in FILES:
        yield _at("connection reset once", target, {"do": "reset", "times": 1}, "data")
    yield _at("garbled head", OFFER_WALL, {"do": "garbled_head", "times": 2}, "data")


def _large() -> Iterator[Case]:
    small = {"file_bytes": 20_000}
    for target in FILES:
        huge = {"do": "endless"}
        yield _at(
            "oversize, without an end", target, huge, "failed", settings=small, says="larger than", **again(target)
        )
        yield Case(
            fault="oversize, length given",
            target=target,
            ends="failed",
            settings={"file_bytes": 100},
            says="larger than 100 bytes",
            **again(target),
        )
    for target in (TABLE, LIST):
        yield _at("oversize page", target, {"do": "endless"}, "failed", says="more than 8388608 bytes; expected fewer")


def _at(fault: str, target: Target, script: Mapping[str, Any], ends: str, **more: Any) -> Case:
    """A fault at the response itself, forever if not told otherwise."""
    return Case(fault=fault, target=target, ends=ends, script=[{"point": target.file, "times": None, **script}], **more)
