"""What becomes of personal data: one policy for every report, chosen by REPORTING_PERSONAL_DATA."""

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


_TELLING = {
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
    """Why a column that no one declared holds personal data, as far as its name tells."""
    return next((why for why, telling in _TELLING.items() if telling.search(header)), None)


class PersonalData(StrEnum):
    """What happens to the values of a personal column."""

    HASH = "hash"
    KEEP = "keep"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Privacy:
    """The policy in force.

    Attributes:
        mode: `hash` (SHA-256 in lower-case hex, HMAC-SHA-256 with a key), `keep`, or `drop` (null; the column stays).
        key: secret of the HMAC, from REPORTING_HASH_KEY.
    """

    mode: PersonalData = PersonalData.HASH
    key: str = field(default="", repr=False)

    @property
    def version(self) -> str:
        """Tells policies apart, keys included, without telling the key."""
        message = hmac.new(self.key.encode(), b"reporting_dags", hashlib.sha256).hexdigest()[:12] if self.key else ""
        return f"{self.mode}{message}"

    def hashed(self, text: str, why: Personal) -> str:
        """The hash of one value. E-mail addresses are first trimmed and lower-cased, as matching expects.

        One that is SHA-256 in hex already stays as it is, so that it meets those that are hashed here; with a key it is
        hashed once more, as it would not meet them anyway.
        """
        if not self.key and why is Personal.EMAIL and _SHA256.fullmatch(text):
            return text
        plain = text.strip().lower() if why is Personal.EMAIL else text
        if self.key:
            return hmac.new(self.key.encode(), plain.encode(), hashlib.sha256).hexdigest()
        return hashlib.sha256(plain.encode()).hexdigest()
