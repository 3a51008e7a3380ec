"""OrangeClickMedia's reporting API: its switches."""

from dataclasses import dataclass

from reporting_dags.sandbox.switches import Switches


@dataclass(frozen=True)
class OrangeClickSettings(Switches):
    """How it behaves; every field's description names its rule, or A for an assumption."""
