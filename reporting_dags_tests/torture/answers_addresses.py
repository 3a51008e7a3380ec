"""Addresses and redirects that lead where nothing is to be fetched from."""

from collections.abc import Callable, Iterator

from reporting_dags_tests.torture.answers_case import Case
from reporting_dags_tests.torture.answers_stage import Stage
from reporting_dags_tests.torture.answers_targets import EXPORT, MINTEGRAL, OFFER_WALL, USER_LEVEL

_ADDRESSES = {
    "a private network": "http://10.0.0.1/f.csv?X-Amz-Signature=abcdefghijk",
    "this machine, another port": "http://127.0.0.1:9/f.csv?X-Amz-Signature=abcdefghijk",
    "this machine, by name": "http://localhost:9/f.csv",
    "this machine, IPv6": "http://[::1]/f.csv",
    "this machine, as a number": "http://2130706433:9/f.csv",
    "the cloud's metadata": "http://169.254.169.254/latest/meta-data/iam",
    "a file": "file:///etc/passwd",
    "ftp": "ftp://127.0.0.1/f.csv",
    "data": "data:text/csv,Date",
    "another host": "https://evil.example/f.csv",
    "a name that ends like the store's": "https://x.amazonaws.com.evil.example/f.csv",
    "the store without TLS": "http://x.s3.amazonaws.com/f.csv",
    "the store on another port": "https://x.s3.amazonaws.com:8443/f.csv",
    "the provider as a user": "http://{host}@127.0.0.1:9/f.csv",
    "a user at the provider": "http://user:word@{host}/f.csv",
    "a backslash before the provider": "http://127.0.0.1:9\\@{host}/f.csv",
    "a tab before the provider": "http://127.0.0.1:9\t@{host}/f.csv",
    "no URL": "//",
    "a path alone": "f.csv",
}
_REDIRECTS = ("another host", "this machine, another port", "the cloud's metadata", "a file", "a user at the provider")
_UNASKED = "a response whose address may not be followed is older than retention"


def cases() -> Iterator[Case]:
    """Every address, as the download's and as where it redirects to."""
    for told, url in _ADDRESSES.items():
        for target in (OFFER_WALL, EXPORT):
            at = target.ask if target is OFFER_WALL else "integr8.signed_url"
            yield Case(
                fault=f"download URL is {told}",
                target=target,
                ends="failed",
                script=[{"point": at, "do": "bad_url", "url": _filled(url), "times": None}],
                says="not followed",
                extra=1 if target is OFFER_WALL else 0,
                why=_UNASKED if target is OFFER_WALL else "",
            )
    for told in _REDIRECTS:
        for target in (OFFER_WALL, USER_LEVEL, EXPORT):
            extra, why = (0, "") if target is EXPORT else (target.answers, _UNASKED)
            yield Case(
                fault=f"redirect of the file to {told}",
                target=target,
                ends="failed",
                script=[{"point": target.file, "do": "redirect", "to": _filled(_ADDRESSES[told]), "times": None}],
                says="not followed",
                extra=extra,
                why=why,
            )
    yield Case(
        fault="redirect of the file to another host",
        target=MINTEGRAL,
        ends="failed",
        script=[{"point": MINTEGRAL.file, "do": "redirect", "to": "http://127.0.0.1:9/f", "times": None}],
        says="not followed",
    )
    for target in (OFFER_WALL, EXPORT):
        yield Case(
            fault="redirects of the file without an end",
            target=target,
            ends="failed",
            script=[{"point": target.file, "do": "redirect", "to": "?again=1", "times": None}],
            says="redirects more than",
            extra=1 if target is OFFER_WALL else 0,
            why=_UNASKED if target is OFFER_WALL else "",
        )


def _filled(url: str) -> Callable[[Stage], str]:
    return lambda stage: url.replace("{host}", stage.sandbox.url.removeprefix("http://"))
