"""One column of a report: the provider's header, the Arrow type in which it is stored, and its meaning."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

import pyarrow as pa

from reporting_dags.model.privacy import Personal

MONEY = pa.decimal128(38, 18)
"""The type of money and ratios: exact decimals, because providers send values such as 0.036300000000000006."""
TIMESTAMP = pa.timestamp("us", "UTC")
"""The type of times."""
MIXED = "XXX"
"""Currency of a money column whose rows have several currencies that the response does not name (ISO 4217: none)."""


class Kind(StrEnum):
    """The role of a column: decides whether it can be summed, and how it is checked and compared."""

    DAY = "day"
    IDENTITY = "identity"
    MEASURE = "measure"
    MONEY = "money"
    RATIO = "ratio"
    TIME = "time"
    FLAG = "flag"


class TimeForm(StrEnum):
    """The format of a time column. Digits are ambiguous, so each column declares its formats."""

    TEXT = "ISO text"
    """`2026-11-01T05:06:07Z` or `2026-11-01 05:06:07+02:00`; a time without an offset is in the report's time zone."""
    UNIX_SECONDS = "Unix seconds"
    UNIX_MILLISECONDS = "Unix milliseconds"
    HOUR = "YYYYMMDDHH"
    """The start of an hour in the report's time zone."""


@dataclass(frozen=True, slots=True)
class RatioOf:
    """The formula of a ratio over sums: `scale * sum(over) / sum(under)`; both are headers of the same report."""

    over: str
    under: str
    scale: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A declared column.

    Attributes:
        header: the provider's name of the column, as in the header line of the file.
        kind: the role of the column.
        type: the Arrow type in which it is stored.
        meaning: one line for the data dictionary.
        unit: unit of the values: "USD", "impressions", "%"; empty for identities.
        currency: ISO 4217 code, if all values have one currency. A money column needs this or `currency_from`.
        currency_from: header of the column that holds the currency of each row.
        currencies: the codes that are allowed in that column; empty allows any code.
        aliases: other headers that the provider may use for the column.
        personal: why the column is personal data; None if it is not.
        optional: whether the response may omit the column; its values are null then.
        documented: whether the provider's documentation names the column. If not, its header may be wrong: a day in
            which all of its values are empty gives a warning.
        ratio_of: for a ratio: the formula that computes it from sums.
        flags: for a flag: the header of the source column, and the texts for which the flag is true.
        masks: for a flag: whether it is also true for placeholder words, such as null, and for zeros.
        forms: for a time: the formats that the provider uses. Values in another format are refused.
        day_tolerance: for the time of a row's hour or event: how far it may be outside the row's day. None: any
            distance is allowed.
        additive: for a measure: whether values of several rows can be summed. Counts of unique users cannot.
        catch_all: whether the column holds all undeclared columns of the response, as one JSON object of texts.
    """

    header: str
    kind: Kind
    type: pa.DataType
    meaning: str = ""
    unit: str = ""
    currency: str | None = None
    currency_from: str | None = None
    currencies: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    personal: Personal | None = None
    optional: bool = False
    documented: bool = True
    ratio_of: RatioOf | None = None
    flags: tuple[str, tuple[str, ...]] | None = None
    masks: bool = False
    forms: tuple[TimeForm, ...] = (TimeForm.TEXT,)
    day_tolerance: timedelta | None = None
    # Not part of the repr: it does not decide whether a response can be parsed.
    additive: bool = field(default=True, repr=False)
    catch_all: bool = False

    @property
    def name(self) -> str:
        """The column name in Parquet files: the provider's header in snake_case."""
        return snake_case(self.header)


