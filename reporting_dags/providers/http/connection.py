"""The origin of a URL, and sessions without credentials."""

from http.cookiejar import DefaultCookiePolicy

import requests
from urllib3.exceptions import LocationParseError
from urllib3.util.url import parse_url

from reporting_dags.providers.http.deadline import DeadlineAdapter
from reporting_dags.providers.http.redaction import quiet_http_logs

DEFAULT_PORTS = {"https": 443, "http": 80}


def origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of `url`, from the same parser that the connection uses.

    Raises:
        ValueError: not an http(s) URL, or one with a user, a backslash or a space, which parsers interpret
            differently.
    """
    if not url.isprintable() or "\\" in url or any(character.isspace() for character in url):
        raise ValueError("not a plain URL")
    try:
        parts = parse_url(url)
    except LocationParseError:
        raise ValueError("not a URL") from None
    if parts.scheme not in DEFAULT_PORTS or not parts.host or parts.auth:
        raise ValueError("not an http(s) URL without user")
    return parts.scheme, parts.host.lower(), parts.port or DEFAULT_PORTS[parts.scheme]


def bare_session() -> requests.Session:
    """Return a session that adds no credentials: it does not read netrc and does not keep cookies."""
    session = requests.Session()
    session.auth = _no_auth
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    for scheme in ("https://", "http://"):
        session.mount(scheme, DeadlineAdapter())
    session.headers["User-Agent"] = "reporting_dags"
    # `ResponseStream` decompresses only gzip; the default of requests lists other encodings too.
    session.headers["Accept-Encoding"] = "gzip"
    quiet_http_logs()
    return session


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
