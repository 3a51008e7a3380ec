"""The User Level report: what may be asked, and the file that answers it (UL1 to UL5)."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any, cast

from reporting_dags.sandbox.digital_turbine.answer import printed
from reporting_dags.sandbox.digital_turbine.facts import EARLY
from reporting_dags.sandbox.digital_turbine.question import RefusedError
from reporting_dags.sandbox.digital_turbine.settings import DtSettings
from reporting_dags.sandbox.digital_turbine.user_level_facts import FIRST_DAY, MASKED, USERS, UserWorld, user_facts
from reporting_dags.sandbox.endpoint import Subject
from reporting_dags.sandbox.owner import ORDINARY, Owner
from reporting_dags.sandbox.table import Table

API = "user-level-data"
REPORT = "dt_user_level/revenue"
SOURCE = "user_level"
"""What faults are aimed at: the report has no sources of its own."""
USER_LEVEL_APPS = tuple(USERS)
"""The apps that the report is enabled for, in the ordinary account."""
FORBIDDEN = "forbidden"
ZEROS = "00000000-0000-0000-0000-000000000000"
ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)

Accepted = tuple[Subject, Callable[[str, datetime], Table]]
"""What a query that may be answered is about, and what makes its file, given what its rows are shuffled by."""

_COLUMNS = ("Date", "App ID", "Country", "Advertising ID", "Placement ID", "Ad Format", "Impressions", "Revenue")
_FYBER = {"App ID": "Fyber App ID", "Revenue": "Revenue (USD)"}


@dataclass(frozen=True)
class UserLevelQuestion:
    """A query that may be answered: one app on one day (UL1)."""

    day: date
    app: str

    @property
    def subject(self) -> Subject:
        """What faults are aimed at."""
        return Subject(SOURCE, self.day, self.day)


def apps_of(account: str) -> tuple[str, ...]:
    """The apps that the report is enabled for in an account, unless the settings disable some."""
    return tuple(_users(Owner(account, 0)))


def _users(owner: Owner) -> dict[str, str]:
    """The account's apps, each with the app of `USERS` that it is like."""
    return {owner.text(app): app for app in USERS}


def read(
    query: Any, formats: Sequence[str], *, settings: DtSettings, today: date, account: str = ORDINARY
) -> UserLevelQuestion:
    """The question that the JSON value `query` asks, with the `format` parameters that stand beside it.

    Raises:
        RefusedError: Something in it is not allowed (UL1, UL2, UL3).
    """
    # A: csv is the only format, asked for or not.
    if any(one != "csv" for one in formats):
        raise _invalid("Invalid file format requested")
    if not isinstance(query, dict):
        raise _invalid("Invalid value undefined supplied to : Query")
    body = cast("dict[str, Any]", query)
    day = _day(_text(body, "date", "Date"))
    app = _text(body, "appId", "string")
    if not settings.user_level_extra_keys and (unknown := [key for key in body if key not in ("date", "appId")]):
        raise _invalid(f"Invalid keys: {','.join(unknown)}")
    if app not in enabled(settings, account):
        code = FORBIDDEN if settings.user_level_disabled == FORBIDDEN else "invalid_query"
        raise RefusedError(code, f"The user level report is not enabled for app {app}")
    _check_day(day, settings, today)
    return UserLevelQuestion(day, app)


def accept(query: Any, formats: Sequence[str], *, owner: Owner, at: datetime, settings: DtSettings) -> Accepted:
    """What `read` reads at `at`, and what makes the answer to it as of a moment.

    Raises:
        RefusedError: As `read` does.
    """
    asked = read(query, formats, settings=settings, today=at.date(), account=owner.account)

    def made(order: str, moment: datetime) -> Table:
        return answer(asked.day, [asked.app], owner=owner, at=moment, settings=settings, order=order)

    return asked.subject, made


def out_at(day: date, settings: DtSettings) -> datetime:
    """When the data of `day` is out (UL2)."""
    return datetime.combine(day + timedelta(days=1), time(settings.user_level_out_hour), UTC) + settings.late_by(day)


