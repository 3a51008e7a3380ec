"""The columns of Digital Turbine's User Level API (UL1, UL2, UL4), and its report declaration."""

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
"""The values instead of an advertising id in rows that aggregate users whose ids may not be shown (UL4)."""

COLUMNS = (
    day("Date", aliases=("Day",)),
    identity(APP, "DT's id of the publisher's app", aliases=("Fyber App ID", "DT App ID", "AppID", "appId")),
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
    catch_all("Other Columns", "All undeclared columns of the report, as a JSON object of texts"),
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
    """The query: it has no parameters but date and app. The response has all dimensions of the API (UL1)."""

    def scope(self) -> QueryScope:
        """Return the scope, which consists only of columns and apps."""
        return QueryScope()


def user_level_report(
    *,
    name: str,
    columns: Sequence[Column] = COLUMNS,
    restated_at: tuple[int, ...] = (),
    publish_delay: timedelta = timedelta(hours=12),
    description: str = "",
    none_texts: tuple[str, ...] = (),
) -> Report:
    """Declare a User Level report.

    Args:
        name: second part of the asset key `dt_user_level/<name>`.
        columns: the columns of the file, by header, with the other headers that they may have (UL4).
        restated_at: ages in days at which a day is pulled again, within the retention of ten days.
        publish_delay: time from the end of a day (UTC) until its data is published (UL2).
        description: description of the report for the UI and the data dictionary.
        none_texts: texts that mean "no value" in number columns, such as "--".

    Raises:
        DeclarationError: an argument is invalid; names file, report and field.
    """
    return Report(
        provider=PROVIDER,
        name=name,
        query=UserLevelQuery(),
        columns=tuple(replace(column, documented=_is_documented(column)) for column in columns),
        grain=tuple(column.header for column in columns if column.kind is Kind.IDENTITY),
        # The documentation names neither the columns nor how masked users are aggregated (UL4).
        grain_promised=False,
        calendar=Calendar(
            timezone="UTC",
            publish_delay=publish_delay,
            restated_at=restated_at,
            first_day=date(2020, 2, 16),
            retention_days=10,
        ),
        window_days=1,
        # The content of undeclared columns is not documented: a value may contain line breaks.
        format=DelimitedText(multiline=True),
        entity=APP,
        variable="DT_USER_LEVEL_APP_IDS",
        description=description,
        none_texts=none_texts,
    )


def _is_documented(column: Column) -> bool:
    """Return whether the documentation names the column (UL1), or it is derived.

    Of the dimensions, it names only date and app.
    """
    return column.kind is not Kind.IDENTITY or column.header == APP or column.catch_all
