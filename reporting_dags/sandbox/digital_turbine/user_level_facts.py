"""The generated facts of users of one app on one day. They depend only on seed, app, day and version."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from random import Random
from typing import NamedTuple

from reporting_dags.sandbox.digital_turbine.facts import HUGE, PRELIMINARY, Dataset

FIRST_DAY = date(2020, 2, 16)
"""UL2."""
WEEK = (0.92, 0.88, 0.9, 0.94, 1.05, 1.2, 1.15)
USERS = {"171893": 100, "00171893": 42, "9007199254740993": 30, "205511": 64}
"""The number of users of each app for which the report is enabled (UL3)."""
MASKED = ""
"""The advertising ID of users who must not be identified (UL4)."""

COUNTRIES = ("US", "DE", "GB", "FR", "JP", "BR", "IL", "KR", "NA")
PLACEMENTS = (
    ("1430011", "Rewarded", 0.0121),
    ("1430012", "Interstitial", 0.0064),
    ("0014300", "Banner", 0.0007),
    ("1234567890123456789", "Rewarded", 0.0137),
    ("1430015", "MREC", 0.0011),
)
HUGE_PLACEMENT = ("9223372036854775808", "Rewarded")


class UserFact(NamedTuple):
    """The metrics of a user, or of all masked users, in a country and placement; None is a missing metric."""

    country: str
    user: str
    placement: str
    format: str
    impressions: int | None
    revenue: float | None


@dataclass(frozen=True)
class UserDataset(Dataset):
    """The parameters of the data besides app, day and version; see the settings of the same names."""

    huge: bool
    rows_factor: float


# Edge cases for parsers, in every app on every day: words for missing values, separators, quotes, line breaks,
# non-ASCII letters, IDs that are not numbers, and amounts that are zero, very small or negative.
_EDGE_CASES = (
    UserFact("NA", "0000002a-0000-4000-8000-000000000007", "00042", "Rewarded", 3, 0.036300000000000006),
    UserFact("null", "NA", "9007199254740993", "Rewarded", 1, 1.21e-05),
    UserFact("", "null", "9223372036854775808", "Interstitial", 2, 0.0),
    UserFact("CÔTE D'IVOIRE", "3E7F0A52-1D4B-4C8E-9A61-5B0D2C7F8E94", 'Home, "top"', "Été 🎬", 0, -0.17),
    UserFact("DE", "12345678901234567890", "first\nsecond", "مكافأة", 1, 0.1 + 0.2),
    UserFact("DE", "12345678901234567890", "left\tright", "NA", 1, 0.0121),
    UserFact("US", "00042", "", "", 1, 0.005),
)


@lru_cache(maxsize=512)
def user_facts(dataset: UserDataset, app: str, day: date, version: int) -> tuple[UserFact, ...]:
    """Return the facts of an app and a day at `version`.

    Versions count from 1 to the final version of the dataset. Later versions have more revenue and more users.
    PRELIMINARY is a day that is only partly available.
    """
    if day < FIRST_DAY or dataset.is_empty(day):
        return ()
    # Only random() is used: the only method whose results are guaranteed to stay the same in new Python versions.
    rng = Random(f"{dataset.seed}|user_level|{app}|{day}")
    level = WEEK[day.weekday()] * (0.9 + 0.2 * rng.random())
    results = list(_EDGE_CASES)
    for number in range(int(USERS[app] * dataset.rows_factor)):
        results += _user_rows(dataset, rng, f"{app}|{number}", level=level, version=version)
    for country in COUNTRIES:
        results += _masked_rows(
            rng, country, users=USERS[app] * dataset.rows_factor, known=_known_share(dataset, version)
        )
    if dataset.huge and app == next(iter(USERS)):
        results.append(UserFact("US", MASKED, *HUGE_PLACEMENT, HUGE, 36.300000000000004))
    return tuple(results)


@lru_cache(maxsize=4096)
def _user(seed: int, name: str) -> tuple[str, str]:
    """Return the advertising ID and the country of a user; they are the same on every day."""
    draw = Random(f"{seed}|user|{name}").random
    one, two, three, four = (f"{int(draw() * 2**32):08x}" for _ in range(4))
    advertising_id = f"{one}-{two[:4]}-4{two[5:]}-a{three[5:]}-{three[:4]}{four}"
    # iOS uses upper case, Android lower case.
    user_id = advertising_id.upper() if draw() < 0.5 else advertising_id
    return user_id, COUNTRIES[int(draw() ** 2 * len(COUNTRIES))]


def _known_share(dataset: UserDataset, version: int) -> float:
    return 0.4 if version == PRELIMINARY else 0.8 + 0.2 * version / dataset.final_version


def _user_rows(dataset: UserDataset, rng: Random, name: str, *, level: float, version: int) -> Iterator[UserFact]:
    draw = rng.random
    if draw() > 0.6 * level:
        return
    # A user draws the same count of random numbers in every version, so that a version does not change later users.
    late, place, more, missing, which = draw(), draw(), draw(), draw(), draw()
    parts = [(draw(), draw()) for _ in range(1 + int(more * 2))]
    known = _known_share(dataset, version)
    if late >= (0.6 if version == PRELIMINARY else 0.5 + known / 2):
        return
    user, country = _user(dataset.seed, name)
    for n, part in enumerate(parts):
        placement, kind, price = PLACEMENTS[(int(place * len(PLACEMENTS)) + n) % len(PLACEMENTS)]
        impressions = 1 + int(12 * part[0] * part[0])
        # Summed by impression, so that the results have the rounding errors of sums of doubles.
        revenue = sum([price * (0.5 + part[1]) * known] * impressions)
        fact = UserFact(country, user, placement, kind, impressions, revenue)
        if dataset.missing_one_in and missing * dataset.missing_one_in < 1:
            fact = fact._replace(impressions=None) if which < 0.5 else fact._replace(revenue=None)
        yield fact


def _masked_rows(rng: Random, country: str, *, users: float, known: float) -> Iterator[UserFact]:
    for placement, kind, price in PLACEMENTS[:2]:
        shown, size = rng.random(), rng.random()
        if shown < 0.5:
            impressions = 20 + int(users * 8 * size)
            yield UserFact(country, MASKED, placement, kind, impressions, int(impressions * known) * price)
