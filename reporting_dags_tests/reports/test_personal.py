"""What tells of a person is declared so in every report that ships, and kept as it came only where that is asked."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pyarrow.parquet as pq
import pytest

from reporting_dags.model.column import identity, snake_case
from reporting_dags.model.days import SNAPSHOT
from reporting_dags.model.privacy import PersonalData, Privacy, looks_personal
from reporting_dags.model.report import Report
from reporting_dags.reports.dt_offer_wall import EVENT
from reporting_dags.reports.network import NETWORK
from reporting_dags.reports.registry import all_reports
from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.pulling import BenchOf, landed

TELLING = re.compile(
    r"e_?mail|(^|_)ips?(_|$)|ip_?addr|idf[av]|(^|_)(g|o|a|m|w)?aid(_|$)|gps_adid|imei|meid|imsi|android_?id|udid"
    r"|(device|advertis(ing|er)|ad|user|customer|visitor|player)_?(guid|uuid|ifa|identifier)|(device|advertising|user)_?id"
    r"|(^|_)ifa(_|$)|mac_?addr|finger_?print|phone|msisdn|cookie|user_?name|(first|last|full)_?name|birth|gender|postal"
    r"|messenger|(^|_)(lat|long|lon|latitude|longitude)(_|$)|user_?agent"
)
MEANING = re.compile(
    r"e-?mail|IP address|of the (user|browser|device|contact|visitor)\b|user's|advertising id|device id|telephone"
    r"|fingerprint|messenger",
    re.IGNORECASE,
)
_PLACE = "coarse: a city or district that many people share"
_KIND = "of a kind of software or device that many people use"
_CONTACT = "a business partner's own entry, made to be contacted by the network; the e-mail alone joins to other data"
NOT_PERSONAL = {
    "Country": _PLACE,
    "country": _PLACE,
    "Location": _PLACE,
    "city": _PLACE,
    "lat": "of the place that the address is looked up to, a city: " + _PLACE,
    "long": "of the place that the address is looked up to, a city: " + _PLACE,
    "postal_code": "of the place that the address is looked up to: " + _PLACE,
    "device": "kind of device, not which one",
    "device_type": "kind of device, not which one",
    "asn": "a whole provider's network",
    "browser_language": _KIND,
    "browser_name": _KIND,
    "browser_timezone": _KIND,
    "browser_version": _KIND,
    "os_version": _KIND,
    "user_agent": _KIND,
    "server_ip": "of the advertiser's server, not of a person",
    "first_name": _CONTACT,
    "last_name": _CONTACT,
    "phone": _CONTACT,
    "messenger": _CONTACT,
    "manager_name": "of the network's own staff, as shown to every partner",
}
"""Columns whose name or meaning speaks of a person or a device, and why they are kept as they come."""

WITH_PERSONS = [report for report in all_reports() if any(column.personal for column in report.columns)]
KEY = "a key of our own"


def untold(report: Report) -> Iterator[str]:
    """A line for each column that tells of a person and is neither declared so nor known not to."""
    for column in report.columns:
        names = (column.header, *column.aliases)
        telling = any(TELLING.search(snake_case(name)) or looks_personal(name) for name in names)
        known = column.personal is not None or column.flags is not None or column.header in NOT_PERSONAL
        if not known and (telling or MEANING.search(column.meaning)):
            yield (
                f"{report.key}: {column.header!r} tells of a person: declare it personal=Personal.…, "
                "or say in NOT_PERSONAL why it is not"
            )


@pytest.mark.rule("UL4", "IN9")
@pytest.mark.parametrize("report", [*all_reports(), NETWORK], ids=lambda report: report.key)
def test_every_column_that_tells_of_a_person_is_declared_so(report: Report) -> None:
    assert list(untold(report)) == []


def test_every_exception_is_a_column_that_there_is_and_not_declared_personal() -> None:
    columns = {column.header: column for report in all_reports() for column in report.columns}
    assert sorted(set(NOT_PERSONAL) - set(columns)) == []
    assert [header for header in NOT_PERSONAL if columns[header].personal] == []


@pytest.mark.parametrize(
    "header",
    [
        "GAID", "Google Advertising ID", "idfa", "oaid", "IMEI", "Android ID", "androidId", "device_ifa", "User ID",
        "userId", "maid", "Client IP", "ip", "visitor.ip", "E-Mail", "contact_email", "Browser Fingerprint",
        "phone_number",
        "device guid", "advertiser identifier", "mac address", "msisdn",
    ],
)  # fmt: skip
def test_a_new_column_that_tells_of_a_person_fails_in_one_line(header: str) -> None:
    new = replace(EVENT, columns=(*EVENT.columns, identity(header, "")))
    (line,) = untold(new)
    assert line.startswith(f"dt_offer_wall/event: {header!r} tells of a person: declare it personal=")
    assert "\n" not in line


def test_a_new_column_is_known_by_its_meaning_or_another_of_its_names_too() -> None:
    columns = (identity("x1", "Advertising id of the device"), identity("x2", "", aliases=("Device ID",)))
    assert len(list(untold(replace(EVENT, columns=(*EVENT.columns, *columns))))) == 2


def test_what_is_declared_personal_is_text_so_that_it_can_be_hashed() -> None:
    kinds = {str(column.type) for report in all_reports() for column in report.columns if column.personal}
    assert kinds == {"string"}


@pytest.mark.parametrize("report", WITH_PERSONS, ids=lambda report: report.key)
@pytest.mark.parametrize(
    ("privacy", "pattern"),
    [
        (Privacy(), r"[0-9a-f]{64}"),
        (Privacy(key=KEY), r"[0-9a-f]{64}"),
        (Privacy(PersonalData.KEEP), None),
        (Privacy(PersonalData.DROP), r"nothing is kept"),
    ],
    ids=["hash", "hash with a key", "keep", "drop"],
)
def test_a_landed_file_holds_of_a_person_what_the_policy_says(
    bench_of: BenchOf, sandbox: Sandbox, report: Report, privacy: Privacy, pattern: str | None
) -> None:
    sandbox.settings.change("dt", empty_day_one_in=0)
    sandbox.settings.change("integr8", empty_day_one_in=0)
    context = bench_of(report.provider)
    day = date(2026, 11, 18) if report.partitioned else SNAPSHOT
    landed(context, replace(report, privacy=privacy), [day])
    with context.data.open(report.file(day)) as file:
        table = pq.ParquetFile(file).read()
    sent = sandbox.truth(report.key, day)
    for column in (column for column in report.columns if column.personal):
        values = {value for value in table.column(column.name).to_pylist() if value}
        texts = {row[name] for row in sent for name in (column.header, *column.aliases) if row.get(name)}
        assert texts, f"{column.header} is empty in every row: nothing would be shown"
        if pattern is None:
            assert values == texts
        else:
            assert [value for value in values if not re.fullmatch(pattern, value)] == []
            assert len(values) == (0 if privacy.mode is PersonalData.DROP else len(texts))
