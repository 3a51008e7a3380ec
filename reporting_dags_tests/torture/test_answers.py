"""Every hostile answer as a test of its own: the day is as it was, or exactly the new truth.

Here each is given by two providers, in `make torture` by every one.
"""

from collections import Counter
from collections.abc import Generator

import pytest

from reporting_dags.providers.http.redaction import Redactor
from reporting_dags_tests.torture.answers import Theatre, cases, some_cases, theatre
from reporting_dags_tests.torture.answers_stage import Case
from reporting_dags_tests.torture.answers_targets import MINTEGRAL, OFFER_WALL
from reporting_dags_tests.torture.row import held

CASES = some_cases()


@pytest.fixture(scope="module")
def opened() -> Generator[Theatre]:
    with theatre() as made:
        yield made


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_hostile_answer_leaves_the_day_as_it_was_or_exactly_the_new_truth(opened: Theatre, case: Case) -> None:
    held([opened.play(case)])


def test_no_two_cases_have_one_name() -> None:
    assert not [name for name, times in Counter(case.name for case in cases()).items() if times > 1]


def test_every_hostile_answer_and_every_target_is_tried_here() -> None:
    every = cases()
    assert {case.fault for case in CASES} == {case.fault for case in every}
    assert {case.target.name for case in CASES} == {case.target.name for case in every}


def test_a_fault_that_was_expected_and_does_not_come_is_trouble(opened: Theatre) -> None:
    row = opened.play(Case(fault="nothing", target=OFFER_WALL, ends="partial"))
    assert not row.held
    assert row.trouble == "expected partial"


def test_a_wrong_value_that_lands_is_seen(opened: Theatre) -> None:
    """Impressions that are merely others cannot be told from the truth by a client, but by this instrument."""
    wrong = {"point": MINTEGRAL.damage, "do": "bad_value", "column": "Impression", "value": "123456"}
    row = opened.play(Case(fault="a lie", target=MINTEGRAL, ends="data", script=[wrong]))
    assert not row.held
    assert row.losses.wrong == 1


def test_what_is_bought_beyond_the_least_is_seen(opened: Theatre) -> None:
    expired = {"point": OFFER_WALL.file, "do": "expired"}
    row = opened.play(Case(fault="expired", target=OFFER_WALL, ends="data", script=[expired]))
    assert (row.held, row.extra) == (False, 1)


def test_a_line_that_shows_a_secret_is_seen(opened: Theatre, monkeypatch: pytest.MonkeyPatch) -> None:
    def as_it_is(self: Redactor, text: str, *, limit: int = 300) -> str:
        return text[:limit]

    monkeypatch.setattr(Redactor, "clean", as_it_is)
    case = next(case for case in cases() if case.name == "400 that echoes the credentials [DT Offer Wall]")
    assert "shows" in opened.play(case).trouble
