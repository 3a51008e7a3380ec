"""Where calls go, and the bare session that carries them there."""

from http.cookiejar import DefaultCookiePolicy

import requests
from urllib3.exceptions import LocationParseError
from urllib3.util.url import parse_url

from reporting_dags.providers.http.deadline import DeadlineAdapter
from reporting_dags.providers.http.redaction import quiet_http_logs

DEFAULT_PORTS = {"https": 443, "http": 80}


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of `url`, as the parser reads it that will connect.

    Raises:
        ValueError: no http(s) URL, or one with a user, a backslash or a blank, which parsers read in different ways.
    """
    if not url.isprintable() or "\\" in url or any(character.isspace() for character in url):
        raise ValueError("no plain URL")
    try:
        parts = parse_url(url)
    except LocationParseError:
        raise ValueError("no URL") from None
    if parts.scheme not in DEFAULT_PORTS or not parts.host or parts.auth:
        raise ValueError("no http(s) URL")
    return parts.scheme, parts.host.lower(), parts.port or DEFAULT_PORTS[parts.scheme]


def bare_session() -> requests.Session:
    """A session that adds no credentials of its own: netrc is not read, and cookies are not kept."""
    session = requests.Session()
    session.auth = _no_auth
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    for scheme in ("https://", "http://"):
        session.mount(scheme, DeadlineAdapter())
    session.headers["User-Agent"] = "reporting_dags"
    # What is streamed is unpacked by `Body`, which knows nothing else; requests would request more.
    session.headers["Accept-Encoding"] = "gzip"
    quiet_http_logs()
    return session


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