def snake_case(header: str) -> str:
    """Return `header` in snake_case: `DT Publisher App ID` → `dt_publisher_app_id`, `extra.keys` → `extra_keys`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", header)
    return re.sub(r"[^0-9a-zA-Z]+", "_", spaced).strip("_").lower()


def day(header: str, *, aliases: tuple[str, ...] = ()) -> Column:
    """Declare the day column: it becomes the partition and is not stored in the file."""
    return Column(header=header, kind=Kind.DAY, type=pa.date32(), meaning="Day of the report", aliases=aliases)


def identity(
    header: str,
    meaning: str,
    *,
    aliases: tuple[str, ...] = (),
    personal: Personal | None = None,
    optional: bool = False,
) -> Column:
    """Declare a text column that identifies a row. Ids are texts too, so that leading zeros and long ids are kept."""
    return Column(
        header=header,
        kind=Kind.IDENTITY,
        type=pa.string(),
        meaning=meaning,
        aliases=aliases,
        personal=personal,
        optional=optional,
    )


def integer(header: str, meaning: str, *, unit: str = "", aliases: tuple[str, ...] = ()) -> Column:
    """Declare a 64-bit integer that identifies a row or is a code; it is never summed."""
    return Column(header=header, kind=Kind.IDENTITY, type=pa.int64(), meaning=meaning, unit=unit, aliases=aliases)


def boolean(header: str, meaning: str) -> Column:
    """Declare a boolean column of the response."""
    return Column(header=header, kind=Kind.FLAG, type=pa.bool_(), meaning=meaning)


def flag(header: str, meaning: str, *, of: str, texts: tuple[str, ...], masks: bool = False) -> Column:
    """Declare a derived flag: true if the column `of` holds one of `texts`, compared without case and dashes.

    Args:
        header: header of the flag, from which its column name is made.
        meaning: one line for the data dictionary.
        of: header of the column that is compared.
        texts: the texts for which the flag is true.
        masks: whether the flag is also true for null, none, unknown, n/a and zeros.
    """
    return Column(header=header, kind=Kind.FLAG, type=pa.bool_(), meaning=meaning, flags=(of, texts), masks=masks)


def timestamp(
    header: str,
    meaning: str,
    *,
    aliases: tuple[str, ...] = (),
    forms: tuple[TimeForm, ...] = (TimeForm.TEXT,),
    day_tolerance: timedelta | None = None,
) -> Column:
    """Declare a time column, stored in UTC with microseconds.

    Args:
        header: the provider's name of the column.
        meaning: one line for the data dictionary.
        aliases: other headers that the provider may use for the column.
        forms: the formats that the provider uses; ISO text by default.
        day_tolerance: for the time of a row's hour or event: how far it may be outside the row's day; `timedelta()`
            requires a time within the day. None allows any time.
    """
    return Column(
        header=header,
        kind=Kind.TIME,
        type=TIMESTAMP,
        meaning=meaning,
        aliases=aliases,
        forms=forms,
        day_tolerance=day_tolerance,
    )


def number(header: str, meaning: str, *, unit: str = "") -> Column:
    """Declare a decimal number that is neither money nor a ratio, such as a score."""
    return Column(header=header, kind=Kind.MEASURE, type=MONEY, meaning=meaning, unit=unit)


def catch_all(header: str, meaning: str) -> Column:
    """Declare a column that holds all undeclared columns of the response, as one JSON object of texts."""
    return Column(header=header, kind=Kind.IDENTITY, type=pa.string(), meaning=meaning, catch_all=True)


def measure(header: str, meaning: str, *, unit: str, aliases: tuple[str, ...] = (), additive: bool = True) -> Column:
    """Declare a count: a nullable 64-bit integer. For `additive` see `Column`."""
    return Column(
        header=header,
        kind=Kind.MEASURE,
        type=pa.int64(),
        meaning=meaning,
        unit=unit,
        aliases=aliases,
        additive=additive,
    )


def money(
    header: str,
    meaning: str,
    *,
    currency: str | None = None,
    currency_from: str | None = None,
    currencies: tuple[str, ...] = (),
    aliases: tuple[str, ...] = (),
) -> Column:
    """Declare an amount with 18 decimals, in `currency` or in the currency that each row names in `currency_from`."""
    return Column(
        header=header,
        kind=Kind.MONEY,
        type=MONEY,
        meaning=meaning,
        unit=currency or "",
        currency=currency,
        currency_from=currency_from,
        currencies=currencies,
        aliases=aliases,
    )


def ratio(
    header: str, meaning: str, *, unit: str, ratio_of: RatioOf | None = None, aliases: tuple[str, ...] = ()
) -> Column:
    """Declare a ratio that the provider computed: stored as sent, never summed or averaged."""
    return Column(
        header=header,
        kind=Kind.RATIO,
        type=MONEY,
        meaning=meaning,
        unit=unit,
        ratio_of=ratio_of,
        aliases=aliases,
    )
