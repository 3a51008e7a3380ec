"""The generated visitors: devices, places and persons (IN9: all of this can be personal data)."""

from random import Random
from typing import NamedTuple

from reporting_dags.sandbox.integr8.values import HUGE, Value, digest


class _Place(NamedTuple):
    country: str
    city: str | None
    zone: str
    lat: float
    long: float
    isp: str
    asn: int
    languages: list[str]


class _Device(NamedTuple):
    kind: str
    system: str
    system_version: str
    browser: str
    browser_version: str
    agent: str


_PLACES = (
    _Place("US", "New York", "America/New_York", 40.7127837, -74.0059413, "Acme Cable, Inc.", 7922, ["en-US", "es"]),
    _Place("DE", "Köln", "Europe/Berlin", 50.937531, 6.9602786, "Netz AG", 3320, ["de-DE", "de", "en"]),
    _Place("NA", "Windhoek", "Africa/Windhoek", -22.5594, 17.0832, 'Telecom "Namib"', 36996, ["en-NA"]),
    _Place("BR", "São Paulo", "America/Sao_Paulo", -23.5557714, -46.6395571, "NA", 4294967294, ["pt-BR"]),
    _Place("IL", "תל אביב", "Asia/Jerusalem", 32.0853, 34.781767599999996, "null", 8551, ["he-IL", "en"]),
    _Place("FR", None, "Europe/Paris", 0, 0, "Réseau d'Été", 0, []),
)
_DEVICES = (
    _Device("Phone", "iOS", "17.5.1", "Safari", "17.5", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X)"),
    _Device("Phone", "Android", "14", "Chrome", "0126.0", "Mozilla/5.0 (Linux; Android 14; K), Chrome/126.0"),
    _Device("Desktop", "Windows", "10", "Edge", "126.0", 'Mozilla/5.0 (Windows NT 10.0; "Win64"; x64)'),
    _Device("Tablet", "NA", "", "Other", "", "agent\nof two lines 🤖"),
)
_REFERERS = ("https://news.example/a,b?q=é", "", None, 'https://forum.example/"thread"', "android-app://com.example/")


def address(rng: Random, *, masked: bool) -> str:
    """Return an IP address, version 4 or 6, from the ranges for documentation."""
    fourth, sixth = int(rng.random() * 256), int(rng.random() * 65536)
    if rng.random() < 0.3:
        return "2001:db8::" if masked else f"2001:db8:{sixth:x}::{fourth:x}"
    net = ("203.0.113", "198.51.100", "192.0.2")[sixth % 3]
    return f"{net}.0" if masked else f"{net}.{fourth}"


def _person(rng: Random, n: int, *, masked: bool) -> tuple[str | None, str]:
    number = int(rng.random() * 9000)
    mail = ("zoë+tag@example.org", "")[n % 2] if n < 4 else f"user{number:04d}@example.com"
    hashed = digest("mail", mail) if masked and mail else mail
    return (None if rng.random() < 0.3 else hashed), digest("fingerprint", number)[:32]


def visitor(rng: Random, n: int, *, masked: bool) -> dict[str, Value]:
    """Return the visitor's values of the `n`th row of a day."""
    draw = rng.random
    place, device = _PLACES[int(draw() * len(_PLACES))], _DEVICES[n % 4 if n < 8 else int(draw() * 3)]
    ip = address(rng, masked=masked)
    mail, fingerprint = _person(rng, n, masked=masked)
    identity = f"{rng.getrandbits(128):032x}"
    score, bot = int(draw() * 100), int(draw() < 0.05)
    return {
        "asn": place.asn,
        "browser_language": place.languages,
        "browser_name": device.browser,
        "browser_timezone": place.zone,
        "browser_version": device.browser_version,
        "city": place.city,
        "click_ip": ip,
        "country": place.country,
        "device_id": (identity.upper(), f"{n:016d}", None)[n % 3],
        "device_type": device.kind,
        "fingerprint": fingerprint,
        "ip_network": f"{ip}/24" if "." in ip else f"{ip}/64",
        "is_bot": bot,
        "is_old_browser": int(draw() < 0.1),
        "is_old_os": int(draw() < 0.1),
        "isp": place.isp,
        "lat": place.lat or None,
        "long": place.long or None,
        "os_name": device.system,
        "os_version": device.system_version,
        "postal_code": f"{int(draw() * 100000):05d}",
        "proxy_type": ("", "VPN", "TOR", "-")[int(draw() * 4)],
        "referer": _REFERERS[n % len(_REFERERS)],
        "referer_categories": [["News", "Arts, Culture"], [], ["null"]][n % 3],
        "risk": ("low", "medium", "high")[score // 34],
        "rtt": HUGE if n == 5 else int(draw() * 900),
        "score": score,
        "server_region": ("eu-west-1", "us-east-1")[n % 2],
        "user_agent": device.agent,
        "user_email": mail,
        "uuid": f"{identity[:8]}-{identity[8:12]}-4{identity[13:16]}-a{identity[17:20]}-{identity[20:]}",
    }
