"""Errors of storage, as one line that a user can act on."""

import errno
import os
import re

from obstore.exceptions import (
    GenericError,
    NotSupportedError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from reporting_dags.model.errors import StorageError

_CLOUD_CODE = re.compile(r"<Code>([A-Za-z]{1,60})</Code>")
_CLOUD_REASONS = (
    (FileNotFoundError, "not found"),
    (PermissionDeniedError, "access denied"),
    (UnauthenticatedError, "not authenticated"),
    (NotSupportedError, "the bucket does not support this operation"),
    (PreconditionError, "the object was replaced meanwhile"),
    (GenericError, "no response from the bucket, or an unexpected one"),
)


def storage_error(label: str, place: str, verb: str, error: BaseException, variable: str = "") -> StorageError:
    """Return a `StorageError` such as "data root /x cannot be written: permission denied. Set REPORTING_DATA_URL …".

    Args:
        label: name of the place for users: "data root".
        place: path or address, without credentials or query.
        verb: what was being done, as a participle: "written".
        error: the error of the system or the object store. Its own text is not repeated, because it may contain an
            address.
        variable: the environment variable that names the place, if there is one.
    """
    advice = f"Set {variable} to a place that can be {verb}" if variable else ""
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        advice = f"Free some space there{f', or set {variable} to another place' if variable else ''}"
    return StorageError(f"{label} {place} cannot be {verb}: {_reason(error)}", advice=advice)


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno).lower()
    # pyarrow raises plain OSErrors whose errno stands in the text alone.
    number = re.search(r"\[errno (\d+)\]", str(error))
    if number:
        return os.strerror(int(number.group(1))).lower()
    code = _CLOUD_CODE.search(str(error))
    if code:
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", code.group(1)).lower()
    return next((reason for kind, reason in _CLOUD_REASONS if isinstance(error, kind)), type(error).__name__)
