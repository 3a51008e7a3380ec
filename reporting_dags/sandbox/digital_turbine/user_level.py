"""The User Level report: its request, the validation, and the table of its file (UL1 to UL5)."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any, cast

from reporting_dags.sandbox.data_owner import ORDINARY, DataOwner
from reporting_dags.sandbox.digital_turbine.facts import PRELIMINARY
from reporting_dags.sandbox.digital_turbine.report_request import RefusedError
from reporting_dags.sandbox.digital_turbine.report_table import cell_text
from reporting_dags.sandbox.digital_turbine.settings import DtSettings
from reporting_dags.sandbox.digital_turbine.user_level_facts import FIRST_DAY, MASKED, USERS, UserDataset, user_facts
from reporting_dags.sandbox.endpoint import Subject
from reporting_dags.sandbox.table import Table

API = "user-level-data"
REPORT = "dt_user_level/revenue"
SOURCE = "user_level"
"""The source of the report for faults: it has no sources of its own."""
USER_LEVEL_APPS = tuple(USERS)
"""The apps for which the report is enabled, in the account `ordinary`."""
FORBIDDEN = "forbidden"
ZEROS = "00000000-0000-0000-0000-000000000000"
ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)

AcceptedRequest = tuple[Subject, Callable[[str, datetime], Table]]
"""The subject of a valid request, and a function that builds its table from the seed of the row order and a time."""

_COLUMNS = ("Date", "App ID", "Country", "Advertising ID", "Placement ID", "Ad Format", "Impressions", "Revenue")
_FYBER = {"App ID": "Fyber App ID", "Revenue": "Revenue (USD)"}


@dataclass(frozen=True)
class UserLevelRequest:
    """A valid request: one app on one day (UL1)."""

    day: date
    app: str

    @property
    def subject(self) -> Subject:
        """The source and the day, by which faults are selected."""
        return Subject(SOURCE, self.day, self.day)


def apps_of(account: str) -> tuple[str, ...]:
    """Return the apps of an account for which the report is enabled, unless the settings disable them."""
    return tuple(_model_apps(DataOwner(account, 0)))


def _model_apps(owner: DataOwner) -> dict[str, str]:
    """Return the apps of the account, each with the app in `USERS` that has its data."""
    return {owner.text(app): app for app in USERS}


def parse(
    query: Any, formats: Sequence[str], *, settings: DtSettings, today: date, account: str = ORDINARY
) -> UserLevelRequest:
    """Return the request in the JSON value `query` and the `format` parameters of the URL.

    Raises:
        RefusedError: it is not valid (UL1, UL2, UL3).
    """
    # A: csv is the only format, and the default.
    if any(name != "csv" for name in formats):
        raise _invalid("Invalid file format requested")
    if not isinstance(query, dict):
        raise _invalid("Invalid value undefined supplied to : Query")
    body = cast("dict[str, Any]", query)
    day = _day(_text(body, "date", "Date"))
    app = _text(body, "appId", "string")
    if not settings.user_level_extra_keys and (unknown := [key for key in body if key not in ("date", "appId")]):
        raise _invalid(f"Invalid keys: {','.join(unknown)}")
    if app not in enabled_apps(settings, account):
        code = FORBIDDEN if settings.user_level_disabled == FORBIDDEN else "invalid_query"
        raise RefusedError(code, f"The user level report is not enabled for app {app}")
    _check_day(day, settings, today)
    return UserLevelRequest(day, app)


def accept_request(
    query: Any, formats: Sequence[str], *, owner: DataOwner, at: datetime, settings: DtSettings
) -> AcceptedRequest:
    """Parse the request at `at`, and return it with a function that builds its table.

    Raises:
        RefusedError: see `parse`.
    """
    request = parse(query, formats, settings=settings, today=at.date(), account=owner.account)

    def build(order_seed: str, moment: datetime) -> Table:
        return build_table(request.day, [request.app], owner=owner, at=moment, settings=settings, order_seed=order_seed)

    return request.subject, build


def published_at(day: date, settings: DtSettings) -> datetime:
    """Return when the data of `day` is published (UL2)."""
    return datetime.combine(day + timedelta(days=1), time(settings.user_level_out_hour), UTC) + settings.late_by(day)


def subject(query: Any) -> Subject | None:
    """Return the subject of a request body; None if it is invalid."""
    try:
        return UserLevelRequest(date.fromisoformat(query["date"]), query["appId"]).subject
    except (TypeError, KeyError, ValueError):
        return None


def enabled_apps(settings: DtSettings, account: str = ORDINARY) -> list[str]:
    """Return the apps that an account can request now (UL3)."""
    return [app for app in apps_of(account) if app not in settings.user_level_disabled_apps]


def build_table(
    day: date, apps: Sequence[str], *, owner: DataOwner, at: datetime, settings: DtSettings, order_seed: str = ""
) -> Table:
    """Return the correct table for `apps` on `day` at `at`. `order_seed` is part of the seed of the row order (DT8)."""
    known = version(day, at, settings)
    dataset = UserDataset(
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
    users = _model_apps(owner)
    for app in apps if known is not None else ():
        for fact in user_facts(dataset, users[app], day, known if known is not None else PRELIMINARY):
            masked = fact.user == MASKED
            rows.append(
                [
                    day.isoformat(),
                    "" if masked and settings.user_level_masked_app == "empty" else app,
                    fact.country,
                    _masked_id(settings.user_level_masked) if masked else fact.user,
                    fact.placement,
                    fact.format,
                    cell_text(fact.impressions, settings.floats),
                    cell_text(fact.revenue, settings.floats),
                ]
            )
            if masked and settings.user_level_masked_apart:
                rows.append([*rows[-1][:-2], "1", cell_text(0.25, settings.floats)])
    rng = Random(f"{owner.seed}|{day}|{apps}|{order_seed}")
    rows.sort(key=lambda _: rng.random())
    names = _FYBER if settings.user_level_headers == "fyber" else {}
    header = [names.get(name, name) for name in _COLUMNS]
    return Table(header, rows, settings.line_end, entity=header[1])


def _masked_id(how: str) -> str:
    return {"empty": MASKED, "zeros": ZEROS, "bare zeros": ZEROS.replace("-", "")}.get(how, how)


def version(day: date, at: datetime, settings: DtSettings) -> int | None:
    """Return the version of `day` at `at`; None if there is no data yet, or no data any more (UL2)."""
    age = (at.date() - day).days
    if age > settings.user_level_reach_days and settings.user_level_old == "empty":
        return None
    if at < published_at(day, settings):
        return PRELIMINARY if settings.early == "partial" and age > 0 else None
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
    """Check UL2. A: the current day is not available, because it is not published yet."""
    if day < FIRST_DAY:
        raise _invalid(f"Invalid date: before {FIRST_DAY}")
    if day >= today:
        raise _invalid("Invalid date: it must be before the current date")
    if (today - day).days > settings.user_level_reach_days and settings.user_level_old == "refused":
        raise _invalid(f"Invalid date: more than {settings.user_level_reach_days} days ago")
