"""Switches: one frozen dataclass a provider, each field an assumption (A) or a limit that tests can move."""

from dataclasses import dataclass, field, fields
from typing import Any


def switch(default: Any, description: str, *, choices: tuple[str, ...] = ()) -> Any:
    """A field of `Switches`; `description` names its rule, or A for an assumption; `choices` are all it may be."""
    return field(default=default, metadata={"description": description, "choices": choices})


@dataclass(frozen=True)
class Switches:
    """What every provider's switches are checked for.

    Raises:
        ValueError: A value is of another type than its default, not among its choices, or a negative number.
    """

    def __post_init__(self) -> None:
        for one in fields(self):
            value, kind, choices = getattr(self, one.name), type(one.default), one.metadata["choices"]
            allowed = (int, float) if kind is float else (kind,)
            # A bool is an int to isinstance, but no number of anything.
            if not isinstance(value, allowed) or isinstance(value, bool) is not (kind is bool):
                raise ValueError(f"{one.name} is {kind.__name__}, not {value!r}")
            if choices and value not in choices:
                raise ValueError(f"{one.name} is one of {choices}, not {value!r}")
            if isinstance(value, int | float) and value < 0:
                raise ValueError(f"{one.name} cannot be negative")
