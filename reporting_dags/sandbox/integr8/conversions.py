"""The generated conversions of a day, each from a click, and their postbacks."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from random import Random

from reporting_dags.sandbox.integr8 import fields
from reporting_dags.sandbox.integr8.dataset import (
    CONVERSION,
    PAYOUTS,
    POSTBACK,
    Dataset,
    Row,
    filter_result,
    moment_of,
    row_key,
    select_fields,
)
from reporting_dags.sandbox.integr8.entities import OTHER
from reporting_dags.sandbox.integr8.facts import visits
from reporting_dags.sandbox.integr8.values import HUGE, NAMES, Value, digest, iso, money, object_id
from reporting_dags.sandbox.integr8.visitors import address

EVENTS = ((0, ""), (7, "Level 20, reached"), (9007199254740993, 'Purchase\n"big"'))
"""The events of a conversion: the first is the conversion itself, the others have the same real_tx_id (IN10)."""
BODIES = ("OK", '{"ok":true,"msg":"a,b"}', "<html>\n<body>é</body>\n</html>", "", None)
END_OF_DAY = timedelta(days=1, microseconds=-1)


@lru_cache(maxsize=48)
def conversions(dataset: Dataset, day: date) -> tuple[Row, ...]:
    """Return the conversions of a day, unordered. Rows with the same real_tx_id have the same time."""
    if not (today := visits(dataset, day)):
        return ()
    rng = Random(f"{dataset.seed}|{CONVERSION}|{day}")
    recent = [today, *(visits(dataset, day - timedelta(days=n)) or today for n in (1, 2))]
    size = dataset.size(CONVERSION, day, 25)
    return tuple(row for n in range(size) for row in _conversion(dataset, rng, day, n, _click(rng, recent, n)))


def _click(rng: Random, recent: list[tuple[Row, ...]], n: int) -> Row:
    lag, which = rng.random(), rng.random()
    if n < len(NAMES):
        return recent[0][n % len(recent[0])]
    pool = recent[int(3 * lag * lag)]
    return pool[int(which * len(pool))]


def _moment(rng: Random, day: date, n: int, click: Row) -> datetime:
    otherwise, share = moment_of(rng, day, n), rng.random()
    if click.moment.date() != day:
        return max(otherwise, click.moment)
    if n < 2:
        return click.moment
    if n in {2, 3}:
        return click.moment + timedelta(hours=1)
    end = datetime.combine(day, time(), UTC) + END_OF_DAY
    return (click.moment + (end - click.moment) * share).replace(microsecond=0 if n % 3 else 125000)


def _conversion(dataset: Dataset, rng: Random, day: date, n: int, click: Row) -> Iterator[Row]:
    moment, key = _moment(rng, day, n, click), row_key(dataset.seed, CONVERSION, day, n)
    moment = max(moment, click.moment)
    rejection_draw, turn_draw, turn_after, value = rng.random(), rng.random(), rng.random(), rng.random()
    approved = n < 5 or rejection_draw > 0.1
    # Every day has one that is rejected after half of the restatement days.
    is_rejected_later = approved and (n == 4 or (n > 4 and turn_draw < 0.12))
    after = 0.5 if n == 4 else turn_after
    clicked = click.values["payout"]
    paid = PAYOUTS[n] if n < len(PAYOUTS) else float(clicked) * 25 if isinstance(clicked, int | float) else 0.0
    values: dict[str, Value] = {
        **click.values,
        **_filter_result(n, approved=approved),
        "app_id": f"id{n:09d}" if n % 2 else f"{n:09d}",
        "app_version": ("1.10", "2.0", "")[n % 3],
        "begin_install_time": iso(moment - timedelta(seconds=70)) if n % 2 else None,
        "click_time": iso(click.moment),
        "click_tx_id": click.key,
        "conversion_ip": address(rng, masked=dataset.mask_personal),
        "conversion_time": iso(moment),
        "event_24metrics": "",
        "event_status": 1,
        "finish_install_time": iso(moment - timedelta(seconds=9.5)) if n % 2 else None,
        "hash": digest(key)[:32],
        "is_click_spam": int(n % 11 == 10),
        "is_low_session_time": 0,
        "network": ("NA", "Cell, 5G", None)[n % 3],
        "payout": money(paid),
        "purchase_value": None if n % 4 else money(value * 100),
        "real_tx_id": key,
        "revenue": money(paid * 1.37),
        "server_ip": "192.0.2.10",
        "session_time": HUGE if n == 5 else int((moment - click.moment).total_seconds()),
        "tx_id": key if n % 7 else digest(key)[:20],
    }
    rejection = {name: value for name, value in _filter_result(n, approved=False).items() if name in fields.CONVERSIONS}
    at = moment + timedelta(days=dataset.restate_days) * after if is_rejected_later else None
    for event, (event_id, event_name) in enumerate(EVENTS[: 1 + (n % 8 == 3) + 2 * (n % 16 == 7)]):
        of_event: dict[str, Value] = {
            "event_db_id": object_id(dataset.seed, OTHER, 20 + event) if event else "",
            "event_id": event_id,
            "event_name": event_name,
        }
        yield Row(moment, key, select_fields(dataset, {**values, **of_event}, fields.CONVERSIONS), at, rejection)


def _filter_result(n: int, *, approved: bool) -> dict[str, Value]:
    result = filter_result(n, approved=approved)
    return {
        **result,
        "real_rejected_advanced_reason": result["rejected_advanced_reason"],
        "real_rejected_simple_reason": result["rejected_simple_reason"],
        "rejected": int(not approved),
        "third_party_rejection_reason": "" if approved else "score, too high",
        "third_party_status": "approved" if approved else "rejected",
    }


@lru_cache(maxsize=12)
def postbacks(dataset: Dataset, day: date) -> tuple[Row, ...]:
    """Return the postbacks of a day, unordered: one for each conversion, and a second one if the first failed."""
    rng = Random(f"{dataset.seed}|{POSTBACK}|{day}")
    rows: list[Row] = []
    for n, conversion in enumerate(conversions(dataset, day)):
        failed = n % 12 == 6
        rows.append(_postback(dataset, rng, conversion, number=len(rows), attempt=1, failed=failed))
        if failed:
            rows.append(_postback(dataset, rng, conversion, number=len(rows), attempt=2, failed=False))
    return tuple(rows)


def _postback(dataset: Dataset, rng: Random, row: Row, *, number: int, attempt: int, failed: bool) -> Row:
    day = row.moment.date()
    end = datetime.combine(day, time(), UTC) + END_OF_DAY
    moment = min(end, row.moment + timedelta(milliseconds=int(rng.random() * 4000) + 60_000 * (attempt - 1)))
    key = row_key(dataset.seed, POSTBACK, day, number)
    values: dict[str, Value] = {
        **row.values,
        "id": key,
        "request_time": iso(moment),
        "method": ("GET", "POST")[number % 2],
        "url": f'https://tracker.example/pb?tx={row.values["tx_id"]}&name="é",{number:04d}',
        "response_code": None if failed and number % 2 else 500 if failed else 200,
        "response_body": BODIES[number % len(BODIES)],
        "status": "Failed" if failed else "Success",
        "attempt": attempt,
    }
    return Row(moment, key, select_fields(dataset, values, fields.POSTBACKS))
