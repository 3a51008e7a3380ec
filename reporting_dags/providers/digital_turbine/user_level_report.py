"""What Digital Turbine's User Level API answers (UL1, UL2, UL4), and a declaration of it as a report."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from reporting_dags.model.column import Column, Kind, catch_all, day, flag, identity, measure, money
from reporting_dags.model.days import Calendar
from reporting_dags.model.format import DelimitedText
from reporting_dags.model.privacy import Personal
from reporting_dags.model.report import Report
from reporting_dags.model.scope import QueryScope

PROVIDER = "dt_user_level"
APP = "App ID"
ADVERTISING_ID = "Advertising ID"
MASKED = ("", "00000000-0000-0000-0000-000000000000", "0", "N/A", "unknown")
"""What stands for an advertising id where a row aggregates users who may not be told apart (UL4)."""

COLUMNS = (
    day("Date", aliases=("Day",)),
    identity(APP, "The publisher's app, as DT numbers it", aliases=("Fyber App ID", "DT App ID", "AppID", "appId")),
    identity("Country", "Country of the user", aliases=("Country Code", "Country Name")),
    identity(
        ADVERTISING_ID,
        "Advertising id of the user's device (IDFA, GAID)",
        aliases=("Advertising Id", "Device ID", "IDFA/GAID", "User ID"),
        personal=Personal.DEVICE,
    ),
    flag(
        "Masked",
        "Whether the row aggregates users without an advertising id",
        of=ADVERTISING_ID,
        texts=MASKED,
        masks=True,
    ),
    catch_all("Other Columns", "Every further column of the report, as a JSON object of texts"),
    measure("Impressions", "Ads shown", unit="impressions", aliases=("Ad Impressions",)),
    money(
        "Revenue",
        "What the publisher earned",
        currency="USD",
        aliases=("Revenue (USD)", "Publisher Revenue", "Publisher Revenue (USD)"),
    ),
)


@dataclass(frozen=True, slots=True)
class UserLevelQuery:
    """Date and app are all that the API can be requested; it answers every dimension that it has (UL1)."""

    def scope(self) -> QueryScope:
        """Nothing but columns and apps."""
        return QueryScope()


def user_level_report(
    *,
    name: str,
    columns: Sequence[Column] = COLUMNS,
    restated_at: tuple[int, ...] = (),
    published_after: timedelta = timedelta(hours=12),
    description: str = "",
    none_texts: tuple[str, ...] = (),
) -> Report:
    """Declare a User Level report.

    Args:
        name: of the asset: `dt_user_level/<name>`.
        columns: those that the file has, by header, with the other names under which they may stand (UL4).
        restated_at: ages in days at which a day is worth pulling again, within the ten days of reach.
        published_after: from the end of a day (UTC) until its data is published (UL2).
        description: for the UI and the data dictionary.
        none_texts: texts that mean no value in columns of numbers, such as "--".

    Raises:
        DeclarationError: naming file, report and field.
    """
    return Report(
        provider=PROVIDER,
        name=name,
        query=UserLevelQuery(),
        columns=tuple(replace(column, documented=_is_documented(column)) for column in columns),
        grain=tuple(column.header for column in columns if column.kind is Kind.IDENTITY),
        # The document names neither the columns nor what becomes of users who may not be told apart (UL4).
        grain_promised=False,
        calendar=Calendar(
            timezone="UTC",
            publish_delay=published_after,
            restated_at=restated_at,
            first_day=date(2020, 2, 16),
            retention_days=10,
        ),
        window_days=1,
        # What the further columns hold is not documented: a name may well span lines.
        format=DelimitedText(multiline=True),
        entity=APP,
        variable="DT_USER_LEVEL_APP_IDS",
        description=description,
        none_texts=none_texts,
    )


def _is_documented(column: Column) -> bool:
    """Whether the document names the column (UL1), or it is one of our own: of dimensions it names date and app."""
    return column.kind is not Kind.IDENTITY or column.header == APP or column.catch_all
