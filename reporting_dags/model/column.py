"""One column of a report: the provider's header, the Arrow type it is kept in, and what it means."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

import pyarrow as pa

from reporting_dags.model.privacy import Personal

MONEY = pa.decimal128(38, 18)
"""Money and ratios are exact decimals: providers print doubles such as 0.036300000000000006."""
MOMENT = pa.timestamp("us", "UTC")
MIXED = "XXX"
"""Currency of a money column whose rows are in currencies that the response does not tell (ISO 4217: no currency)."""


class Kind(StrEnum):
    """What a column is for; decides how it may be summed, checked and compared."""

    DAY = "day"
    IDENTITY = "identity"
    MEASURE = "measure"
    MONEY = "money"
    RATIO = "ratio"
    TIME = "time"
    FLAG = "flag"


class TimeForm(StrEnum):
    """How a provider writes a time. Digits do not say which form they are: a column declares it."""

    TEXT = "ISO text"
    """`2026-11-01T05:06:07Z`, `2026-11-01 05:06:07+02:00`; without an offset in the report's time zone."""
    UNIX_SECONDS = "Unix seconds"
    UNIX_MILLISECONDS = "Unix milliseconds"
    HOUR = "YYYYMMDDHH"
    """The start of an hour in the report's time zone."""


@dataclass(frozen=True, slots=True)
class RatioOf:
    """How a ratio follows from sums: `scale` times `over` by `under`, both headers of the same report."""

    over: str
    under: str
    scale: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A declared column.

    Attributes:
        header: the provider's own name of it, as in the file's first line.
        kind: what it is for.
        type: the Arrow type it is kept in.
        meaning: one line for the data dictionary.
        unit: of the values: "USD", "impressions", "%"; empty for identities.
        currency: ISO 4217 code, when every value of the column is in one currency. Money needs this or `currency_from`.
        currency_from: header of the column that holds each row's currency.
        currencies: the codes that may stand there; any where none is named.
        aliases: other headers under which the provider may send it.
        personal: why it is personal data, if it is.
        optional: whether the response may lack it; it is null then.
        documented: whether the provider's document names it. One that it does not name may be known by another name:
            where it is empty in every row of a day, that is a warning.
        ratio_of: how a ratio is worked out again from sums.
        flags: of a flag: the header of a column, and the texts of it for which the flag is true.
        masks: of a flag: whether it is also true for words that stand for no value, such as null, and for zeros.
        forms: of a time: how the provider writes it. Values of another form are refused.
        day_tolerance: of a time that tells the hour or event of its row: how far it may lie outside of the row's day.
            None of a time that may lie anywhere.
        additive: of a measure: whether the values of rows can be added up. Users are counted once in each row.
        catch_all: whether it takes, as one JSON object of texts, every column of the response that is not declared.
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
    # Not in the text of a column: whether responses can be read does not depend on it.
    additive: bool = field(default=True, repr=False)
    catch_all: bool = False

    @property
    def name(self) -> str:
        """The column's name in Parquet: the provider's header in snake_case."""
        return snake_case(self.header)


def snake_case(header: str) -> str:
    """`DT Publisher App ID` → `dt_publisher_app_id`; `extra_params.keys` → `extra_params_keys`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", header)
    return re.sub(r"[^0-9a-zA-Z]+", "_", spaced).strip("_").lower()


def day(header: str, *, aliases: tuple[str, ...] = ()) -> Column:
    """The provider's day column: it becomes the partition and is not repeated in the file."""
    return Column(header=header, kind=Kind.DAY, type=pa.date32(), meaning="Day of the report", aliases=aliases)


def identity(
    header: str,
    meaning: str,
    *,
    aliases: tuple[str, ...] = (),
    personal: Personal | None = None,
    optional: bool = False,
) -> Column:
    """A text that says what a row is about. Ids are text too: leading zeros and 64-bit values survive."""
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
    """A 64-bit integer that says what a row is about, or holds a code; not to be summed."""
    return Column(header=header, kind=Kind.IDENTITY, type=pa.int64(), meaning=meaning, unit=unit, aliases=aliases)


def boolean(header: str, meaning: str) -> Column:
    """True or false, as the provider sends it."""
    return Column(header=header, kind=Kind.FLAG, type=pa.bool_(), meaning=meaning)


def flag(header: str, meaning: str, *, of: str, texts: tuple[str, ...], masks: bool = False) -> Column:
    """A column of our own: whether the column `of` holds one of `texts`, compared without case and dashes.

    Args:
        header: of the flag; its name follows from it.
        meaning: one line for the data dictionary.
        of: header of the column that is compared.
        texts: for which the flag is true.
        masks: whether null, none, unknown, n/a and zeros make it true as well.
    """
    return Column(header=header, kind=Kind.FLAG, type=pa.bool_(), meaning=meaning, flags=(of, texts), masks=masks)


def moment(
    header: str,
    meaning: str,
    *,
    aliases: tuple[str, ...] = (),
    forms: tuple[TimeForm, ...] = (TimeForm.TEXT,),
    day_tolerance: timedelta | None = None,
) -> Column:
    """A moment, kept in UTC to the microsecond.

    Args:
        header: the provider's name of the column.
        meaning: one line for the data dictionary.
        aliases: other headers under which the provider may send it.
        forms: how the provider writes it; text by default.
        day_tolerance: of a time that tells the hour or event of its row: how far it may lie outside of the row's day,
            `timedelta()` for not at all. None: it may lie anywhere.
    """
    return Column(
        header=header,
        kind=Kind.TIME,
        type=MOMENT,
        meaning=meaning,
        aliases=aliases,
        forms=forms,
        day_tolerance=day_tolerance,
    )


def number(header: str, meaning: str, *, unit: str = "") -> Column:
    """A decimal number that is neither money nor a quotient, such as a score."""
    return Column(header=header, kind=Kind.MEASURE, type=MONEY, meaning=meaning, unit=unit)


def catch_all(header: str, meaning: str) -> Column:
    """Every column that is not declared, as one JSON object of texts: what a provider adds is kept."""
    return Column(header=header, kind=Kind.IDENTITY, type=pa.string(), meaning=meaning, catch_all=True)


def measure(header: str, meaning: str, *, unit: str, aliases: tuple[str, ...] = (), additive: bool = True) -> Column:
    """A count: a 64-bit integer that may be missing; `additive` as of `Column`."""
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
    """An amount, exact to 18 decimals, in one `currency` or in the one of `currencies` that each row names."""
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
    """A quotient that the provider worked out: kept as sent, never to be summed or averaged."""
    return Column(
        header=header,
        kind=Kind.RATIO,
        type=MONEY,
        meaning=meaning,
        unit=unit,
        ratio_of=ratio_of,
        aliases=aliases,
    )
