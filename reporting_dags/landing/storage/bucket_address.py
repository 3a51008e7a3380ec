"""Addresses of buckets: `s3://[key:secret@]bucket/prefix?region=…` or `gs://bucket/prefix?…`.

Parameters have the names of pyarrow's addresses. Credentials that are not in the address are found as the vendor's
tools find them: environment variables, profiles, the role of the machine.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from obstore.store import GCSStore, S3Store
from pyarrow.fs import resolve_s3_region

from reporting_dags.model.errors import SettingError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, GCSConfig, RetryConfig, S3Config, S3CredentialProvider

Bucket: TypeAlias = S3Store | GCSStore

_WITHOUT_EFFECT = frozenset(
    {"allow_bucket_creation", "allow_bucket_deletion", "allow_delayed_open", "background_writes", "retry_limit_seconds"}
)
"""Parameters that earlier releases passed on to pyarrow, and that change nothing of what is stored."""
_S3 = frozenset({"region", "scheme", "endpoint_override", "force_virtual_addressing", "access_key", "secret_key"})
_GCS = frozenset({"scheme", "endpoint_override"})
_REQUEST_TIMEOUT = timedelta(minutes=30)
"""A partition is uploaded by one request, also over a slow connection."""
_READ_TIMEOUT = timedelta(seconds=10)
"""A tick asks a bucket for sizes, and Dagster ends a tick that takes a minute."""
_RETRIES: "RetryConfig" = {"max_retries": 8, "retry_timeout": timedelta(seconds=20)}


def open_bucket(url: str, variable: str, *, uploads: bool) -> Bucket:
    """Return the bucket of `url`, below its prefix.

    Args:
        url: the address.
        variable: the environment variable that holds it, which errors name.
        uploads: whether it is for uploads, which may be silent for long; else each read has a time limit.

    Raises:
        SettingError: the address has an unknown parameter, or there are no credentials for it.
        OSError: the region of the bucket cannot be determined.
    """
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    known = _S3 if parts.scheme == "s3" else _GCS
    if unknown := sorted(given.keys() - known - _WITHOUT_EFFECT):
        raise SettingError(
            f"{variable}: unknown parameter {unknown[0]!r} in the address",
            advice=f"Fix: use only {', '.join(sorted(known))}.",
        )
    scheme = given.get("scheme", "https")
    if scheme not in {"http", "https"}:
        raise SettingError(f"{variable}: the parameter scheme is neither http nor https")
    options: ClientConfig = {"allow_http": scheme == "http", "timeout": _REQUEST_TIMEOUT}
    if not uploads:
        options["read_timeout"] = _READ_TIMEOUT
    endpoint = f"{scheme}://{given['endpoint_override']}" if given.get("endpoint_override") else None
    if parts.scheme == "s3":
        return _s3(parts, given, endpoint, options, variable)
    return _gcs(parts, endpoint, options)


def _s3(
    parts: SplitResult, given: Mapping[str, str], endpoint: str | None, options: "ClientConfig", variable: str
) -> S3Store:
    bucket, prefix = _place(parts)
    config: S3Config = {
        "skip_signature": False,
        "region": given.get("region") or ("us-east-1" if endpoint else resolve_s3_region(bucket)),
    }
    if endpoint:
        config["endpoint"] = endpoint
    if given.get("force_virtual_addressing", "").lower() in {"1", "true"}:
        config["virtual_hosted_style_request"] = True
    key = unquote(parts.username or "") or given.get("access_key", "")
    credentials: S3CredentialProvider
    if key:
        secret = unquote(parts.password or "") or given.get("secret_key", "")
        # As a provider: beside keys of the configuration, a session token of the environment would be used.
        credentials = _given(key, secret)
    else:
        credentials = _of_environment(bucket, variable)
    return S3Store(
        bucket,
        prefix=prefix,
        config=config,
        client_options=options,
        retry_config=_RETRIES,
        credential_provider=credentials,
    )


def _given(key: str, secret: str) -> "S3CredentialProvider":
    return lambda: {"access_key_id": key, "secret_access_key": secret, "token": None, "expires_at": None}


def _of_environment(bucket: str, variable: str) -> "S3CredentialProvider":
    # It takes a third of a second to import, and only buckets need it.
    from obstore.auth.boto3 import Boto3CredentialProvider  # noqa: PLC0415

    try:
        return Boto3CredentialProvider()
    except ValueError:
        raise SettingError(
            f"{variable}: no AWS credentials were found for s3://{bucket}",
            advice="Fix: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role.",
        ) from None


def _gcs(parts: SplitResult, endpoint: str | None, options: "ClientConfig") -> GCSStore:
    bucket, prefix = _place(parts)
    config: GCSConfig = {}
    if endpoint:
        config["base_url"] = endpoint
    if parts.username == "anonymous":
        config["skip_signature"] = True
    elif parts.username:
        config["bearer_token"] = unquote(parts.username)
    return GCSStore(bucket, prefix=prefix, config=config, client_options=options, retry_config=_RETRIES)


def _place(parts: SplitResult) -> tuple[str, str | None]:
    return parts.netloc.rpartition("@")[2], unquote(parts.path).strip("/") or None
