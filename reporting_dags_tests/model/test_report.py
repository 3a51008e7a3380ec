"""Declarations are checked where they stand: wrong ones fail at load, in one line."""

from datetime import timedelta
from typing import Any, cast

import pyarrow as pa
import pytest

from reporting_dags.model.column import (
    MONEY,
    Column,
    Kind,
    TimeForm,
    day,
    identity,
    measure,
    money,
    ratio,
    snake_case,
    timestamp,
)
from reporting_dags.model.days import Calendar
from reporting_dags.model.errors import DeclarationError
from reporting_dags.model.report import Report


def declare(
    *columns: Column, grain: tuple[str, ...] = ("App",), window_days: int = 7, timezone: str = "UTC", **calendar: Any
) -> None:
    Report(
        provider="some_network",
        name="earnings",
        query=None,
        columns=columns,
        grain=grain,
        calendar=Calendar(timezone=timezone, **calendar),
        window_days=window_days,
    )


GOOD = (day("Date"), identity("App", "app"), money("Revenue", "earned", currency="USD"))


@pytest.mark.parametrize("name", ["by campaign", "by/campaign", "", "ä"])
def test_a_name_that_dagster_would_not_take_is_refused(name: str) -> None:
    with pytest.raises(DeclarationError, match=r"name: .* may contain only letters, digits and underscores"):
        Report(
            provider="p",
            name=name,
            query=None,
            columns=GOOD,
            grain=("App",),
            calendar=Calendar(),
            window_days=1,
        )


def test_a_good_declaration_is_accepted() -> None:
    declare(*GOOD)


@pytest.mark.parametrize(
    ("columns", "settings", "says"),
    [
        ((), {}, "columns: has none"),
        ((*GOOD, identity("App", "again")), {}, "columns: app is duplicated"),
        ((*GOOD, identity("APP ", "same name")), {}, "columns: app is duplicated"),
        (GOOD[1:], {}, "columns: needs exactly one day column, has 0"),
        ((*GOOD, day("Day")), {}, "columns: needs exactly one day column, has 2"),
        ((*GOOD[:2], money("Revenue", "earned")), {}, "'Revenue' needs either a currency or a currency column"),
        ((*GOOD[:2], money("Revenue", "earned", currency_from="Currency")), {}, "'Currency', which is not a column"),
        (
            (*GOOD[:2], Column(header="Revenue", kind=Kind.MONEY, type=pa.float64(), currency="USD")),
            {},
            "must be a decimal, is double",
        ),
        (GOOD, {"grain": ("Country",)}, "grain: 'Country' is not a column"),
        (GOOD, {"grain": ("Revenue",)}, "grain: 'Revenue' is a money, not an identity"),
        (GOOD, {"timezone": "Mars/Olympus"}, "calendar.timezone: 'Mars/Olympus' is not an IANA time zone"),
        (GOOD, {"timezone": 5}, "calendar.timezone: 5 is not an IANA time zone"),
        (GOOD, {"restated_at": 1}, "restated_at: 1 is not a tuple of ages in days"),
        (GOOD, {"restated_at": ("1",)}, "restated_at: ('1',) is not a tuple of ages in days"),
        (GOOD, {"publish_delay": 6}, "publish_delay: 6 is not a duration"),
        (GOOD, {"window_days": 0}, "window_days: is 0"),
        ((*GOOD, timestamp("At", "", forms=())), {}, "columns: 'At': forms: () is not a tuple"),
        (
            (*GOOD, timestamp("At", "", forms=cast("Any", "ISO text"))),
            {},
            "columns: 'At': forms: 'ISO text' is not a tuple",
        ),
        (
            (*GOOD, timestamp("At", "", forms=cast("Any", ("epoch",)))),
            {},
            "columns: 'At': forms: ('epoch',) is not a tuple",
        ),
        (
            (*GOOD, timestamp("At", "", forms=(TimeForm.HOUR, TimeForm.UNIX_SECONDS))),
            {},
            "columns: 'At': forms: Unix seconds and YYYYMMDDHH both have ten digits. Fix: declare only the one",
        ),
        ((*GOOD, timestamp("At", "", day_tolerance=cast("Any", 5))), {}, "'At': day_tolerance: 5 is not a duration"),
        (
            (*GOOD, timestamp("At", "", day_tolerance=timedelta(-1))),
            {},
            "'At': day_tolerance: datetime.timedelta(days=-1)",
        ),
    ],
)
def test_a_wrong_declaration_names_file_report_and_field(
    columns: tuple[Column, ...], settings: dict[str, object], says: str
) -> None:
    with pytest.raises(DeclarationError) as caught:
        declare(*columns, **settings)  # pyright: ignore[reportArgumentType]
    line = str(caught.value)
    assert line.startswith("reports/some_network.py: some_network/earnings: ")
    assert says in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("DT Publisher App ID", "dt_publisher_app_id"),
        ("extra_params.keys", "extra_params_keys"),
        ("Avg. Offers per Container", "avg_offers_per_container"),
        ("OFW Unique Users", "ofw_unique_users"),
        ("Revenue (USD)", "revenue_usd"),
        ("integrationID", "integration_id"),
    ],
)
def test_columns_are_named_as_the_provider_does_in_snake_case(header: str, name: str) -> None:
    assert snake_case(header) == name


def test_the_schema_leaves_the_day_to_the_partition_and_carries_its_facts() -> None:
    report = Report(
        provider="p",
        name="r",
        query=None,
        columns=(*GOOD, measure("Clicks", "clicks", unit="clicks"), ratio("CTR", "ctr", unit="%")),
        grain=("App",),
        calendar=Calendar(),
        window_days=1,
    )
    assert report.schema.names == ["app", "revenue", "clicks", "ctr"]
    assert report.schema.field("revenue").type == MONEY
    metadata = report.schema.field("revenue").metadata
    assert metadata is not None
    assert metadata[b"currency"] == b"USD"