def subject(query: Any) -> Subject | None:
    """What a query is about; None where it is malformed."""
    try:
        return UserLevelQuestion(date.fromisoformat(query["date"]), query["appId"]).subject
    except (TypeError, KeyError, ValueError):
        return None


def enabled(settings: DtSettings, account: str = ORDINARY) -> list[str]:
    """The apps that an account may ask for now (UL3)."""
    return [app for app in apps_of(account) if app not in settings.user_level_disabled_apps]


def answer(
    day: date, apps: Sequence[str], *, owner: Owner, at: datetime, settings: DtSettings, order: str = ""
) -> Table:
    """The honest answer for `apps` on `day` requested at `at`; `order` seeds how its rows are shuffled (DT8)."""
    known = version(day, at, settings)
    world = UserWorld(
        seed=owner.seed,
        final_version=max(1, settings.user_level_restate_days),
        empty_day_one_in=settings.empty_day_one_in,
        empty_days=settings.empty_days,
        missing_one_in=settings.missing_one_in,
        huge_one_in=0,
        huge=settings.user_level_huge,
        rows_factor=float(settings.user_level_rows_factor),
    )
    rows: list[list[str]] = []
    users = _users(owner)
    for app in apps if known is not None else ():
        for fact in user_facts(world, users[app], day, known if known is not None else EARLY):
            masked = fact.user == MASKED
            rows.append(
                [
                    day.isoformat(),
                    "" if masked and settings.user_level_masked_app == "empty" else app,
                    fact.country,
                    _masked(settings.user_level_masked) if masked else fact.user,
                    fact.placement,
                    fact.format,
                    printed(fact.impressions, settings.floats),
                    printed(fact.revenue, settings.floats),
                ]
            )
            if masked and settings.user_level_masked_apart:
                rows.append([*rows[-1][:-2], "1", printed(0.25, settings.floats)])
    rng = Random(f"{owner.seed}|{day}|{apps}|{order}")
    rows.sort(key=lambda _: rng.random())
    names = _FYBER if settings.user_level_headers == "fyber" else {}
    header = [names.get(name, name) for name in _COLUMNS]
    return Table(header, rows, settings.line_end, entity=header[1])


def _masked(how: str) -> str:
    return {"empty": MASKED, "zeros": ZEROS, "bare zeros": ZEROS.replace("-", "")}.get(how, how)


def version(day: date, at: datetime, settings: DtSettings) -> int | None:
    """Which version of `day` is known at `at`; None when nothing is yet, or is no longer (UL2)."""
    age = (at.date() - day).days
    if age > settings.user_level_reach_days and settings.user_level_old == "empty":
        return None
    if at < out_at(day, settings):
        return EARLY if settings.early == "partial" and age > 0 else None
    return min(age, max(1, settings.user_level_restate_days))


def _invalid(description: str) -> RefusedError:
    return RefusedError("invalid_query", description)


def _text(body: dict[str, Any], key: str, kind: str) -> str:
    if key not in body:
        raise _invalid(f"Invalid value undefined supplied to : Query/{key}: {kind}")
    value = body[key]
    if not isinstance(value, str):
        raise _invalid(f'Invalid value "{value}" supplied to : Query/{key}: {kind}')
    return value


def _day(text: str) -> date:
    if ISO_DAY.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass
    raise _invalid(f'Invalid value "{text}" supplied to : Query/date: Date')


def _check_day(day: date, settings: DtSettings, today: date) -> None:
    """UL2; that the current day cannot be had follows from when a day is out (A)."""
    if day < FIRST_DAY:
        raise _invalid(f"Invalid date: before {FIRST_DAY}")
    if day >= today:
        raise _invalid("Invalid date: it must be before the current date")
    if (today - day).days > settings.user_level_reach_days and settings.user_level_old == "refused":
        raise _invalid(f"Invalid date: more than {settings.user_level_reach_days} days ago")
