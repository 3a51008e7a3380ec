"""The generated offers, publishers and advertisers: their fixed ids and names, and their state at a time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import Random
from typing import NamedTuple

from reporting_dags.sandbox.integr8 import fields
from reporting_dags.sandbox.integr8.values import NAMES, SUBS, Value, iso, money, object_id

START = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
"""From this time on, there is a new offer every week."""
OFFERS_AT_START = 184
PUBLISHERS = 130
ADVERTISERS = 40
MANAGERS = 6
LARGE_NUMBERS = {4: 2**53 + 5, 12: 2**60 + 13}
OFFER, PUBLISHER, ADVERTISER, MANAGER, OTHER = range(1, 6)
PAYOUTS = (0.036300000000000006, 1.21e-05, 0.0, 10.0, 1.1, 1234.12)
DEFAULT_PAYOUT = ("payout", "payout_percent", "payout_type", "revenue", "revenue_percent", "revenue_type")

_DAY = timedelta(days=1)
_COUNTRIES = ("US", "DE", "GB", "FR", "NA", "BR")
_METHODS = ("Content", "Email", "Search", "Social", "Display", "Native", "Push", "SMS", "Other")


class Party(NamedTuple):
    """The ids and the name of an offer, a publisher, an advertiser or a manager, as in the rows of logs."""

    id: str
    number: int
    name: str


@dataclass(frozen=True)
class Kind:
    """A list of entities: its name, the keys of its objects and of nested objects, and the functions that make them."""

    name: str
    fields: tuple[str, ...]
    nested: Mapping[str, tuple[str, ...]]
    count: Callable[[datetime], int]
    make: Callable[[int, int, datetime], dict[str, Value]]

    def objects(self, seed: int, at: datetime, *, null_texts: bool) -> list[dict[str, Value]]:
        """Return all objects in their state at `at`, in the order of creation."""
        objects = [self.make(seed, n, at) for n in range(self.count(at))]
        # Only texts can be null in these objects.
        return (
            objects
            if null_texts
            else [{key: "" if value is None else value for key, value in item.items()} for item in objects]
        )


def offers_at(at: datetime) -> int:
    """Return the number of offers at `at`."""
    return OFFERS_AT_START + max(0, (at - START).days // 7)


@lru_cache(maxsize=4096)
def party(seed: int, kind: int, n: int) -> Party:
    """Return the `n`th entity of a kind, from 0."""
    name = NAMES[n] if n < len(NAMES) else f"{('Golden', 'Blue', 'Quick', 'Grand')[n % 4]} {n}"
    return Party(object_id(seed, kind, n), LARGE_NUMBERS.get(n, n + 1), name)


def payout(n: int) -> float:
    """Return the payout of the `n`th offer, in its currency."""
    return PAYOUTS[n] if n < len(PAYOUTS) else (n % 37 + 1) * 0.33 * 1.1


def advertiser_of(n: int) -> int:
    """Return the index of the advertiser of the `n`th offer."""
    return n % ADVERTISERS


@dataclass(frozen=True)
class _Age:
    """When an object was created and last updated, and how often it was updated."""

    created: datetime
    updated: datetime
    version: int


def _age(seed: int, kind: int, n: int, at: datetime) -> _Age:
    if kind == OFFER:
        weeks = n - OFFERS_AT_START + 1
        created = START + (weeks * 7 * _DAY if weeks > 0 else weeks * 6 * _DAY)
    else:
        created = START - (n + 1) * 8 * _DAY
    period = (20 + 40 * Random(f"{seed}|age|{kind}|{n}").random()) * _DAY
    version = max(0, (at - created) // period)
    return _Age(created, created + version * period, version)


def _text(n: int, version: int) -> str | None:
    if (n + version) % 5 == 0:
        return None
    return SUBS[n] if n < len(SUBS) else f'Version {version}, "{NAMES[n % len(NAMES)]}"'


def _offer(seed: int, n: int, at: datetime) -> dict[str, Value]:
    entity, age = party(seed, OFFER, n), _age(seed, OFFER, n, at)
    paid = payout(n) * (1 + 0.1 * (age.version % 3))
    shares = n % 7 == 3
    return {
        "active": (n + age.version) % 9 != 0,
        "advertiser_id": party(seed, ADVERTISER, advertiser_of(n)).number,
        "allow_duplicate_conversions": n % 4 == 0,
        "archived": n % 29 == 28,
        "block_on_reject": n % 3 == 0,
        "conversion_name": ("Sale", "Install", "")[n % 3],
        "created_at": iso(age.created),
        "currency": "EUR" if n % 3 == 1 else "USD",
        "deep_link_enabled": n % 2 == 0,
        "default_payout": {
            "payout": money(paid),
            "payout_percent": 12.5 if shares else 0,
            "payout_type": "CPAxCPS" if shares else ("CPA", "CPC", "CPM")[n % 3],
            "revenue": money(paid * 1.37),
            "revenue_percent": 17.1 if shares else 0,
            "revenue_type": "RPAxRPS" if shares else ("RPA", "RPC", "RPM")[n % 3],
        },
        "description": _text(n, age.version),
        "fallback_url": f"https://fallback.example/?o={n}&x=a,b" if n % 2 else None,
        "hide_js_tracking": False,
        "id": entity.id,
        "impression_forwarding_enabled": n % 6 == 0,
        "impression_forwarding_url": "" if n % 6 else "https://pixel.example/é",
        "incremental_id": entity.number,
        "manually_approve_conversions": n % 5 == 0,
        "name": entity.name,
        "name_with_id": f"{entity.name} [{entity.number}]",
        "offer_preview_enabled": n % 2 == 1,
        "parallel_tracking_enabled": False,
        "parallel_tracking_url": None,
        "primary_domain": f"shop{n}.example",
        "restriction_note": _text(n + 1, age.version),
        "targeting_group_id": object_id(seed, OTHER, n % 20),
        "targeting_simple_enabled": n % 3 == 2,
        "terms_and_conditions": "1. No spam\n2. No adult traffic" if n % 2 else "",
        "terms_and_conditions_enabled": n % 2 == 1,
        "updated_at": iso(age.updated),
        "view_through_attribution_enabled": n % 4 == 1,
        "visibility": ("Public", "Private", "Requires_Approval")[n % 3],
    }


def _contact(seed: int, kind: int, n: int, at: datetime) -> dict[str, Value]:
    """Return the values that publishers and advertisers have in common."""
    entity, age, manager = party(seed, kind, n), _age(seed, kind, n, at), party(seed, MANAGER, n % MANAGERS)
    return {
        "active": (n + age.version) % 11 != 0,
        "address": f"{n} Main St\nSuite {n % 9}" if n % 3 else None,
        "archived": n % 31 == 30,
        "company_name": f"{entity.name} Ltd",
        "country": _COUNTRIES[n % len(_COUNTRIES)],
        "created_at": iso(age.created),
        "description": _text(n, age.version),
        "email": f"contact{n}@{('publisher', 'advertiser')[kind == ADVERTISER]}.example",
        "first_name": ("Jane", "Zoë", "null", "محمد")[n % 4],
        "id": entity.id,
        "incremental_id": entity.number,
        "last_name": ("Doe", "O'Neil", "Müller-Łuk", "")[n % 4],
        "manager_email": f"manager{n % MANAGERS}@network.example",
        "manager_id": manager.id,
        "manager_name": manager.name,
        "messenger": None if n % 4 else f"live:{n:04d}",
        "name": entity.name,
        "name_with_id": f"{entity.name} [{entity.number}]",
        "phone": f"+1-555-{n:04d}" if n % 2 else f"00{n}",
        "updated_at": iso(age.updated),
        "website": f"https://site{n}.example",
    }


def _publisher(seed: int, n: int, at: datetime) -> dict[str, Value]:
    values: dict[str, Value] = {
        **_contact(seed, PUBLISHER, n, at),
        "city": ("New York", "São Paulo", 'Land "o" Lakes, FL', None)[n % 4],
        "countries": list(_COUNTRIES[: n % 4]),
        "pending": n % 17 == 16,
        "promotional_method": list(_METHODS[n % 7 : n % 7 + 2]),
        "timezone": ("America/New_York", "UTC", "Asia/Kolkata")[n % 3],
        "tracking_domain_ids": [object_id(seed, OTHER, n % 20)] if n % 2 else [],
    }
    return {name: values[name] for name in fields.PUBLISHERS}


def _advertiser(seed: int, n: int, at: datetime) -> dict[str, Value]:
    return _contact(seed, ADVERTISER, n, at)


KINDS = (
    Kind("offers", fields.OFFERS, {"default_payout": DEFAULT_PAYOUT}, offers_at, _offer),
    Kind("publishers", fields.PUBLISHERS, {}, lambda _: PUBLISHERS, _publisher),
    Kind("advertisers", fields.ADVERTISERS, {}, lambda _: ADVERTISERS, _advertiser),
)
"""The lists of the sandbox (IN2)."""
