"""The query and the columns of Mintegral's Advanced Performance API (MT4 to MT7), and its report declaration."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from reporting_dags.model.column import Column, Kind, RatioOf, TimeForm, day, identity, measure, money, ratio, timestamp
from reporting_dags.model.days import Calendar, Window
from reporting_dags.model.format import DelimitedText
from reporting_dags.model.report import Report, declaration_error, require_known
from reporting_dags.model.scope import QueryScope

PROVIDER = "mintegral"
GRANULARITIES = ("daily", "hourly")
MAX_WINDOW_DAYS = 7

DIMENSIONS: dict[str, tuple[Column, ...]] = {
    "Offer": (
        identity("Offer Id", "The advertiser's offer"),
        identity("Offer Uuid", "Unique offer name, created by Mintegral"),
        identity("Offer Name", "Name of the offer"),
    ),
    "Campaign": (identity("Campaign Id", "The advertiser's campaign"),),
    "CampaignPackage": (identity("Campaign Package", "Package name of the advertised app"),),
    "Creative": (
        identity("Creative Id", "The creative", aliases=("Creative ID",)),
        identity("Creative Name", "File name of the creative"),
    ),
    "AdType": (identity("Ad Type", "Ad format, such as banner"),),
    "Sub": (identity("Sub Id", "Unique id of the publisher's app (mtgid)"),),
    "Package": (identity("Package Name", "Package name of the publisher's app"),),
    "Location": (identity("Location", "Country of the user, as a two-letter code"),),
    "Endcard": (
        identity("Endcard ID", "The end card", aliases=("Endcard Id",)),
        identity("Endcard Name", "File name of the end card"),
    ),
    "AdOutputType": (identity("Ad Output Type", "standard, dynamic (included) or playable (included)"),),
}
TIME_FORMS = (TimeForm.UNIX_SECONDS, TimeForm.TEXT)
"""Formats of `Timestamp`: the documentation says integer, such as 1650270348 (MT6); an ISO text is unambiguous."""
_CONTROL_DIMENSION = "AdType"
"""The dimension with the fewest values, for the control query: at least one dimension is required (MT5)."""
CURRENCY = identity("Currency", "Currency of the row's money: USD or CNY")
CURRENCIES = ("USD", "CNY")
"""The currencies that the documentation names (MT6)."""
METRICS = (
    CURRENCY,
    measure("Impression", "Ads shown", unit="impressions"),
    measure("Click", "Ads clicked", unit="clicks"),
    measure("Conversion", "Installs or other goals reached", unit="conversions"),
    ratio("Ecpm", "Spend per thousand impressions", unit="currency", ratio_of=RatioOf("Spend", "Impression", 1000)),
    ratio("Cpc", "Spend per click", unit="currency", ratio_of=RatioOf("Spend", "Click")),
    ratio("Ctr", "Clicks per impression", unit="%", ratio_of=RatioOf("Click", "Impression", 100)),
    ratio("Cvr", "Conversions per click", unit="%", ratio_of=RatioOf("Conversion", "Click", 100)),
    ratio("Ivr", "Conversions per impression", unit="%", ratio_of=RatioOf("Conversion", "Impression", 100)),
    money("Spend", "What the advertiser spent", currency_from="Currency", currencies=CURRENCIES),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvancedPerformanceQuery:
    """The parameters of a report, without its dates. The same parameters identify the same job (MT2)."""

    dimensions: tuple[str, ...]
    granularity: str
    timezone: str

    def scope(self) -> QueryScope:
        """Return the scope: all rows. Dimensions and the hour are columns."""
        return QueryScope()

    def params(self, window: Window) -> dict[str, str]:
        """Return the query parameters for `window`; both dates are inclusive (MT4, MT5)."""
        return {
            "start_time": window.first.isoformat(),
            "end_time": window.last.isoformat(),
            "timezone": self.timezone,
            "dimension_option": ",".join(self.dimensions),
            "time_granularity": self.granularity,
        }


def advanced_performance_report(
    *,
    name: str,
    dimensions: Sequence[str],
    granularity: str = "daily",
    timezone: str = "+0",
    currencies: Sequence[str] = CURRENCIES,
    restated_at: tuple[int, ...] = (),
    publish_delay: timedelta = timedelta(minutes=90),
    time_forms: tuple[TimeForm, ...] = TIME_FORMS,
    description: str = "",
    none_texts: tuple[str, ...] = (),
) -> Report:
    """Declare an Advanced Performance report.

    Args:
        name: second part of the asset key `mintegral/<name>`.
        dimensions: at least one of `DIMENSIONS` (MT5).
        granularity: "daily" or "hourly".
        timezone: offset from UTC in full hours, in which days begin and end: "+0", "+8", "-5" (MT4).
        currencies: the currency codes that are allowed in `Currency`.
        restated_at: ages in days at which a day is pulled again.
        publish_delay: time from the end of a day in that time zone until its data is published (MT7).
        time_forms: the formats of `Timestamp` in an hourly report; each hour must be within its row's day (MT6).
        description: description of the report for the UI and the data dictionary.
        none_texts: texts that mean "no value" in number columns, such as "--".

    Raises:
        DeclarationError: an argument is invalid, or the API refuses the combination; names file, report and field.
    """
    if isinstance(dimensions, str):
        raise declaration_error(PROVIDER, name, "dimensions", f"is the text {dimensions!r}. Fix: write a list of names")
    require_known(PROVIDER, name, "dimensions", dimensions, DIMENSIONS)
    require_known(PROVIDER, name, "granularity", [granularity], GRANULARITIES)
    if not dimensions:
        raise declaration_error(PROVIDER, name, "dimensions", "is empty; a query needs at least one (MT5)")
    for dimension in ("Creative", "Endcard"):
        for other in ("Sub", "Package"):
            if dimension in dimensions and other in dimensions:
                why = f"{dimension} cannot be combined with {other} (MT5)"
                raise declaration_error(PROVIDER, name, "dimensions", why)
        if dimension in dimensions and granularity == "hourly":
            raise declaration_error(PROVIDER, name, "granularity", f"{dimension} cannot be requested by hour (MT5)")
    if isinstance(currencies, str) or not all(re.fullmatch("[A-Z]{3}", str(code)) for code in currencies):
        raise declaration_error(PROVIDER, name, "currencies", f"{currencies!r} is not a list of codes such as 'USD'")
    metrics = [
        replace(column, currencies=tuple(currencies)) if column.kind is Kind.MONEY else column for column in METRICS
    ]
    columns = [column for dimension in dimensions for column in DIMENSIONS[dimension]]
    hours = (
        (timestamp("Timestamp", "Start of the hour", forms=time_forms, day_tolerance=timedelta()),)
        if granularity == "hourly"
        else ()
    )
    keys = [*hours, *columns, CURRENCY]
    report = Report(
        provider=PROVIDER,
        name=name,
        query=AdvancedPerformanceQuery(dimensions=tuple(dimensions), granularity=granularity, timezone=timezone),
        columns=(day("Date"), *hours, *columns, *metrics),
        grain=tuple(column.header for column in keys),
        calendar=Calendar(
            timezone=_zone(name, timezone),
            publish_delay=publish_delay,
            restated_at=restated_at,
            retention_months=6,
        ),
        window_days=MAX_WINDOW_DAYS,
        format=DelimitedText(delimiter="\t", quoted=False),
        hour=hours[0].header if hours else "",
        entity=next((column.header for column in columns if column.kind is Kind.IDENTITY), ""),
        description=description,
        none_texts=none_texts,
    )
    control_query = replace(report.query, dimensions=(_CONTROL_DIMENSION,), granularity="daily")
    control_columns = DIMENSIONS[_CONTROL_DIMENSION]
    control_grain = (*(column.header for column in control_columns), CURRENCY.header)
    return report.with_control(control_query, (day("Date"), *control_columns, *metrics), grain=control_grain)


def _zone(name: str, offset: str) -> str:
    """Return the IANA time zone of an offset from UTC in full hours."""
    is_offset = re.fullmatch(r"[+-]\d{1,2}", str(offset))
    hours = int(offset) if is_offset else 99
    if not -12 <= hours <= 14:
        raise declaration_error(
            PROVIDER, name, "timezone", f"{offset!r} is not an offset in hours such as +0 or +8 (MT4)"
        )
    # POSIX signs: Etc/GMT-8 is eight hours ahead of UTC (UTC+8).
    return f"Etc/GMT{-hours:+d}" if hours else "UTC"
