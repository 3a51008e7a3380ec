"""How a report stands: each check lists the days that are amiss, and the command that repairs them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from reporting_dags.jobs.planning.report_health import EXPIRY_WARNING, GRACE, NEEDS_ACTION, command_for, report_health
from reporting_dags.jobs.records import Failure, MaterializationRecord, ReportState
from reporting_dags.landing.checks.partition import CheckResult
from reporting_dags.model.days import ONE_DAY, Window, days_in
from reporting_dags.model.outcome import Outcome
from reporting_dags.model.report import Report
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags.reports.dt_user_level import REVENUE

NEWEST = date(2026, 11, 19)
OUT = EVENT.calendar.published_at(NEWEST)
SINCE = NEWEST - 4 * ONE_DAY
DAYS = Window(SINCE, NEWEST).days
COMMAND = "dagster asset materialize -m reporting_dags.definitions --select dt_offer_wall/event"


def landed(days: Sequence[date], report: Report = EVENT, money: str = "10") -> dict[date, MaterializationRecord]:
    return {
        day: MaterializationRecord(
            day=day,
            code_version=report.version,
            outcome=Outcome.DATA,
            rows=1,
            size=1,
            data_version="f",
            raw_sha256="",
            money={"publisher_revenue": {"USD": money}},
            requested_at=report.calendar.published_at(day),
            landed_at=report.calendar.published_at(day),
        )
        for day in days
    }


def told(
    days: Mapping[date, MaterializationRecord],
    *,
    now: datetime = OUT + GRACE,
    report: Report = EVENT,
    bought: Sequence[date] = (),
    failures: Mapping[date, Sequence[Failure]] | None = None,
    control: Mapping[date, MaterializationRecord] | None = None,
    tries: Mapping[date, int] | None = None,
    since: date = SINCE,
) -> dict[str, CheckResult]:
    # Without another, a control that agrees.
    totals = days if control is None else control
    known = ReportState(
        landed=days, in_flight=bought, failures=failures or {}, control=totals, control_attempts=tries or {}
    )
    return {check.name: check for check in report_health(report, known, since=since, now=now)}


def test_all_is_well_when_every_day_has_landed() -> None:
    found = told(landed(DAYS))
    assert list(found) == ["newest_day", "no_day_missing", "no_day_failed", "no_day_in_danger", "control_totals"]
    assert all(check.passed for check in found.values())
    assert found["newest_day"].detail == f"{NEWEST} has landed"


def test_the_newest_day_is_missed_three_quarters_of_an_hour_after_it_is_out_and_not_before() -> None:
    days = landed(DAYS[:-1])
    assert told(days, now=OUT + GRACE - timedelta.resolution)["newest_day"].passed
    check = told(days)["newest_day"]
    assert not check.passed
    assert f"{NEWEST} has not landed; it was published on 2026-11-20 at 12:00 UTC" in check.detail
    assert check.detail.endswith(f"{COMMAND} --partition {NEWEST}")


def test_an_old_day_that_has_just_landed_does_not_stand_for_the_newest() -> None:
    old = landed(DAYS[:-1])
    fresh = {day: replace(facts, requested_at=OUT + GRACE, landed_at=OUT + GRACE) for day, facts in old.items()}
    assert not told(fresh)["newest_day"].passed


def test_every_missing_day_is_listed_with_the_command_that_requests_it() -> None:
    check = told(landed([DAYS[0], DAYS[3], DAYS[4]]))["no_day_missing"]
    assert not check.passed
    assert check.blocking
    assert f"missing: {DAYS[1]}...{DAYS[2]}" in check.detail
    assert check.detail.endswith(f"{COMMAND} --partition-range {DAYS[1]}...{DAYS[2]}")
    assert check.facts == {"count": 2, "days": f"{DAYS[1]}...{DAYS[2]}"}


def test_missing_days_that_were_requested_or_wait_for_a_quota_need_no_action() -> None:
    days = landed([DAYS[0], DAYS[3], DAYS[4]])
    renewed = OUT + ONE_DAY
    denied = {DAYS[2]: [Failure(OUT, retry_at=renewed)]}
    check = told(days, bought=DAYS[1:2], failures=denied)["no_day_missing"]
    assert not check.passed
    assert not check.blocking
    assert check.facts == {NEEDS_ACTION: False}
    assert check.detail == f"requested, or waiting for the renewal of a quota: {DAYS[1]}...{DAYS[2]}"
    late = told(days, bought=DAYS[1:2], failures=denied, now=renewed)["no_day_missing"]
    assert late.blocking
    assert late.facts == {"count": 1, "days": f"{DAYS[2]}"}


def test_a_report_of_which_nothing_was_requested_yet_has_not_passed_and_needs_no_action() -> None:
    found = told({})
    for name in ("newest_day", "no_day_missing", "control_totals"):
        assert not found[name].passed
        assert not found[name].blocking
        assert found[name].facts == {NEEDS_ACTION: False}
    assert found["newest_day"].detail.startswith(
        "nothing has been requested yet: turn on the schedule of dt_offer_wall"
    )
    assert told({}, bought=DAYS[:1])["newest_day"].blocking, "from the first request on"


def test_a_day_of_another_declaration_is_listed() -> None:
    days = landed(DAYS)
    days[DAYS[2]] = replace(days[DAYS[2]], code_version="earlier")
    check = told(days)["no_day_missing"]
    assert not check.passed
    assert f"{DAYS[2]} landed under another declaration" in check.detail
    assert told(days)["newest_day"].passed


def test_a_report_whose_first_day_is_yet_to_come_stands_well() -> None:
    found = told({}, since=NEWEST + ONE_DAY)
    assert found["newest_day"].detail == "no day is published yet"
    assert all(check.passed for name, check in found.items() if name != "control_totals")


def test_a_day_whose_last_answer_failed_is_listed() -> None:
    check = told(landed(DAYS[1:]), failures={DAYS[0]: [Failure(OUT)]})["no_day_failed"]
    assert not check.passed
    assert f"{DAYS[0]}" in check.detail
    assert check.detail.endswith(f"--partition {DAYS[0]}")


@pytest.mark.rule("UL2")
def test_a_day_is_in_danger_three_days_before_it_is_lost_and_says_when_that_is() -> None:
    day = date(2026, 11, 10)
    lost_at = REVENUE.calendar.expires_at(day)
    assert lost_at is not None
    others = landed(Window(day + ONE_DAY, date(2026, 11, 17)).days, REVENUE)
    before = told(others, report=REVENUE, since=day, now=lost_at - EXPIRY_WARNING - timedelta.resolution)
    assert before["no_day_in_danger"].passed
    after = told(others, report=REVENUE, since=day, now=lost_at - EXPIRY_WARNING)["no_day_in_danger"]
    assert not after.passed
    assert f"{day}: missing, lost on {lost_at:%Y-%m-%d at %H:%M} UTC" in after.detail


def test_totals_that_differ_are_listed_with_both_amounts() -> None:
    control = {day: replace(facts, requested_at=OUT + GRACE) for day, facts in landed(DAYS, money="10").items()}
    control[DAYS[1]] = replace(control[DAYS[1]], money={"publisher_revenue": {"USD": "10.01"}})
    check = told(landed(DAYS), control=control)["control_totals"]
    assert not check.passed
    assert f"{DAYS[1]} landed 10.00 USD of publisher_revenue, the control total is 10.01" in check.detail
    assert check.facts["days_compared"] == len(DAYS)
    assert check.detail.endswith(f"--partition {DAYS[1]}")


def test_totals_that_differ_for_good_stay_red_and_no_command_is_said_to_mend_them() -> None:
    control = {day: replace(facts, requested_at=OUT) for day, facts in landed(DAYS, money="11").items()}
    landed_after = {day: replace(facts, requested_at=OUT + GRACE) for day, facts in landed(DAYS).items()}
    assert told(landed_after, control=control)["control_totals"].passed, "it is for the next control to judge"
    check = told(landed_after, control=control, tries={DAYS[1]: 2})["control_totals"]
    assert not check.passed
    assert check.detail == (
        f"{DAYS[1]} landed 10.00 USD of publisher_revenue, the control total is 11.00, also after 2 more landings. "
        "After two further mismatches a day is not requested again until its control total changes"
    )


def test_a_total_that_is_not_asked_for_any_more_disputes_nothing() -> None:
    control = {day: replace(facts, requested_at=OUT) for day, facts in landed(DAYS, money="10").items()}
    first = replace(control[DAYS[0]], requested_at=OUT - 2 * ONE_DAY, money={"publisher_revenue": {"USD": "11"}})
    days = {day: replace(facts, requested_at=OUT + GRACE) for day, facts in landed(DAYS).items()}
    assert told(days, control={**control, DAYS[0]: first}, tries={DAYS[0]: 2})["control_totals"].passed


def test_days_that_go_on_landing_without_control_totals_are_told() -> None:
    days = landed(DAYS)
    early = told({day: days[day] for day in DAYS[:3]}, control={})["control_totals"]
    assert early.detail.startswith("nothing to compare yet"), "none is due yet"
    assert not early.passed
    assert early.facts == {NEEDS_ACTION: False}
    check = told(days, control={})["control_totals"]
    assert not check.passed
    assert check.detail == (
        "days land, and there are no control totals (none so far): the late-data sensor's ticks say why; 0 days add up"
    )
    control = {DAYS[0]: days[DAYS[0]], DAYS[1]: days[DAYS[1]]}
    assert "none since 2026-11-17 at 12:00 UTC" in told(days, control=control)["control_totals"].detail
    assert told({day: days[day] for day in DAYS[:4]}, control=control)["control_totals"].passed
    assert not told({}, control={})["control_totals"].blocking


def test_days_before_the_first_partition_are_nobodys_trouble() -> None:
    control = {day: replace(facts, requested_at=OUT + GRACE) for day, facts in landed(DAYS, money="11").items()}
    found = told(landed(DAYS), control=control, failures={DAYS[0]: [Failure(OUT)]}, since=NEWEST + ONE_DAY)
    assert all(check.passed for check in found.values())


def test_many_stretches_are_counted_and_the_first_is_mended() -> None:
    days = [NEWEST - n * ONE_DAY for n in range(0, 60, 2)]
    assert command_for(EVENT, days).endswith(f"--partition {min(days)}, and so on for 29 more ranges")
    since = NEWEST - 59 * ONE_DAY
    check = told(landed(sorted(set(Window(since, NEWEST).days) - set(days))), since=since)["no_day_missing"]
    assert "and 20 more" in check.detail
    assert days_in(str(check.facts["days"])) == set(days), "the alerts read all of them"
