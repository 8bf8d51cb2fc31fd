"""The short way over a connection keeps to HTTP, and to TLS: who is not trusted gets no request."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions as aws
from botocore.httpsession import URLLib3Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from scanner.aws.clients import Clients
from scanner.aws.connections import send, shorten
from scanner.aws.operations import Parts, prepare
from scanner.aws.settings import DoorSettings
from scanner.aws.signing import Request
from scanner.catalog import load_catalog
from scanner.model import Keys

LIST = b'{"clusterArns": ["arn:aws:ecs:us-east-1:111122223333:cluster/one"]}'
FOUND = ["arn:aws:ecs:us-east-1:111122223333:cluster/one"]
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(LIST), LIST)


@contextmanager
def answering(*answers: bytes, context: ssl.SSLContext | None = None) -> Iterator[_Server]:
    server = _Server(answers, context)
    try:
        yield server
    finally:
        server.close()


class _Server:
    """Answers each request with the next of these bytes; an empty answer closes the connection."""

    def __init__(self, answers: tuple[bytes, ...], context: ssl.SSLContext | None) -> None:
        self._answers, self._context = list(answers), context
        self.connections, self.requests = 0, list[bytes]()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        try:
            with self._context.wrap_socket(link, server_side=True) if self._context else link as talk:
                while request := talk.recv(65536):
                    self.requests.append(request)
                    answer = self._answers.pop(0)
                    if not answer:
                        return
                    talk.sendall(answer)
                    if b"Connection: close" in answer:
                        return
        except OSError:
            return

    def close(self) -> None:
        """Nobody listens any more. A thread in `accept` would go on to, whatever is closed."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()


def calling(url: str) -> Callable[[], Any]:
    """Lists ECS clusters there, through a client of its own."""
    client = Clients(DoorSettings(endpoint_url=url), load_catalog().operations()).get(
        Keys("AKIA111122223333", "secret"), "us-east-1", "ecs"
    )
    call = prepare(Parts(client), "list_clusters")
    return lambda: call({})["clusterArns"]


@pytest.mark.parametrize(
    "answer",
    [
        PLAIN,
        b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(LIST), LIST),
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + LIST,
        b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n" + LIST,
        b"HTTP/1.1 200\r\ncontent-LENGTH:%d\r\n\r\n%b" % (len(LIST), LIST),
        b"HTTP/1.1 200 OK\r\nX-Folded: one\r\n two\r\nContent-Length: %d\r\n\r\n%b" % (len(LIST), LIST),
    ],
)
def test_an_answer_is_read_however_http_frames_it(answer: bytes) -> None:
    with answering(answer) as server:
        assert calling(f"http://127.0.0.1:{server.port}")() == FOUND


def test_requests_of_one_client_share_a_connection_until_the_server_closes_it() -> None:
    with answering(PLAIN, PLAIN.replace(b"\r\n", b"\r\nConnection: close\r\n", 1), PLAIN) as server:
        call = calling(f"http://127.0.0.1:{server.port}")
        assert [call(), call(), call()] == [FOUND] * 3
        assert server.connections == 2


@pytest.mark.parametrize("answer", [b"", b"no HTTP\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n"])
def test_what_is_no_answer_is_botocores_error_for_a_broken_connection(answer: bytes) -> None:
    with answering(answer) as server, pytest.raises(aws.ConnectionClosedError):
        calling(f"http://127.0.0.1:{server.port}")()


HALF = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b" % (len(LIST), LIST[:9])
BOTH = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Same: a\r\nx-same: b\r\nX-Amz-Id: 1\r\n\r\n{}"
REDIRECT = b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nConnection: close\r\n\r\n{}"


TWO_LENGTHS = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\n{} more"
SAME_LENGTHS = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}"
MANY = [PLAIN, HALF, BOTH, REDIRECT, SHORT, TWO_LENGTHS, SAME_LENGTHS, b"", b"no HTTP\r\n\r\n", None]


