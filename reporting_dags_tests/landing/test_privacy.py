"""Personal data is kept hashed, as it is, or not at all; never shown, and never in the way of the checks."""

import hashlib
import hmac
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reporting_dags.landing.parsing.pii import apply_privacy_to_members
from reporting_dags.landing.writing.land import LandedDay
from reporting_dags.model.column import day, flag, identity
from reporting_dags.model.errors import DataError
from reporting_dags.model.privacy import Personal, PersonalData, Privacy
from reporting_dags.model.report import Report
from reporting_dags_tests.landing.answers import Bench, report, rows

HASHED = hashlib.sha256(b"someone@example.com").hexdigest()


def users(mode: PersonalData = PersonalData.HASH, key: str = "") -> Report:
    columns = (
        day("Date"),
        identity("Device", "", personal=Personal.DEVICE),
        identity("Mail", "", personal=Personal.EMAIL),
        flag("Masked", "", of="Device", texts=("masked",)),
    )
    return report(columns, grain=("Device",), privacy=Privacy(mode, key))


def answer(*lines: str) -> str:
    return rows(*(f"2026-11-01,{line}" for line in lines), header="Date,Device,Mail")


def test_by_default_personal_values_are_hashed_and_the_raw_texts_still_flag(context: Bench) -> None:
    context.landed(answer("abc, Someone@Example.com ", "masked,", ",x"), of=users())
    assert context.rows() == [
        {"device": hashlib.sha256(b"abc").hexdigest(), "mail": HASHED, "masked": False},
        {"device": hashlib.sha256(b"masked").hexdigest(), "mail": "", "masked": True},
        {"device": "", "mail": hashlib.sha256(b"x").hexdigest(), "masked": False},
    ]


def test_an_address_that_is_hashed_already_is_not_hashed_again_but_for_a_key(context: Bench) -> None:
    lines = (f"{HASHED},{HASHED}", f"b,{HASHED.upper()}")
    context.landed(answer(*lines), of=users())
    assert [row["mail"] for row in context.rows()] == [HASHED, hashlib.sha256(HASHED.encode()).hexdigest()]
    assert context.rows()[0]["device"] == hashlib.sha256(HASHED.encode()).hexdigest()
    context.landed(answer(*lines), of=users(key="k"))
    keyed = hmac.new(b"k", HASHED.encode(), hashlib.sha256).hexdigest()
    assert [row["mail"] for row in context.rows()] == [keyed, keyed]


def test_a_dropped_grain_is_checked_all_the_same_and_not_shown(context: Bench) -> None:
    drop = users(PersonalData.DROP)
    context.landed(answer("abc,x", "abd,x"), of=drop)
    assert context.rows() == [{"device": None, "mail": None, "masked": False}] * 2
    told = context.refused(answer("abc,x", "abc,y", "abd,z"), of=drop)
    assert told.error.line == "grain twice (1 grains)"


@pytest.mark.parametrize("mode", [PersonalData.HASH, PersonalData.KEEP])
def test_a_kept_grain_that_stands_twice_is_told_without_the_value(context: Bench, mode: PersonalData) -> None:
    told = context.refused(answer("abc,x", "abc,y", "abd,z"), of=users(mode))
    assert told.error.line == "grain twice: device=… (2 rows, 1 grains in all)"


def test_a_personal_constant_that_is_contradicted_is_not_shown(context: Bench) -> None:
    with pytest.raises(DataError) as refused:
        context.land(context.part(answer("abc,x"), Device="abd"), of=users())
    assert refused.value.line == "column 'Device' holds values other than the requested one"


def test_the_version_of_a_day_is_that_of_the_values_that_are_kept(context: Bench) -> None:
    declared = [users(), users(key="k"), users(PersonalData.KEEP), users(PersonalData.DROP)]
    versions = {context.landed(answer("abc,x"), of=each).data_version for each in declared}
    assert len(versions) == 4
    drop = users(PersonalData.DROP)
    assert (
        context.landed(answer("abc,x"), of=drop).data_version == context.landed(answer("abd,y"), of=drop).data_version
    )


TEXTS = st.lists(st.text("ab@AB 12", max_size=4), max_size=20, unique=True)


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.sampled_from(PersonalData), st.sampled_from(["", "key"]))
def test_every_value_is_what_the_policy_makes_of_it(texts: list[str], mode: PersonalData, key: str) -> None:
    declared = users(mode, key)

    def made(text: str, why: Personal) -> str | None:
        if mode is PersonalData.DROP:
            return None
        return text if mode is PersonalData.KEEP or not text else declared.privacy.hashed(text, why)

    with TemporaryDirectory() as folder:
        context = Bench(Path(folder))
        (result,) = context.land(answer(*(f'"{text}","{text}"' for text in texts)), of=declared)
        assert isinstance(result, LandedDay)
        found = [(row["device"], row["mail"]) for row in context.rows()]
    assert found == [(made(text, Personal.DEVICE), made(text, Personal.EMAIL)) for text in texts]


@pytest.mark.parametrize("mode", list(PersonalData))
def test_columns_that_nobody_declared_are_guarded_by_what_their_names_tell(mode: PersonalData) -> None:
    privacy = Privacy(mode, "")
    sent = {"campaign": "spring", "user_email": "Ann@example.com ", "click_ip": "10.1.2.3"}
    guarded = {
        PersonalData.KEEP: sent,
        PersonalData.DROP: {"campaign": "spring"},
        PersonalData.HASH: {
            "campaign": "spring",
            "user_email": privacy.hashed(sent["user_email"], Personal.EMAIL),
            "click_ip": privacy.hashed(sent["click_ip"], Personal.ADDRESS),
        },
    }
    assert apply_privacy_to_members(sent, privacy) == guarded[mode]
    assert privacy.hashed(sent["user_email"], Personal.EMAIL) != privacy.hashed(sent["user_email"], Personal.ADDRESS)
