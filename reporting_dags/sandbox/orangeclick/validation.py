"""Validation of a request: collects all errors, as in the documented 422 response (OC4)."""

from collections.abc import Sequence
from typing import Any, cast


class InvalidError(Exception):
    """An invalid request, with the error messages by field (`dimensions.0`)."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__("Validation failed")
        self.errors = errors


class Validation:
    """The validation errors of a request; with `extra_keys`, unknown keys are ignored."""

    def __init__(self, *, extra_keys: bool) -> None:
        self._extra_keys = extra_keys
        self._errors: dict[str, list[str]] = {}

    def add(self, place: str, message: str) -> None:
        """Add an error for the field `place`."""
        self._errors.setdefault(place, []).append(message)

    def raise_if_any(self) -> None:
        """Raise an error if there are validation errors.

        Raises:
            InvalidError: the request is not valid.
        """
        if self._errors:
            raise InvalidError(self._errors)

    def check_keys(self, given: dict[str, Any], known: Sequence[str], place: str = "") -> None:
        """Add an error for each unknown key in `given`."""
        for key in given:
            if key not in known and not self._extra_keys:
                self.add(place + key, f"The {place}{key} field is not known.")

    def choice(self, given: dict[str, Any], key: str, known: Sequence[str], place: str = "") -> str:
        """Return the value of `key`, which is required and must be one of `known`; "" if it is not valid."""
        value = given.get(key)
        if value is None or value == "":
            self.add(place + key, f"The {place}{key} field is required.")
        elif not isinstance(value, str) or value not in known:
            self.add(place + key, f"The selected {place}{key} is invalid.")
        else:
            return value
        return ""

    def non_empty_list(self, given: dict[str, Any], key: str, place: str = "") -> list[Any]:
        """Return the value of `key`, which must be a list that is not empty; an empty list if it is not valid."""
        value = given.get(key)
        if value is None or value == []:
            self.add(place + key, f"The {place}{key} field is required.")
        elif not isinstance(value, list):
            self.add(place + key, f"The {place}{key} field must be an array.")
        else:
            return cast("list[Any]", value)
        return []
