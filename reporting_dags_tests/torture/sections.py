"""The sections of the torture, in the order in which they run."""

from collections.abc import Iterator

from reporting_dags_tests.torture import answers, canary, changes, daemon, kills, machine, meeting, races, steps
from reporting_dags_tests.torture.row import Losses, Row, Section


def sections() -> list[Section]:
    """Every section in its long form."""
    return [
        Section(name="hostile answers", rows=answers.rows),
        Section(name="changes", rows=changes.rows),
        Section(name="killed at every step", rows=steps.rows),
        Section(name="races", rows=races.rows),
        Section(name="where machines meet", rows=meeting.rows),
        Section(name="hostile machine", rows=machine.rows),
        Section(name="random kills", rows=kills.rows),
        Section(name="killed under the daemon", rows=daemon.rows, aside=True),
        Section(name="canary", rows=canary.rows, aside=True),
    ]


def rows_of(name: str) -> list[Row]:
    """Every row of a section."""
    (section,) = (section for section in sections() if section.name == name)
    return list(whole(section))


def whole(section: Section) -> Iterator[Row]:
    """The rows of a section; one that breaks off says so in a row, and the others go on."""
    try:
        yield from section.rows()
    except Exception as error:  # noqa: BLE001
        told = f"{type(error).__name__}: {error}".splitlines()[0]
        yield Row(fault=section.name, outcome="broke off", losses=Losses(), trouble=told)
