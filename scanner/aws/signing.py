"""AWS Signature Version 4, as botocore computes it but with each header looked at once; tests hold it to botocore's.

For requests whose body is at hand and is signed, which all calls of a reader are.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Any, Protocol
from urllib.parse import quote, urlencode, urlsplit

from botocore.auth import SIGNED_HEADERS_BLACKLIST
from botocore.utils import normalize_url_path

_UNSIGNED = frozenset(SIGNED_HEADERS_BLACKLIST)
_KNOWN = frozenset({"region", "signing_name", "disableDoubleEncoding"})
_EMPTY_SHA256 = sha256(b"").hexdigest()


class Keys(Protocol):
    """Credentials of one moment, as botocore's `get_frozen_credentials` gives them."""

    access_key: str
    secret_key: str
    token: str | None


@dataclass(slots=True)
class Request:
    """A request while it is signed and sent: botocore's AWSRequest and AWSPreparedRequest in one."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None
    context: dict[str, Any]
    auth_path: str | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    stream_output: bool = False

    @classmethod
    def of(cls, asked: Mapping[str, Any]) -> Request:
        """What botocore's serializer and handlers have made, ready to be signed."""
        body, url = asked["body"], asked["url"]
        if isinstance(body, dict):
            body = urlencode(body, doseq=True)
        if isinstance(body, str):
            body = body.encode()
        headers = {"Host": urlsplit(url).netloc.rpartition("@")[2], **asked["headers"]}
        return cls(asked["method"], url, headers, body or None, asked["context"], asked.get("auth_path"))


@dataclass(frozen=True, slots=True)
class Scope:
    """What a signature is good for. `s3`: S3's own way, which leaves paths alone and names the body's digest."""

    region: str
    service: str
    s3: bool = False

    def sign(self, request: Request, keys: Keys) -> None:
        """Put date, token and signature into the headers of a request."""
        headers, stamp = request.headers, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        digest = sha256(request.body).hexdigest() if request.body else _EMPTY_SHA256
        headers["X-Amz-Date"] = stamp
        if keys.token:
            headers["X-Amz-Security-Token"] = keys.token
        if self.s3:
            headers["X-Amz-Content-SHA256"] = digest
        names, canonical = self._canonical(request, digest)
        where = f"{stamp[:8]}/{self.region}/{self.service}/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{where}\n{sha256(canonical.encode()).hexdigest()}"
        signature = _hmac(_signing_key(keys.secret_key, stamp[:8], self.region, self.service), text).hex()
        headers["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={keys.access_key}/{where}, SignedHeaders={names}, Signature={signature}"
        )

    def _canonical(self, request: Request, digest: str) -> tuple[str, str]:
        """The names of the headers that are signed, and all that is signed."""
        parts = urlsplit(request.url)
        signed = sorted(
            (lower, " ".join(value.split()))
            for name, value in request.headers.items()
            if (lower := name.lower()) not in _UNSIGNED
        )
        pairs = sorted(pair.partition("=")[::2] for pair in parts.query.split("&")) if parts.query else ()
        names = ";".join(name for name, _ in signed)
        lines = (
            request.method,
            parts.path if self.s3 else _normal(parts.path),
            "&".join(f"{name}={value}" for name, value in pairs),
            *(f"{name}:{value}" for name, value in signed),
            "",
            names,
            digest,
        )
        return names, "\n".join(lines)


def scope_of(signer: Any, operation: str, context: Mapping[str, Any]) -> Scope | None:
    """The scope in which botocore's request signer would sign a call; None where it signs in another way than this."""
    version, signing = signer._choose_signer(operation, "standard", context), context.get("signing") or {}
    if version not in ("v4", "s3v4") or set(signing) - _KNOWN or signer._credentials is None:
        return None
    return Scope(
        signing.get("region") or signer.region_name,
        signing.get("signing_name") or signer.signing_name,
        s3=version == "s3v4",
    )


def _normal(path: str) -> str:
    return path if path == "/" else quote(normalize_url_path(path), safe="/~")


@lru_cache(maxsize=128)
def _signing_key(secret: str, *scope: str) -> bytes:
    """The key of a day, region and service."""
    key = f"AWS4{secret}".encode()
    for part in (*scope, "aws4_request"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
