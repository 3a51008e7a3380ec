"""The handling of personal data: one policy for all reports, set by REPORTING_PERSONAL_DATA."""

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from enum import StrEnum

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Personal(StrEnum):
    """Why a column is personal data."""

    EMAIL = "e-mail address"
    ADDRESS = "IP address"
    DEVICE = "device or advertising id"
    FINGERPRINT = "fingerprint"


_PATTERNS = {
    Personal.EMAIL: re.compile(r"e-?mail", re.IGNORECASE),
    Personal.ADDRESS: re.compile(r"(^|[^a-z])ip([^a-z]|$)|ip.?address", re.IGNORECASE),
    Personal.DEVICE: re.compile(
        r"idf[av]|(^|[^a-z])([goamw]aid|ifa)([^a-z]|$)|imei|meid|msisdn|android.?id|device.?(id|guid|ifa)"
        r"|advertis(ing.?id|er.?identifier)|user.?id|mac.?addr",
        re.IGNORECASE,
    ),
    Personal.FINGERPRINT: re.compile(r"fingerprint", re.IGNORECASE),
}


def looks_personal(header: str) -> Personal | None:
    """Return the kind of personal data that the name of an undeclared column suggests; None if it suggests none."""
    return next((kind for kind, pattern in _PATTERNS.items() if pattern.search(header)), None)


class PersonalData(StrEnum):
    """The handling of the values of personal columns."""

    HASH = "hash"
    KEEP = "keep"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Privacy:
    """The policy for personal data.

    Attributes:
        mode: `hash` (SHA-256 in lower-case hex, HMAC-SHA-256 with a key), `keep`, or `drop` (null; the column stays).
        key: secret key of the HMAC, from REPORTING_HASH_KEY.
    """

    mode: PersonalData = PersonalData.HASH
    key: str = field(default="", repr=False)

    @property
    def version(self) -> str:
        """An identifier of the policy. It differs for each key, but does not reveal the key."""
        key_id = hmac.new(self.key.encode(), b"reporting_dags", hashlib.sha256).hexdigest()[:12] if self.key else ""
        return f"{self.mode}{key_id}"

    def hashed(self, text: str, kind: Personal) -> str:
        """Return the hash of one value. E-mail addresses are trimmed and lower-cased first, as ad platforms expect.

        An e-mail value that already is a SHA-256 in hex is kept, so that it equals the hashes that are made here. With
        a key it is hashed again, because it could not equal them.
        """
        if not self.key and kind is Personal.EMAIL and _SHA256.fullmatch(text):
            return text
        plain = text.strip().lower() if kind is Personal.EMAIL else text
        if self.key:
            return hmac.new(self.key.encode(), plain.encode(), hashlib.sha256).hexdigest()
        return hashlib.sha256(plain.encode()).hexdigest()
