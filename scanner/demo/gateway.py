"""What stands in front of moto: a refused call, a count of requests, and corrections where moto is untrue to AWS."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from scanner.demo.corrections import Environ, answer_correction, answer_instead, correct_request
from scanner.demo.fleet import DENIED, DENIED_RESOURCE, Asked

CALLS_PATH = "/_demo/calls"

StartResponse = Callable[..., Any]
App = Callable[[Environ, StartResponse], Iterable[bytes]]

_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/")
# Names of clients that differ from the name under which their requests are signed.
_CLIENTS = {"elasticfilesystem": "efs", "tagging": "resourcegroupstaggingapi"}
_ELB_CLASSIC_VERSION = "2012-06-01"
_NAMESPACES = {"sts": "https://sts.amazonaws.com/doc/2011-06-15/", "rds": "http://rds.amazonaws.com/doc/2014-10-31/"}


class Gateway:
    """A WSGI application around moto's. Requests go through one at a time: moto is not safe for threads."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._calls: Counter[str] = Counter()
        self._lock = Lock()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body = _buffer_body(environ)
        with self._lock:
            if environ.get("PATH_INFO") == CALLS_PATH:
                return _answer(start_response, "200 OK", "application/json", json.dumps(self._calls).encode())
            signed = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
            if not signed:
                return self._app(environ, start_response)
            key, region, signing_name = signed.groups()
            account, caller = _owner(key)
            asked = Asked(*identify(environ, body, signing_name), account, region)
            self._calls[f"{asked.service} {asked.operation}"] += 1
            refusal = _refusal(asked, caller)
            if refusal:
                return _answer(start_response, "403 Forbidden", "text/xml", refusal)
            return self._forward(asked, environ, body, start_response)

    def _forward(self, asked: Asked, environ: Environ, body: bytes, start_response: StartResponse) -> Iterable[bytes]:
        instead = answer_instead(asked, body)
        if instead:
            return _answer(start_response, "200 OK", "text/xml", instead)
        correct_request(asked, environ, body)
        correction = answer_correction(asked)
        if correction is None:
            return self._app(environ, start_response)
        head: dict[str, Any] = {}
        pages = self._app(environ, lambda status, headers, _error=None: head.update(status=status, headers=headers))
        answer = b"".join(pages)
        if head["status"].startswith("200"):
            answer = correction(asked, environ, answer)
        headers = [(name, value) for name, value in head["headers"] if name.lower() != "content-length"]
        start_response(head["status"], [*headers, ("Content-Length", str(len(answer)))])
        return [answer]


def identify(environ: Environ, body: bytes, signing_name: str) -> tuple[str, str]:
    """The boto3 client and the API operation of a signed request; the operation is "" if it is none that AWS knows."""
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return _CLIENTS.get(signing_name, signing_name), target.rpartition(".")[2]
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        form = parse_qs(body.decode())
        if signing_name == "elasticloadbalancing":
            signing_name = "elb" if form.get("Version") == [_ELB_CLASSIC_VERSION] else "elbv2"
        return signing_name, form.get("Action", [""])[0]
    service = _CLIENTS.get(signing_name, signing_name)
    return service, _rest_operation(service, environ, body)


def _rest_operation(service: str, environ: Environ, body: bytes) -> str:
    from moto.core.request import Request
    from moto.core.routing import get_service_router
    from werkzeug.exceptions import HTTPException

    try:
        operation, _ = get_service_router(service).match(Request(environ | {"wsgi.input": io.BytesIO(body)}))
    except HTTPException:
        return ""
    return str(operation.name)


def _buffer_body(environ: Environ) -> bytes:
    """Read the request from the socket before the lock is taken, so that a slow client holds up nobody."""
    length = environ.get("CONTENT_LENGTH")
    if not length:
        return b""
    body: bytes = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _owner(key: str) -> tuple[str, str]:
    """The account and ARN behind an access key; "" and "" for a key that moto never gave out."""
    from moto.iam.models import iam_backends
    from moto.sts.models import sts_backends

    for account, backends in list(iam_backends.items()):
        if key in backends["aws"].access_keys:
            _, arn, _ = sts_backends[account]["aws"].get_caller_identity(key, "us-east-1")
            return account, arn
    return "", ""


def _refusal(asked: Asked, caller: str) -> bytes | None:
    if asked.service == "sts" and not asked.account:
        return _error("sts", "InvalidClientTokenId", "The security token included in the request is invalid.")
    if asked == DENIED:
        return _error(asked.service, "AccessDenied", _denial(asked, caller))
    return None


def _denial(asked: Asked, caller: str) -> str:
    action = f"{asked.service}:{asked.operation}"
    arn = f"arn:aws:{asked.service}:{asked.region}:{asked.account}:{DENIED_RESOURCE}"
    return (
        f"User: {caller} is not authorized to perform: {action} on resource: {arn} "
        f"because no identity-based policy allows the {action} action"
    )


def _error(service: str, code: str, message: str) -> bytes:
    text = (
        f'<ErrorResponse xmlns="{_NAMESPACES[service]}"><Error><Type>Sender</Type><Code>{code}</Code>'
        f"<Message>{escape(message)}</Message></Error>"
        "<RequestId>00000000-0000-4000-8000-000000000000</RequestId></ErrorResponse>"
    )
    return text.encode()


def _answer(start_response: StartResponse, status: str, content_type: str, body: bytes) -> Iterable[bytes]:
    start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(body)))])
    return [body]
