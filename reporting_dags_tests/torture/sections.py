"""The sections of the torture, in the order in which they run."""

from reporting_dags_tests.torture.row import Section


def sections() -> list[Section]:
    """Every section in its long form."""
    return []
