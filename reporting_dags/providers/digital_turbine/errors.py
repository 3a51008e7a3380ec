"""Digital Turbine's documented error codes (DT2, DT3, OW6) as typed errors, each with what to do about it."""

from reporting_dags.model.errors import Denied, Failed, ReportingError
from reporting_dags.providers.http.error_text import error_text, error_texts
from reporting_dags.providers.http.errors import RETRY_LATER, Unavailable
from reporting_dags.providers.http.redaction import Redactor
from reporting_dags.providers.http.response import ApiResponse, json_object


class UnsupportedGrantType(Failed):
    """400 `unsupported_grant_type`: our own request is wrong."""


class InvalidRequest(Denied):
    """400 `invalid_request`: credentials are missing from the request."""


class InvalidClient(Denied):
    """400 `invalid_client`: credentials are wrong, disabled or revoked."""


class InvalidToken(Denied):
    """401 `invalid_token`, still after a fresh token: the account is disabled."""


class InvalidFormat(Failed):
    """400 `invalid_format`: the file format is not supported."""


class InvalidQuery(Failed):
    """400 `invalid_query`: dates, dimensions or metrics that the API does not take."""


class InvalidSource(Failed):
    """400 `invalid_source`: the report's source is not one of the API's."""


class Forbidden(Denied):
    """403, which the documents do not know: something is not permitted."""


class Unauthorized(Denied):
    """401 with a code that the documents do not know."""


class UnknownError(Failed):
    """A response that the documents do not know."""


SUPPORT = "Check DT_BASE_URL; if it lasts, ask Digital Turbine's support."
_CODES: dict[str, tuple[type[ReportingError], str]] = {
    "unsupported_grant_type": (UnsupportedGrantType, "This is a fault of reporting_dags: please report it."),
    "invalid_request": (InvalidRequest, "Set DT_CLIENT_ID and DT_CLIENT_SECRET."),
    "invalid_client": (
        InvalidClient,
        "Check DT_CLIENT_ID and DT_CLIENT_SECRET: wrong, disabled or revoked in the DT Console.",
    ),
    "invalid_token": (
        InvalidToken,
        "A fresh token was refused too: check in the DT Console that the account is enabled.",
    ),
    "invalid_format": (InvalidFormat, "This is a fault of reporting_dags: please report it."),
    "invalid_query": (InvalidQuery, "Check the report's declaration: its metrics, splits, filters and days."),
    "invalid_source": (InvalidSource, "Check the report's declaration: its source."),
    "internal_server_error": (Unavailable, RETRY_LATER),
}

_FORBIDDEN: tuple[type[ReportingError], str] = (
    Forbidden,
    "Ask the Account Manager at Digital Turbine what the account may do.",
)
_UNAUTHORIZED: tuple[type[ReportingError], str] = (
    Unauthorized,
    "Check DT_CLIENT_ID and DT_CLIENT_SECRET, and in the DT Console that the account is enabled.",
)
_UNKNOWN: tuple[type[ReportingError], str] = (
    UnknownError,
    SUPPORT,
)


def code_of(answer: ApiResponse) -> str:
    """The code in `error`; empty where there is none."""
    code = json_object(answer.json()).get("error")
    return code if isinstance(code, str) else ""


def refusal(name: str, answer: ApiResponse, redactor: Redactor) -> ReportingError:
    """The typed error for a response that is not a success; carries the provider's own words, cleaned."""
    payload, code = json_object(answer.json()), code_of(answer)
    kind, advice = _CODES.get(code, {401: _UNAUTHORIZED, 403: _FORBIDDEN}.get(answer.status, _UNKNOWN))
    more = (
        error_texts({key: value for key, value in payload.items() if key != "error"})
        if code
        else error_text(answer.body)
    )
    message = redactor.clean(f"{code} {more}".strip() or answer.body.decode("utf-8", "replace"), limit=200)
    request_id = redactor.clean(str(payload.get("id") or ""), limit=80)
    return kind(f"{name} refused ({answer.status}): {message}", advice=advice, request_id=request_id)
