"""Integr8's report tables, exports and entity lists: its switches."""

from dataclasses import dataclass

from reporting_dags.sandbox.switches import Switches


@dataclass(frozen=True)
class Integr8Settings(Switches):
    """How it behaves; every field's description names its rule, or A for an assumption."""
