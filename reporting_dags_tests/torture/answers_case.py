"""One hostile answer: what is done to whom, how it must end, and what it may cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reporting_dags_tests.torture.answers_targets import MINTEGRAL, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One hostile answer.

    Attributes:
        fault: what is done, in the issue's own words.
        target: to whom.
        ends: how the days end under it, sorted, with a slash between them.
        script: faults as `Faults.add` takes them; a value that can be called is worked out on the stage.
        says: what the line of a day must hold.
        warns: what the warnings of a day that lands must hold.
        extra: how many answers more than one it may cost, by `why`.
        why: the explanation of `extra`, or a remark.
        settings: of the resource, under the fault alone.
        switches: of the sandbox, under the fault alone.
        truth: of the sandbox, from when the truth moves on.
        repeated: point at which a request must follow the struck one: the response was not waited for.
        running: whether the clock runs on under the fault, for what takes real time.
    """

    fault: str
    target: Target
    ends: str
    script: Sequence[Mapping[str, Any]] = ()
    says: str = ""
    warns: str = ""
    extra: int = 0
    why: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    switches: Mapping[str, Any] = field(default_factory=dict[str, Any])
    truth: Mapping[str, Any] = field(default_factory=dict[str, Any])
    repeated: str = ""
    running: bool = False

    @property
    def name(self) -> str:
        """Fault and target."""
        return f"{self.fault} [{self.target.name}]"


def again(target: Target) -> dict[str, Any]:
    """What a response that arrived and was refused costs: another one."""
    why = "a response that is refused for what it holds is requested again" if target.answers else ""
    return {"extra": target.answers, "why": why}


def alone(target: Target) -> dict[str, Any]:
    """As `again`, where one day of several is refused, and is requested alone."""
    if target is MINTEGRAL:
        return {"extra": 1, "why": "a day alone is a job of its own, which costs nothing (MT2)"}
    return again(target)
