"""Settings that users set as environment variables. They are read when a run needs them, never at import.

A value in a field of the resource takes precedence. Variables are read late, through Dagster's `EnvVar`: a field that
is bound to an unset variable would stop Dagster before the run exists, with a stack trace instead of a one-line error.
"""

import dagster as dg

from reporting_dags.model.errors import SettingError
from reporting_dags.providers.http.connection import origin

_MAX_SECONDS = 365 * 86400


def read_base_url(value: str | None, variable: str, *, default: str) -> str:
    """Return an http(s) base URL: `value`, else the environment variable, else `default`.

    Raises:
        SettingError: the URL is invalid; names the variable. The URL is not shown, since it may contain a password.
    """
    result = read_setting(value, variable, default=default)
    try:
        origin(result)
    except ValueError:
        raise SettingError(
            f"{variable} is not an http(s) URL without credentials",
            advice=f"Fix: correct it; the default is {default}.",
        ) from None
    return result


def read_optional_setting(value: str | None, variable: str) -> str | None:
    """Return `value`, else the value of the environment variable, else None; a blank value counts as unset.

    A `value` that is a mask counts as unset too: saved launchpad configurations of earlier releases hold such values.

    Raises:
        SettingError: the variable holds a mask.
    """
    if value is not None and not is_mask(value):
        return value.strip() or None
    text = (dg.EnvVar(variable).get_value() or "").strip()
    if is_mask(text):
        raise SettingError(f"{variable} is set to {text}, which is a mask", advice="Fix: set the actual value.")
    return text or None


def is_mask(value: str) -> bool:
    """Return whether a value is a mask, such as "********", which a UI shows in place of a secret."""
    return len(value.strip()) > 2 and not value.strip().strip("*")


def read_setting(value: str | None, variable: str, *, default: str | None = None, purpose: str = "") -> str:
    """Return `value`, else the value of the environment variable, else `default`.

    Args:
        value: the value in the field of the resource.
        variable: name of the environment variable.
        default: value to use if neither is set; None if there is no default.
        purpose: what the setting is, for the error message; may be empty.

    Raises:
        SettingError: none of them is set; names the variable.
    """
    result = read_optional_setting(value, variable) or default
    if result is None:
        raise SettingError(f"{variable} is not set{f': {purpose}' if purpose else ''}", advice=f"Fix: set {variable}.")
    return result


def read_seconds(value: float | None, variable: str, *, default: float) -> float:
    """Return a positive number of seconds: `value`, else the environment variable, else `default`.

    Raises:
        SettingError: not a number, not positive, or longer than a year; names the variable.
    """
    text = read_optional_setting(None if value is None else str(value), variable)
    try:
        number = default if text is None else float(text)
    except ValueError:
        number = -1.0
    if not 0 < number <= _MAX_SECONDS:
        raise SettingError(
            f"{variable} is {text!r}, which is not a valid number of seconds",
            advice="Fix: set a number above 0, at most one year.",
        )
    return number
