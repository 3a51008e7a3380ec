"""Signed URLs of a bucket, with signatures, expiry and XML errors as in the documentation of S3 (F)."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape

from starlette.responses import Response

ALGORITHM = "AWS4-HMAC-SHA256"
KEY_ID = "AKIASANDBOXSANDBOX00"
REGION = "us-east-1"
SECOND_AUTH = (
    "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or "
    "the Authorization header should be specified"
)
STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class Signer:
    """Sign and check the URLs of one sandbox with its secret."""

    secret: bytes

    def sign(self, *, style: str, host: str, path: str, now: datetime, seconds: int) -> str:
        """Return the query string that allows GET of `path` on `host` for `seconds`.

        `style` is the version of the signature: amz (version 4) or aws2 (version 2).
        """
        if style == "aws2":
            expires = str(int(now.timestamp()) + seconds)
            signature = self._signature_v2(path, expires)
            return urlencode({"AWSAccessKeyId": KEY_ID, "Expires": expires, "Signature": signature})
        stamp = now.astimezone(UTC).strftime(STAMP)
        query = [
            ("X-Amz-Algorithm", ALGORITHM),
            ("X-Amz-Credential", f"{KEY_ID}/{stamp[:8]}/{REGION}/s3/aws4_request"),
            ("X-Amz-Date", stamp),
            ("X-Amz-Expires", str(seconds)),
            ("X-Amz-SignedHeaders", "host"),
        ]
        signature = self._signature_v4("GET", host, path, query)
        return urlencode([*query, ("X-Amz-Signature", signature)], quote_via=quote)

    def error_response(
        self,
        *,
        method: str,
        host: str,
        path: str,
        query: Sequence[tuple[str, str]],
        authorization: str | None,
        now: datetime,
    ) -> Response | None:
        """Return the XML error for a request that is not allowed to read the file; None if it is allowed."""
        named = dict(query)
        if authorization is not None:
            return error(400, "InvalidArgument", SECOND_AUTH, ArgumentName="Authorization", ArgumentValue=authorization)
        if "X-Amz-Signature" in named:
            given = named["X-Amz-Signature"]
            unsigned = [pair for pair in query if pair[0] != "X-Amz-Signature"]
            expected = self._signature_v4(method, host, path, unsigned)
        elif "Signature" in named:
            given = named["Signature"]
            # Version 2 does not sign the host. Its other two parameters are part of the signature check.
            expected = self._signature_v2(path, named.get("Expires", ""), method) if len(query) == 3 else ""
        else:
            return error(403, "AccessDenied", "Access Denied")
        if not hmac.compare_digest(given.encode(), expected.encode()):
            message = (
                "The request signature we calculated does not match the signature you provided. "
                "Check your key and signing method."
            )
            return error(403, "SignatureDoesNotMatch", message, AWSAccessKeyId=KEY_ID, SignatureProvided=given)
        expires_at = _expiry(named)
        return expired(expires_at, now) if now >= expires_at else None

    def _signature_v4(self, method: str, host: str, path: str, query: Sequence[tuple[str, str]]) -> str:
        named = dict(query)
        stamp = named.get("X-Amz-Date", "")
        canonical = "\n".join(
            (method, path, urlencode(sorted(query), quote_via=quote), f"host:{host}", "", "host", "UNSIGNED-PAYLOAD")
        )
        scope = f"{stamp[:8]}/{REGION}/s3/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        key = self.secret
        for part in (stamp[:8], REGION, "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signed = "\n".join((ALGORITHM, stamp, scope, digest))
        return hmac.new(key, signed.encode(), hashlib.sha256).hexdigest()

    def _signature_v2(self, path: str, expires: str, method: str = "GET") -> str:
        signed = f"{method}\n\n\n{expires}\n{path}"
        return base64.b64encode(hmac.new(self.secret, signed.encode(), hashlib.sha1).digest()).decode()


def _expiry(named: dict[str, str]) -> datetime:
    if "X-Amz-Expires" in named:
        start = datetime.strptime(named["X-Amz-Date"], STAMP).replace(tzinfo=UTC)
        return start + timedelta(seconds=int(named["X-Amz-Expires"]))
    return datetime.fromtimestamp(int(named["Expires"]), UTC)


def error(status: int, code: str, message: str, **details: str) -> Response:
    """Return a response with an XML error of S3."""
    further = "".join(f"<{key}>{escape(value)}</{key}>" for key, value in details.items())
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{escape(message)}</Message>'
        f"{further}<RequestId>SANDBOX000000000</RequestId><HostId>sandbox</HostId></Error>"
    )
    return Response(body, status, media_type="application/xml")


def expired(expires_at: datetime, now: datetime) -> Response:
    """Return the 403 response for an expired URL."""
    times = {"Expires": expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"), "ServerTime": now.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return error(403, "AccessDenied", "Request has expired", **times)


def missing(key: str) -> Response:
    """Return the 404 response for an object that does not exist (yet)."""
    return error(404, "NoSuchKey", "The specified key does not exist.", Key=key)
