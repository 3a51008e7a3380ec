"""Settings that users give as environment variables, read when a run needs them and never at import.

A resource's own field wins. An unset variable is read through Dagster's `EnvVar`, late, because a field that is bound
to an unset variable stops Dagster before the run exists, with a stack trace in place of one line.
"""

import dagster as dg

from reporting_dags.model.errors import SettingError
from reporting_dags.providers.http.connection import origin

_MAX_SECONDS = 365 * 86400


def base_url(value: str | None, variable: str, *, default: str) -> str:
    """An http(s) address; raises `SettingError` naming the variable, and never showing a password in it."""
    result = setting(value, variable, default=default)
    try:
        origin(result)
    except ValueError:
        raise SettingError(f"{variable} is not a plain http(s) address", advice=f"Usual is {default}.") from None
    return result


def optional(value: str | None, variable: str) -> str | None:
    """Return `value`, else what the environment variable holds, else None; blanks count as unset.

    A value that is a mask counts as unset, too: saved launchpad configurations of earlier releases hold such values.

    Raises:
        SettingError: the variable holds a mask.
    """
    if value is not None and not is_mask(value):
        return value.strip() or None
    text = (dg.EnvVar(variable).get_value() or "").strip()
    if is_mask(text):
        raise SettingError(f"{variable} is set to {text}, which is a mask", advice=f"Fix: set {variable} to the value.")
    return text or None


def is_mask(value: str) -> bool:
    """Return whether a value is a mask, such as "********", which a UI shows in place of a secret."""
    return len(value.strip()) > 2 and not value.strip().strip("*")


def setting(value: str | None, variable: str, *, default: str | None = None, purpose: str = "") -> str:
    """`value`, else the environment variable, else `default`; raises `SettingError` naming the variable."""
    result = optional(value, variable) or default
    if result is None:
        raise SettingError(f"{variable} is not set{f': {purpose}' if purpose else ''}", advice=f"Set {variable}.")
    return result


def seconds(value: float | None, variable: str, *, default: float) -> float:
    """A positive number of seconds; raises `SettingError` naming the variable."""
    text = optional(None if value is None else str(value), variable)
    try:
        number = default if text is None else float(text)
    except ValueError:
        number = -1.0
    if not 0 < number <= _MAX_SECONDS:
        raise SettingError(f"{variable} is {text!r}", advice="Give a number of seconds above 0, a year at most.")
    return number
