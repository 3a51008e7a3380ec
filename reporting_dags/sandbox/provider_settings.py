"""The settings of an emulated provider: assumptions (A) and limits, which tests can change."""

from dataclasses import dataclass, field, fields
from typing import Any


def setting(default: Any, description: str, *, choices: tuple[str, ...] = ()) -> Any:
    """Declare a field of `ProviderSettings`.

    Args:
        default: the default value, which also decides the type.
        description: the id of the rule, or A for an assumption, and what the setting does.
        choices: the allowed values; empty allows all.
    """
    return field(default=default, metadata={"description": description, "choices": choices})


@dataclass(frozen=True)
class ProviderSettings:
    """Base class for the settings of a provider; validates the values.

    Raises:
        ValueError: a value has another type than its default, is not one of the choices, or is negative.
    """

    def __post_init__(self) -> None:
        for item in fields(self):
            value, kind, choices = getattr(self, item.name), type(item.default), item.metadata["choices"]
            allowed = (int, float) if kind is float else (kind,)
            # isinstance accepts a bool as an int, but a bool is not a number here.
            if not isinstance(value, allowed) or isinstance(value, bool) is not (kind is bool):
                raise ValueError(f"{item.name} must be {kind.__name__}, not {value!r}")
            if choices and value not in choices:
                raise ValueError(f"{item.name} must be one of {choices}, not {value!r}")
            if isinstance(value, int | float) and value < 0:
                raise ValueError(f"{item.name} must not be negative")