@pytest.mark.parametrize("answer", MANY)
def test_the_short_way_gives_what_botocores_own_gives(answer: bytes | None) -> None:
    """The same status, headers and body, or an error of the same kind. None: nobody listens, or nobody answers."""
    said = []
    for way in (send, URLLib3Session.send):
        with answering(*[answer] * (answer is not None), PLAIN) as server:
            if answer is None:
                server.close()
            session = URLLib3Session(timeout=5)
            shorten(session)
            request = Request("GET", f"http://127.0.0.1:{server.port}/", {"Host": "x"}, None, {})
            try:
                got = way(session, request)
                said.append((got.status_code, dict(got.headers), got.content))
            except aws.BotoCoreError as error:
                said.append((type(error), str(error).replace(str(server.port), "")))
            if answer in (PLAIN, BOTH, REDIRECT, SAME_LENGTHS):
                assert way(session, request).status_code == 200
                assert server.connections == 1  # it was put back
    assert said[0] == said[1]
    assert answer is not None or said[0][0] is aws.EndpointConnectionError


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"])
def test_a_server_that_falls_silent_is_a_timeout_of_reading(begun: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        session = URLLib3Session(timeout=(5, 0.2))
        shorten(session)
        request = Request("GET", f"http://127.0.0.1:{listener.getsockname()[1]}/", {"Host": "x"}, None, {})
        links: list[socket.socket] = []

        def serve() -> None:
            links.append(listener.accept()[0])
            with contextlib.suppress(OSError):
                links[0].sendall(begun)

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        with pytest.raises(aws.ReadTimeoutError):
            send(session, request)
        serving.join()
        links[0].close()


def test_a_line_break_in_a_parameter_makes_no_header() -> None:
    with answering(PLAIN) as server:
        client = Clients(DoorSettings(endpoint_url=f"http://127.0.0.1:{server.port}"), load_catalog().operations()).get(
            Keys("AKIA111122223333", "secret", "token\r\nX-Smuggled: yes"), "us-east-1", "ecs"
        )
        with pytest.raises(aws.HTTPClientError, match="line break"):
            prepare(Parts(client), "list_clusters")({})
        assert server.requests == []


class Authority:
    """A certificate authority, its file, and servers that it vouches for."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._key, self._name = folder, ec.generate_private_key(ec.SECP256R1()), _name(name)
        made = self._certificate(self._name, self._key.public_key())
        self._ca = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(
            self._key, hashes.SHA256()
        )
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self._ca.public_bytes(serialization.Encoding.PEM))

    def context(self, host: str) -> ssl.SSLContext:
        """What a server of this host speaks TLS with."""
        key = ec.generate_private_key(ec.SECP256R1())
        named = x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
        made = self._certificate(_name(host), key.public_key()).add_extension(
            x509.SubjectAlternativeName([named]), critical=False
        )
        chain = self._folder / f"{host}.chain"
        chain.write_bytes(
            made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        return context

    def _certificate(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key)
        made = made.serial_number(x509.random_serial_number())
        return made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    made = Authority(tmp_path, "authority")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(made.file))
    return made


def test_a_server_whose_authority_is_in_the_bundle_is_asked(authority: Authority) -> None:
    with answering(PLAIN, PLAIN, context=authority.context("127.0.0.1")) as server:
        url = f"https://127.0.0.1:{server.port}"
        assert [calling(url)(), calling(url)()] == [FOUND] * 2


def test_a_server_of_another_authority_gets_no_request(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(PLAIN, PLAIN, context=authority.context("127.0.0.1")) as server:
        url = f"https://127.0.0.1:{server.port}"
        assert calling(url)() == FOUND
        monkeypatch.setenv("AWS_CA_BUNDLE", str(Authority(tmp_path, "other").file))
        with pytest.raises(aws.SSLError):
            calling(url)()
        monkeypatch.delenv("AWS_CA_BUNDLE")
        with pytest.raises(aws.SSLError):
            calling(url)()
        assert len(server.requests) == 1


def test_a_server_with_a_certificate_of_another_host_gets_no_request(authority: Authority) -> None:
    with answering(PLAIN, context=authority.context("elsewhere.example")) as server:
        with pytest.raises(aws.SSLError):
            calling(f"https://127.0.0.1:{server.port}")()
        assert server.requests == []


def test_a_bundle_that_is_not_there_is_said_as_botocore_says_it(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "gone.pem"))
    with answering(PLAIN, context=authority.context("127.0.0.1")) as server, pytest.raises(aws.SSLError):
        calling(f"https://127.0.0.1:{server.port}")()


def test_a_bundle_that_changes_is_read_again(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    with answering(PLAIN, PLAIN, context=other.context("127.0.0.1")) as server:
        url = f"https://127.0.0.1:{server.port}"
        with pytest.raises(aws.SSLError):
            calling(url)()
        authority.file.write_bytes(other.file.read_bytes())
        assert calling(url)() == FOUND
