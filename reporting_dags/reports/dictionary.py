"""The data dictionary: every dataset and column, written from the declarations and from nothing else."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from reporting_dags.model.column import MIXED, Column
from reporting_dags.model.days import Calendar
from reporting_dags.model.report import Report

_HEAD = """# Datasets

Made from the declarations by `make docs`; edit those, not this.

A dataset is at `<data root>/<provider>/<report>/date=YYYY-MM-DD/part-0.parquet`, one file a day; a snapshot is one
file without a date. `date` is the partition and not repeated inside. Types are Arrow's. Money and ratios are exact
decimals.

A ratio is kept as the provider sent it: never add or average it. Over several rows, compute it from sums, by the
formula in its meaning. That is SQL, right in DuckDB, SQLite, PostgreSQL, DataFusion and polars: `100e0` is a
floating-point number, because several engines cut the quotient of two integers to an integer, and `nullif` gives null
in place of a division by zero.

A day in which two rows share the grain is refused, unless the grain is assumed.

Personal columns hold SHA-256 hashes unless `REPORTING_PERSONAL_DATA` says `keep` (as sent) or `drop` (null).
"""


def dictionary(reports: Sequence[Report], derived: Sequence[Report]) -> str:
    """The whole document, as Markdown; `derived` datasets are built from the others and asked of no one."""
    every = (*reports, *derived)
    index = "\n".join(f"- [{report.key}](#{_anchor(report)}): {_brief(report)}" for report in every)
    datasets = ["\n".join(_dataset(report, asked=report in reports)) for report in every]
    return "\n".join([_HEAD, index, *datasets]) + "\n"


def _dataset(report: Report, *, asked: bool) -> Iterator[str]:
    yield f"\n## {report.key}\n"
    yield f"{report.description}\n"
    yield "| | |"
    yield "|---|---|"
    for name, message in (*_facts(report), *(_service(report) if asked and report.partitioned else ())):
        yield f"| {name} | {message} |"
    yield "\n| column | type | unit | meaning | provider's header |"
    yield "|---|---|---|---|---|"
    for column in report.stored_columns:
        meaning = _escaped(". ".join((column.meaning or column.header, *_notes(column, report))))
        sent = "" if column.flags or column.catch_all else f"`{column.header}`"
        yield f"| `{column.name}` | {column.type} | {column.unit} | {meaning} | {sent} |"


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    calendar = report.calendar
    grain = ", ".join(f"`{name}`" for name in report.grain_names)
    kind = (
        "" if report.grain_promised else " (assumed, no document promises it: rows that share it land with a warning)"
    )
    yield "grain", (f"`date`, {grain}" if report.partitioned else grain) + kind
    if not report.partitioned:
        yield "kept as", "the latest snapshot, replaced as a whole"
        return
    yield "currency", ", ".join(dict.fromkeys(_currencies(report))) or "no money"
    source = f", by `{report.day_from}`" if report.day_from else ""
    yield "a day", f"from midnight to midnight, {calendar.timezone}{source}"


def _service(report: Report) -> Iterator[tuple[str, str]]:
    calendar = report.calendar
    yield "out", f"{_duration_text(calendar.publish_delay)} after it ends" if calendar.publish_delay else "when it ends"
    ages = ", ".join(str(age) for age in calendar.restated_at)
    yield "restated", f"pulled again {ages} days after it is published" if ages else "never, as far as is known"
    yield "served", _reach(calendar)
    yield "days in one query", str(report.window_days)


def _currencies(report: Report) -> Iterator[str]:
    for column in report.stored_columns:
        if column.currency_from:
            yield f"each row's, in `{_name(report, column.currency_from)}`"
        elif column.currency == MIXED:
            yield "the offer's, in `integr8/offers`"
        elif column.currency:
            yield column.currency


def _notes(column: Column, report: Report) -> Iterator[str]:
    if column.currency_from:
        yield f"In the currency of `{_name(report, column.currency_from)}`"
    if column.ratio_of:
        over, under = _name(report, column.ratio_of.over), _name(report, column.ratio_of.under)
        yield f"Of sums: `{column.ratio_of.scale}e0 * sum({over}) / nullif(sum({under}), 0)`"
    if not column.documented:
        yield "Not named in the provider's document"
    if column.personal:
        yield f"Personal: {column.personal}"
    if column.flags:
        header, texts = column.flags
        shown = ", ".join(f'"{text}"' for text in texts)
        more = ", null, none, unknown, n/a or zeros" if column.masks else ""
        yield f"True where `{_name(report, header)}` was sent as one of {shown}{more}, whatever their case and dashes"


def _name(report: Report, header: str) -> str:
    return next(column.name for column in report.columns if column.header == header)


def _reach(calendar: Calendar) -> str:
    parts = [f"the last {calendar.retention_days} days"] if calendar.retention_days is not None else []
    parts += [f"the last {calendar.retention_months} months"] if calendar.retention_months is not None else []
    parts += [f"from {calendar.first_day} on"] if calendar.first_day else []
    return ", ".join(parts) or "without a known limit"


def _duration_text(length: timedelta) -> str:
    minutes = round(length.total_seconds() / 60)
    hours, rest = divmod(minutes, 60)
    return " ".join(text for text in (f"{hours} h" if hours else "", f"{rest} min" if rest else "") if text)


def _brief(report: Report) -> str:
    return report.description.split(". ")[0].rstrip(".")


def _anchor(report: Report) -> str:
    return report.key.replace("/", "").lower()


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
