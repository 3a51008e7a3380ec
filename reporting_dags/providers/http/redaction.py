"""Removal of secrets from texts that come from outside, before they are shown or logged."""

import logging
import re
from collections.abc import Iterable
from urllib.parse import quote

_QUERY = re.compile(r"(?<=\?)[^\s\"'<>]+")
_BEARER = re.compile(r"(?i)(bearer\s+)[\w.~+/=-]+")
_TOKEN = re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*")
HIDDEN = "***"


class Redactor:
    """Replaces known secrets, bearer tokens and the query of every URL (signed URLs have their signature there)."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Hide `secret` from now on. Texts of fewer than six characters are ignored."""
        if len(secret) >= 6:
            self._secrets |= {secret, quote(secret, safe="")}

    def clean(self, text: str, *, limit: int = 300) -> str:
        """Return `text` on one line, without secrets and control characters, cut to `limit` characters."""
        printable = "".join(character if character.isprintable() else " " for character in text)
        cleaned = " ".join(printable.split())
        for secret in sorted(self._secrets, key=len, reverse=True):
            cleaned = cleaned.replace(secret, HIDDEN)
        cleaned = _TOKEN.sub(HIDDEN, _BEARER.sub(rf"\1{HIDDEN}", _QUERY.sub(HIDDEN, cleaned)))
        return cleaned if len(cleaned) <= limit else cleaned[: limit - 1] + "…"


class _QueryFilter(logging.Filter):
    """Hides URL queries in the log records of urllib3: of requests at DEBUG, of malformed headers at WARNING."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = _QUERY.sub(HIDDEN, record.getMessage()), None
        return True


def quiet_http_logs() -> None:
    """Hide URL queries in the log records of urllib3. Repeated calls have no further effect."""
    for name in ("urllib3.connectionpool", "urllib3.connection"):
        logger = logging.getLogger(name)
        if not any(isinstance(existing, _QueryFilter) for existing in logger.filters):
            logger.addFilter(_QueryFilter())
