"""Everything that is wrong with one request, gathered as the document's 422 tells it (OC4)."""

from collections.abc import Sequence
from typing import Any, cast


class InvalidError(Exception):
    """A request that the documents do not allow: by place (`dimensions.0`) what is wrong there."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__("Validation failed")
        self.errors = errors


class Refusal:
    """What has been found wrong so far; `extra_keys` says whether unknown keys are passed over."""

    def __init__(self, *, extra_keys: bool) -> None:
        self._extra_keys = extra_keys
        self._errors: dict[str, list[str]] = {}

    def add(self, place: str, message: str) -> None:
        """Note that something is wrong at `place`."""
        self._errors.setdefault(place, []).append(message)

    def raise_if_any(self) -> None:
        """Refuse the request if anything is wrong.

        Raises:
            InvalidError: Something is.
        """
        if self._errors:
            raise InvalidError(self._errors)

    def check_keys(self, given: dict[str, Any], known: Sequence[str], place: str = "") -> None:
        """Note every key in `given` that is not known."""
        for key in given:
            if key not in known and not self._extra_keys:
                self.add(place + key, f"The {place}{key} field is not known.")

    def choice(self, given: dict[str, Any], key: str, known: Sequence[str], place: str = "") -> str:
        """The value of `key`, which must be there and one of `known`."""
        value = given.get(key)
        if value is None or value == "":
            self.add(place + key, f"The {place}{key} field is required.")
        elif not isinstance(value, str) or value not in known:
            self.add(place + key, f"The selected {place}{key} is invalid.")
        else:
            return value
        return ""

    def filled_list(self, given: dict[str, Any], key: str, place: str = "") -> list[Any]:
        """The value of `key`, which must be a list with something in it."""
        value = given.get(key)
        if value is None or value == []:
            self.add(place + key, f"The {place}{key} field is required.")
        elif not isinstance(value, list):
            self.add(place + key, f"The {place}{key} field must be an array.")
        else:
            return cast("list[Any]", value)
        return []
