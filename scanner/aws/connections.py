"""urllib3's connections with less done for each request: one send, headers without an e-mail parser, one TLS trust.

Pools, timeouts, proxies, reading of bodies and what is an error stay urllib3's and botocore's. Only requests made by
`scanner.aws.operations` take the short way; all others go as botocore has them.
"""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import threading
from collections.abc import Mapping
from functools import lru_cache
from types import FunctionType
from typing import Any

from botocore import exceptions as aws
from botocore.awsrequest import AWSHTTPConnection, AWSHTTPSConnection, AWSResponse
from botocore.httpsession import URLLib3Session
from urllib3 import HTTPConnectionPool, HTTPHeaderDict, HTTPResponse, HTTPSConnectionPool, PoolManager, Retry
from urllib3 import exceptions as url_errors
from urllib3.util.ssl_ import create_urllib3_context

from scanner.aws.deadlines import Watched, WatchedTls

_trust = threading.Lock()


class _Head:
    """The headers of an answer. http.client looks for a few of them, urllib3 takes all."""

    def __init__(self, file: Any, **_: Any) -> None:
        self.fields: list[tuple[str, str]] = []
        for line in http.client._read_headers(file)[:-1]:  # type: ignore[attr-defined]
            text = line.decode("iso-8859-1").rstrip("\r\n")
            name, _, value = text.partition(":")
            if text[:1] in (" ", "\t") and self.fields:
                name, begun = self.fields.pop()
                value = f"{begun} {text}"
            self.fields.append((name, value.strip()))
        self._first = {name.lower(): value for name, value in reversed(self.fields)}

    def check_length(self) -> None:
        """Raise InvalidHeader where the body is said to have several lengths: it could end anywhere."""
        if len(self._first) == len(self.fields) and "," not in (self.get("content-length") or ""):
            return
        said = [value for name, value in self.fields if name.lower() == "content-length"]
        if len({length.strip() for value in said for length in value.split(",")}) > 1:
            raise url_errors.InvalidHeader(f"Content-Length contained multiple unmatching values ({', '.join(said)})")

    def merged(self) -> Mapping[str, str]:
        """All headers; those of one name as one, their values separated by commas."""
        return dict(self.fields) if len(self._first) == len(self.fields) else HTTPHeaderDict(self.fields)

    def get(self, name: str, default: str | None = None) -> str | None:
        """The first header of this name."""
        return self._first.get(name.lower(), default)


class _Whole:
    """An answer that is read to its end, with as much of urllib3's response as its pool looks at."""

    length_remaining, retries, _connection, _pool = 0, None, None, None

    def __init__(self, answer: _Answer) -> None:
        self.status, self.version_string = answer.status, "HTTP"
        self.headers: _Head = answer.headers  # type: ignore[assignment]
        self.headers.check_length()
        try:
            self.body = answer.read()
        except http.client.IncompleteRead as cut:
            if answer.chunked:
                raise
            self.body = cut.partial  # shorter than it was said to be, which its reader finds


class _Answer(http.client.HTTPResponse):
    # Python's own, with another parser of headers: the one of e-mail takes more time than all else in it.
    begin = FunctionType(http.client.HTTPResponse.begin.__code__, {**vars(http.client), "parse_headers": _Head})


class _Short:
    """A connection that sends a prepared request in one piece and keeps no state between request and answer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._asked: tuple[str, str, dict[str, Any]] | None = None

    def request(
        self, method: str, url: str, body: Any = None, headers: Any = None, *, chunked: bool = False, **options: Any
    ) -> None:
        """Send a request; one that was not made by `scanner.aws.signing.Request` as botocore does."""
        here: Any = self
        self._asked = None
        if type(headers) is not dict or chunked:
            super().request(method, url, body, headers, chunked=chunked, **options)  # type: ignore[misc]
            return
        if here.sock is None:
            here.connect()
        here.sock.settimeout(here.timeout)
        self._asked = method, url, options
        here.sock.sendall(_message(method, url, headers, body))

    def getresponse(self) -> Any:
        """The answer: read to its end if that is wanted at once (`preload_content`), else its body still to be read."""
        here: Any = self
        if self._asked is None:
            return super().getresponse()  # type: ignore[misc]
        (method, url, options), self._asked = self._asked, None
        here.sock.settimeout(here.timeout)
        shutdown, answer = here.sock.shutdown, _Answer(here.sock, method=method)
        try:
            answer.begin()
            whole = _Whole(answer) if options["preload_content"] else None
        except (OSError, http.client.HTTPException):
            # As after any failure, urllib3's pool drops the connection.
            answer.close()
            raise
        if answer.will_close or (whole and answer.length):
            here.close()
        return whole or HTTPResponse(
            body=answer,
            headers=HTTPHeaderDict(answer.headers.fields),  # type: ignore[attr-defined]
            status=answer.status,
            version=answer.version,
            reason=answer.reason,
            original_response=answer,
            request_method=method,
            request_url=url,
            sock_shutdown=shutdown,
            **options,
        )


def _message(method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """A whole request. Raises ValueError where a line break would smuggle in a header."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if "Accept-Encoding" not in headers:
        lines.append("Accept-Encoding: identity")
    head = "\r\n".join(lines)
    if not len(lines) - 1 == head.count("\r") == head.count("\n"):
        raise ValueError("a line break in a header")
    return f"{head}\r\n\r\n".encode() + (body or b"")


