"""A prepared call is botocore's own call: the same request, a valid signature, the same answer, the same error."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

import botocore.session
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from scanner.aws.clients import Clients
from scanner.aws.operations import Parts, prepare
from scanner.aws.settings import DoorSettings
from scanner.catalog import load_catalog
from scanner.fakeaws import FakeAws, Fleet, Rule
from scanner.model import Keys
from tests.processes import PatientServer

KEYS = Keys("AKIA111122223333", "secret", "token")
CALLS = sorted(load_catalog().operations())
# What botocore adds for its own retries, and what changes from second to second.
VOLATILE = {"user-agent", "amz-sdk-invocation-id", "amz-sdk-request", "x-amz-date", "authorization"}
Sent = tuple[str, str, dict[str, str], bytes]


class Recorder:
    """A server before a fake AWS that keeps every request as it came over the wire."""

    def __init__(self, target: str) -> None:
        self.sent: list[Sent] = []
        recorder, place = self, urlsplit(target)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                recorder.sent.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                behind = http.client.HTTPConnection(str(place.hostname), place.port)
                behind.request(self.command, self.path, body, dict(self.headers))
                answer = behind.getresponse()
                content = answer.read()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                behind.close()

            do_GET = do_POST = do_PUT = do_HEAD = _pass_on

            def log_message(self, *_: object) -> None: ...

        self._server = PatientServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    with FakeAws(Fleet(items=3, page_size=2)) as fake:
        made = Recorder(fake.url)
        yield made
        made.close()


@pytest.fixture(scope="module")
def denying() -> Iterator[Recorder]:
    with FakeAws(Fleet(items=1), (Rule("deny"),)) as fake:
        made = Recorder(fake.url)
        yield made
        made.close()


@pytest.fixture(scope="module")
def plain() -> Callable[[str, str], Any]:
    """Clients of an ordinary botocore session: whole models, its own parsers."""
    session, made = botocore.session.Session(), {}

    def client(url: str, service: str) -> Any:
        if (url, service) not in made:
            made[url, service] = session.create_client(
                service,
                region_name="us-east-1",
                endpoint_url=url,
                aws_access_key_id=KEYS.access_key,
                aws_secret_access_key=KEYS.secret_key,
                aws_session_token=KEYS.token,
                config=Config(retries={"total_max_attempts": 1, "mode": "standard"}),
            )
        return made[url, service]

    return client


def _sample(shape: Any, depth: int = 0) -> Any:
    """The least valid value of a shape."""
    if shape.type_name == "structure":
        return {name: _sample(shape.members[name], depth + 1) for name in shape.required_members}
    if shape.type_name == "list":
        return [_sample(shape.member, depth + 1)]
    if shape.type_name == "string":
        return shape.enum[0] if shape.enum else "x" * max(3, shape.metadata.get("min", 3))
    return {"boolean": True, "map": {}, "timestamp": "2026-01-01T00:00:00Z"}.get(shape.type_name, 1)


def _params(client: Any, method: str) -> dict[str, Any]:
    shape = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method]).input_shape
    params = dict(_sample(shape)) if shape else {}
    return {**params, "RoleArn": "arn:aws:iam::111122223333:role/reader"} if "RoleArn" in params else params


def _ours(url: str, service: str) -> Any:
    return Clients(DoorSettings(endpoint_url=url), load_catalog().operations()).get(KEYS, "us-east-1", service)


def _texts(answer: Any) -> Any:
    """An answer with times as our parser writes them."""
    if isinstance(answer, dict):
        return {name: _texts(value) for name, value in answer.items()}
    if isinstance(answer, list):
        return [_texts(value) for value in answer]
    return answer.strftime("%Y-%m-%dT%H:%M:%SZ") if hasattr(answer, "strftime") else answer


@pytest.mark.parametrize(("service", "method"), CALLS)
def test_a_prepared_call_sends_and_answers_what_botocore_does(
    service: str, method: str, recorder: Recorder, plain: Callable[[str, str], Any]
) -> None:
    client = plain(recorder.url, service)
    params = _params(client, method)
    expected = _answer_of(lambda: getattr(client, method)(**params))
    found = _answer_of(lambda: prepare(Parts(_ours(recorder.url, service)), method)(params))
    theirs, ours = recorder.sent[-2:]
    assert _stable(ours) == _stable(theirs)
    for answer in (found, expected):
        answer.get("Credentials", {}).pop("AccessKeyId", None)  # new ones each time
    assert found == _texts(expected)
    _check_signature(service, recorder.url, ours)


@pytest.mark.parametrize(("service", "method"), CALLS)
def test_a_denied_prepared_call_raises_botocores_error(
    service: str, method: str, denying: Recorder, plain: Callable[[str, str], Any]
) -> None:
    client = plain(denying.url, service)
    params = _params(client, method)
    with pytest.raises(ClientError) as expected:
        getattr(client, method)(**params)
    with pytest.raises(ClientError) as found:
        prepare(Parts(_ours(denying.url, service)), method)(params)
    assert found.value.response["Error"] == expected.value.response["Error"]


def _answer_of(call: Callable[[], Any]) -> Any:
    try:
        answer = call()
    except ClientError as error:
        return error.response["Error"]
    status = answer.pop("ResponseMetadata")["HTTPStatusCode"]
    return {**answer, "status": status}


def _stable(sent: Sent) -> Sent:
    command, path, headers, body = sent
    return command, path, {name: value for name, value in headers.items() if name not in VOLATILE}, body


def _check_signature(service: str, url: str, sent: Sent) -> None:
    """Sign again what arrived, by botocore's plain signer; the signatures must be the same."""
    command, path, headers, body = sent
    given = headers["authorization"]
    scope = given.split("Credential=")[1].split(",")[0].split("/")
    signed = given.split("SignedHeaders=")[1].split(",")[0].split(";")
    kept = {name: headers[name] for name in signed if name != "x-amz-date"}
    request = AWSRequest(command, f"{url}{path}", headers=kept, data=body)
    request.context["timestamp"] = headers["x-amz-date"]
    signer = (S3SigV4Auth if service == "s3" else SigV4Auth)(
        Credentials(KEYS.access_key, KEYS.secret_key, KEYS.token).get_frozen_credentials(), scope[3], scope[2]
    )
    request.headers["X-Amz-Date"] = headers["x-amz-date"]
    canonical = signer.canonical_request(request)
    assert given.endswith(f"Signature={signer.signature(signer.string_to_sign(request, canonical), request)}")
