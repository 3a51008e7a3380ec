"""The generated clicks and impressions of a day. They depend only on the dataset and the day."""

from datetime import UTC, date, datetime, time
from functools import lru_cache
from random import Random

from reporting_dags.sandbox.integr8 import fields
from reporting_dags.sandbox.integr8.dataset import (
    CLICK,
    IMPRESSION,
    PAYOUTS,
    Dataset,
    Row,
    filter_result,
    moment_of,
    row_key,
    select_fields,
)
from reporting_dags.sandbox.integr8.entities import (
    ADVERTISER,
    MANAGER,
    MANAGERS,
    OFFER,
    OTHER,
    PUBLISHER,
    PUBLISHERS,
    advertiser_of,
    offers_at,
    party,
    payout,
)
from reporting_dags.sandbox.integr8.values import NAMES, SUBS, Value, digest, iso, money, object_id
from reporting_dags.sandbox.integr8.visitors import visitor


@lru_cache(maxsize=12)
def visits(dataset: Dataset, day: date) -> tuple[Row, ...]:
    """Return the clicks of a day, unordered, with all values, also those that a click row does not have."""
    return _rows(dataset, CLICK, day, 90)


@lru_cache(maxsize=12)
def clicks(dataset: Dataset, day: date) -> tuple[Row, ...]:
    """Return the clicks of a day, unordered."""
    return tuple(row._replace(values=select_fields(dataset, row.values, fields.CLICKS)) for row in visits(dataset, day))


@lru_cache(maxsize=12)
def impressions(dataset: Dataset, day: date) -> tuple[Row, ...]:
    """Return the impressions of a day, unordered."""
    rows = _rows(dataset, IMPRESSION, day, 120)
    return tuple(row._replace(values=select_fields(dataset, row.values, fields.IMPRESSIONS)) for row in rows)


def _rows(dataset: Dataset, kind: int, day: date, usual: int) -> tuple[Row, ...]:
    # Only random() and getrandbits() are used: the results of other methods can change in new Python versions.
    rng = Random(f"{dataset.seed}|{kind}|{day}")
    return tuple(_row(dataset, rng, kind, day, n) for n in range(dataset.size(kind, day, usual)))


def _row(dataset: Dataset, rng: Random, kind: int, day: date, n: int) -> Row:
    moment, key = moment_of(rng, day, n), row_key(dataset.seed, kind, day, n)
    values: dict[str, Value] = {
        **visitor(rng, n, masked=dataset.mask_personal),
        **_parties(dataset, rng, day, n),
        **_subs(rng, n),
        **filter_result(n, approved=rng.random() > 0.15 or n < 3),
        "blocked": int(n % 13 == 12),
        "bundle_id": f"com.example.app{n % 9}",
        "coupon_code": f"{n:05d}" if n % 6 == 0 else None,
        "external_transaction_id": f"0{n}-{key[:8]}" if n % 4 else "",
        "filter_group_id": "",
        "integration_id": dataset.integration,
        "integration_type": "redirect",
        "invalid_sub_id": "",
        "monitoring_mode": 0,
        "organization_id": dataset.organization,
        "preview_url_enabled": n % 2,
        "real_filter_group_id": None,
        "real_tx_id": key,
        "request_date": day.isoformat(),
        "request_time": iso(moment),
        "rtb_url_used": 0,
        "site_url": "https://site.example/a,b?q=é",
        "site_url_categories": [["Games"], []][n % 2],
        "tags": [[], ["vip", "a,b"], ['say "hi"', "été"]][n % 3],
        "tx_id": key if n % 7 else digest(key)[:20],
    }
    return Row(moment, key, values)


def _parties(dataset: Dataset, rng: Random, day: date, n: int) -> dict[str, Value]:
    """Return the values of offer, publisher and advertiser. A: ids other than db ids are the incremental id as text."""
    many = offers_at(datetime.combine(day, time(), UTC))
    which, whose = rng.random(), rng.random()
    at = n if n < len(NAMES) else int(many * which * which)
    offer = party(dataset.seed, OFFER, at)
    publisher = party(dataset.seed, PUBLISHER, n if n < len(NAMES) else int(PUBLISHERS * whose * whose))
    advertiser = party(dataset.seed, ADVERTISER, advertiser_of(at))
    manager = party(dataset.seed, MANAGER, at % MANAGERS)
    paid = PAYOUTS[n] if n < len(PAYOUTS) else payout(at) * (0.02 + 0.03 * which)
    return {
        "advertiser": str(advertiser.number),
        "advertiser_db_id": advertiser.id,
        "advertiser_id": str(advertiser.number),
        "advertiser_name": advertiser.name,
        "final_offer": offer.name,
        "final_offer_id": str(offer.number),
        "manager_id": manager.id,
        "manager_name": manager.name,
        "offer": offer.name,
        "offer_db_id": offer.id,
        "offer_group_id": None,
        "offer_id": str(offer.number),
        "offer_id_name": f"{offer.name} [{offer.number}]",
        "payout": money(paid),
        "publisher": str(publisher.number),
        "publisher_db_id": publisher.id,
        "publisher_name": publisher.name,
        "real_advertiser": str(advertiser.number),
        "real_offer_id": str(offer.number),
        "real_publisher": str(publisher.number),
        "revenue": money(paid * 1.37),
        "smart_link_id": f"{n:04d}" if n % 10 == 0 else "",
        "smartlink_db_id": object_id(dataset.seed, OTHER, n % 20) if n % 10 == 0 else None,
        "targeting_group_id": object_id(dataset.seed, OTHER, at % 20),
    }


def _subs(rng: Random, n: int) -> dict[str, Value]:
    """Return the sub ids and the extra parameters of a row."""
    aside = int(rng.random() * 100000)
    given = {"gclid": f"{aside:08d}", "utm_source": SUBS[n % len(SUBS)], "aff_sub": "été, 🎉"}
    keys = [key for m, key in enumerate(given) if (n + m) % 3]
    return {
        "extra_params.keys": list(keys),
        "extra_params.values": [given[key] for key in keys],
        "sub_id": SUBS[n] if n < len(SUBS) else f"{aside % 40:05d}",
        "sub_id_2": SUBS[(n + 5) % len(SUBS)],
        "sub_id_3": None if n % 3 else str(aside),
        "sub_id_4": "",
        "sub_id_5": None,
        "sub_id_6": "x" * 300 if n == 8 else "",
    }