class _Http(Watched, _Short, AWSHTTPConnection): ...  # type: ignore[misc]


class _Trusting(_Short, AWSHTTPSConnection):  # type: ignore[misc]
    def connect(self) -> None:
        """Connect; certificates are checked against an authority file that is read once, not for each connection."""
        if self.ca_certs and self.proxy is None and self.cert_file is None and self.cert_reqs == "CERT_REQUIRED":
            context = _trusting(self.ca_certs)
            if context:
                self.ssl_context, self.ca_certs = context, None
        super().connect()


class _Https(WatchedTls, _Trusting): ...  # type: ignore[misc]


def _trusting(authorities: str) -> ssl.SSLContext | None:
    """What checks certificates against a file of authorities; None where it cannot be read, as urllib3 then tells."""
    try:
        with _trust:
            return _context(authorities, os.stat(authorities).st_mtime_ns)
    except OSError:
        return None


@lru_cache(maxsize=4)
def _context(authorities: str, _: int) -> ssl.SSLContext:
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    context.load_verify_locations(authorities)
    return context


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


class _Pools(PoolManager):
    """The pools of one client, which nearly always asks one host."""

    _last: tuple[str, Any] = ("", None)

    def connection_from_url(self, url: str, pool_kwargs: Any = None) -> Any:
        """The pool of a URL's host."""
        origin, (known, pool) = "/".join(url.split("/", 3)[:3]), self._last
        if origin != known or pool_kwargs or pool.pool is None:
            pool = super().connection_from_url(url, pool_kwargs)
            self._last = (origin, pool)
        return pool


def send(session: Any, request: Any) -> AWSResponse:
    """A request's answer, as `URLLib3Session.send` gives it and with its errors, in fewer steps where they are plain.

    Raises BotoCoreError.
    """
    own: Any = session
    if type(session) is not URLLib3Session or own._proxy_config._proxies or "read_timeout" in request.context:
        return own.send(request)  # type: ignore[no-any-return]
    url = request.url
    try:
        pool = own._manager.connection_from_url(url)
        own._setup_ssl_cert(pool, url, own._verify)
        whole = pool.urlopen(
            request.method,
            own._path_url(url),
            request.body,
            request.headers,
            retries=_ONCE,
            redirect=False,
            assert_same_host=False,
            decode_content=False,
            enforce_content_length=False,
        )
    except (url_errors.HTTPError, http.client.HTTPException, OSError, ValueError) as error:
        raise _told(error, request) from error
    answer: Any = AWSResponse(url, whole.status, whole.headers.merged(), None)
    answer._content = whole.body
    return answer  # type: ignore[no-any-return]


_ONCE = Retry(False)


def _told(error: Exception, request: Any) -> aws.BotoCoreError:
    """What botocore makes of urllib3's errors."""
    url: str = request.url
    if isinstance(error, url_errors.SSLError):
        return aws.SSLError(endpoint_url=url, error=error)
    if isinstance(error, url_errors.NewConnectionError | socket.gaierror):
        return aws.EndpointConnectionError(endpoint_url=url, error=error)
    if isinstance(error, url_errors.ConnectTimeoutError):
        return aws.ConnectTimeoutError(endpoint_url=url, error=error)
    if isinstance(error, url_errors.ReadTimeoutError):
        return aws.ReadTimeoutError(endpoint_url=url, error=error)
    if isinstance(error, url_errors.ProtocolError):
        return aws.ConnectionClosedError(error=error, request=request, endpoint_url=url)
    return aws.HTTPClientError(error=error)


def shorten(session: Any) -> None:
    """Give one of botocore's HTTP sessions these connections."""
    classes = {"http": _HttpPool, "https": _HttpsPool}
    session._pool_classes_by_scheme = classes
    session._manager = _Pools(**session._manager.connection_pool_kw)
    session._manager.pool_classes_by_scheme = classes
