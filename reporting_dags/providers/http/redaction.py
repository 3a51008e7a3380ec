"""Nothing secret leaves this room: texts that come from outside are cleaned before anybody reads or logs them."""

import logging
import re
from collections.abc import Iterable
from urllib.parse import quote

_QUERY = re.compile(r"(?<=\?)[^\s\"'<>]+")
_BEARER = re.compile(r"(?i)(bearer\s+)[\w.~+/=-]+")
_TOKEN = re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*")
HIDDEN = "***"


class Redactor:
    """Replaces known secrets, bearer tokens and the query part of every URL (signed URLs keep their proof there)."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Hide `secret` from now on, wherever it stands. Texts under six characters are no secrets."""
        if len(secret) >= 6:
            self._secrets |= {secret, quote(secret, safe="")}

    def clean(self, text: str, *, limit: int = 300) -> str:
        """`text` on one line, without secrets and control characters, cut to `limit` characters."""
        printable = "".join(character if character.isprintable() else " " for character in text)
        cleaned = " ".join(printable.split())
        for secret in sorted(self._secrets, key=len, reverse=True):
            cleaned = cleaned.replace(secret, HIDDEN)
        cleaned = _TOKEN.sub(HIDDEN, _BEARER.sub(rf"\1{HIDDEN}", _QUERY.sub(HIDDEN, cleaned)))
        return cleaned if len(cleaned) <= limit else cleaned[: limit - 1] + "…"


class _NoQueries(logging.Filter):
    """urllib3 writes whole addresses, queries and all: of every request at DEBUG, of garbled heads at WARNING."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = _QUERY.sub(HIDDEN, record.getMessage()), None
        return True


def quiet_http_logs() -> None:
    """Keep URL queries out of urllib3's own log records; safe to call again."""
    for name in ("urllib3.connectionpool", "urllib3.connection"):
        logger = logging.getLogger(name)
        if not any(isinstance(existing, _NoQueries) for existing in logger.filters):
            logger.addFilter(_NoQueries())
