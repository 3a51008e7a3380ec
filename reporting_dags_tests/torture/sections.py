"""The sections of the torture, in the order in which they run."""

from reporting_dags_tests.torture import answers, canary, daemon, kills, machine, races, steps
from reporting_dags_tests.torture.row import Section


def sections() -> list[Section]:
    """Every section in its long form."""
    return [
        Section(name="hostile answers", rows=answers.rows),
        Section(name="killed at every step", rows=steps.rows),
        Section(name="races", rows=races.rows),
        Section(name="hostile machine", rows=machine.rows),
        Section(name="random kills", rows=kills.rows),
        Section(name="killed under the daemon", rows=daemon.rows, aside=True),
        Section(name="canary", rows=canary.rows, aside=True),
    ]
