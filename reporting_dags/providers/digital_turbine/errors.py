"""Digital Turbine's documented error codes (DT2, DT3, OW6) as typed errors, each with advice."""

from reporting_dags.model.errors import Denied, Failed, ReportingError
from reporting_dags.providers.http.error_text import body_error_message, error_message
from reporting_dags.providers.http.errors import RETRY_LATER, Unavailable
from reporting_dags.providers.http.redaction import Redactor
from reporting_dags.providers.http.response import ApiResponse, json_object


class UnsupportedGrantType(Failed):
    """400 `unsupported_grant_type`: the login request of this package is wrong."""


class InvalidRequest(Denied):
    """400 `invalid_request`: credentials are missing from the request."""


class InvalidClient(Denied):
    """400 `invalid_client`: credentials are wrong, disabled or revoked."""


class InvalidToken(Denied):
    """401 `invalid_token` also with a new token: the account is disabled."""


class InvalidFormat(Failed):
    """400 `invalid_format`: the file format is not supported."""


class InvalidQuery(Failed):
    """400 `invalid_query`: the API does not accept the dates, dimensions or metrics."""


class InvalidSource(Failed):
    """400 `invalid_source`: the API does not have the report's source."""


class Forbidden(Denied):
    """403, which is not documented: something is not permitted."""


class Unauthorized(Denied):
    """401 with a code that is not documented."""


class UnknownError(Failed):
    """An error response that is not documented."""


SUPPORT = "Fix: check DT_BASE_URL; if the error persists, ask Digital Turbine's support."
_CODES: dict[str, tuple[type[ReportingError], str]] = {
    "unsupported_grant_type": (UnsupportedGrantType, "This is a bug in reporting_dags. Fix: report it."),
    "invalid_request": (InvalidRequest, "Fix: set DT_CLIENT_ID and DT_CLIENT_SECRET."),
    "invalid_client": (
        InvalidClient,
        "Fix: check DT_CLIENT_ID and DT_CLIENT_SECRET; they are wrong, or disabled or revoked in the DT Console.",
    ),
    "invalid_token": (
        InvalidToken,
        "A new token is refused too. Fix: check in the DT Console that the account is enabled.",
    ),
    "invalid_format": (InvalidFormat, "This is a bug in reporting_dags. Fix: report it."),
    "invalid_query": (InvalidQuery, "Fix: check the report's declaration: its metrics, splits, filters and days."),
    "invalid_source": (InvalidSource, "Fix: check the source in the report's declaration."),
    "internal_server_error": (Unavailable, RETRY_LATER),
}

_FORBIDDEN: tuple[type[ReportingError], str] = (
    Forbidden,
    "Fix: ask the Account Manager at Digital Turbine for the permission.",
)
_UNAUTHORIZED: tuple[type[ReportingError], str] = (
    Unauthorized,
    "Fix: check DT_CLIENT_ID and DT_CLIENT_SECRET, and in the DT Console that the account is enabled.",
)
_UNKNOWN: tuple[type[ReportingError], str] = (
    UnknownError,
    SUPPORT,
)


def error_code(response: ApiResponse) -> str:
    """Return the error code in `error`; empty if there is none."""
    code = json_object(response.json()).get("error")
    return code if isinstance(code, str) else ""


def refusal_error(name: str, response: ApiResponse, redactor: Redactor) -> ReportingError:
    """Return the typed error for an error response, with the provider's message, redacted."""
    payload, code = json_object(response.json()), error_code(response)
    kind, advice = _CODES.get(code, {401: _UNAUTHORIZED, 403: _FORBIDDEN}.get(response.status, _UNKNOWN))
    if code:
        text = error_message({key: value for key, value in payload.items() if key != "error"})
    else:
        text = body_error_message(response.body)
    message = redactor.clean(f"{code} {text}".strip() or response.body.decode("utf-8", "replace"), limit=200)
    request_id = redactor.clean(str(payload.get("id") or ""), limit=80)
    return kind(f"{name} refused ({response.status}): {message}", advice=advice, request_id=request_id)
