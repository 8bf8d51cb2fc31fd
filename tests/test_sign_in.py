"""Every way of botocore's own chain to sign in, asked for real: processes, roles, tokens, SSO, metadata of machines."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from scanner.fakeaws import FakeAws
from tests.conftest import Bench
from tests.processes import PatientServer

Start = Callable[..., FakeAws]

KEY = "ASIA444455556666"
FAR = "2099-01-01T00:00:00Z"
NOBODY = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
_GIVEN = {"AccessKeyId": KEY, "SecretAccessKey": "a-secret", "Token": "a-token", "Expiration": FAR}
_WEB_IDENTITY = (
    "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>"
    f"<AccessKeyId>{KEY}</AccessKeyId><SecretAccessKey>a-secret</SecretAccessKey><SessionToken>a-token</SessionToken>"
    f"<Expiration>{FAR}</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
)
_SSO = {"accessKeyId": KEY, "secretAccessKey": "a-secret", "sessionToken": "a-token", "expiration": 4_070_908_800_000}


class Giver(BaseHTTPRequestHandler):
    """What gives credentials on other machines: metadata services, STS for tokens, SSO."""

    asked: list[str]

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.asked.append(path)
        answers = {
            "/latest/meta-data/iam/security-credentials/": "scanner-role",
            "/latest/meta-data/iam/security-credentials/scanner-role": json.dumps({"Code": "Success", **_GIVEN}),
            "/container": json.dumps(_GIVEN),
            "/federation/credentials": json.dumps({"roleCredentials": _SSO}),
        }
        self._say(answers.get(path))

    def do_PUT(self) -> None:
        self._say("imds-token")

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.asked.append(f"{form['Action'][0]} {form['WebIdentityToken'][0]}")
        self._say(_WEB_IDENTITY)

    def _say(self, text: str | None) -> None:
        body = (text or "").encode()
        self.send_response(200 if text else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def giver() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    server = PatientServer(("127.0.0.1", 0), type("One", (Giver,), {"asked": asked}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    server.server_close()
    thread.join()


def whoami(
    bench: Bench, server: FakeAws, account: dict[str, str], *, alone: bool = False, **environment: str
) -> dict[str, object]:
    profile = bench.profile(server.url, accounts=[account], regions=["us-east-1"])
    run = bench.run if alone else bench.here
    done = run("whoami", profile, "--json", **{**NOBODY, **environment})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a-secret" not in done.stdout + done.stderr
    return dict(json.loads(done.stdout)["accounts"][0])


def config(bench: Bench, text: str) -> str:
    path = bench.folder / "aws-config"
    path.write_text(text)
    return str(path)


def test_credential_process(bench: Bench, fake: Start) -> None:
    said = {"Version": 1, "AccessKeyId": KEY, "SecretAccessKey": "a-secret", "SessionToken": "t", "Expiration": FAR}
    script = bench.folder / "give"
    script.write_text(f"#!{sys.executable}\nprint({json.dumps(json.dumps(said))})\n")
    script.chmod(0o700)
    text = f"[profile helper]\ncredential_process = {script}\n"
    account = whoami(bench, fake(), {"aws_profile": "helper"}, AWS_CONFIG_FILE=config(bench, text))
    assert (account["account_id"], account["reached_by"]) == ("444455556666", ["AWS profile helper (custom-process)"])


def test_a_credential_process_that_is_not_there_is_one_line(bench: Bench, fake: Start) -> None:
    text = "[profile helper]\ncredential_process = /nowhere/at/all\n"
    profile = bench.profile(fake().url, accounts=[{"aws_profile": "helper"}])
    done = bench.here("scan", profile, "--quiet", AWS_CONFIG_FILE=config(bench, text), **NOBODY)
    assert done.returncode == 4
    assert "/nowhere/at/all" in done.stderr
    assert "check `aws sts get-caller-identity --profile helper`" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_web_identity_token(bench: Bench, fake: Start, giver: tuple[str, list[str]]) -> None:
    url, asked = giver
    token = bench.folder / "token"
    token.write_text("the-token-of-the-job")
    account = whoami(
        bench, fake(), {}, AWS_ROLE_ARN="arn:aws:iam::444455556666:role/job", AWS_WEB_IDENTITY_TOKEN_FILE=str(token),
        AWS_ENDPOINT_URL_STS=url,
    )  # fmt: skip
    assert account["account_id"] == "444455556666"
    assert asked == ["AssumeRoleWithWebIdentity the-token-of-the-job"]


def test_sso(bench: Bench, fake: Start, giver: tuple[str, list[str]]) -> None:
    url, asked = giver
    start_url = "https://start.test"
    cache = Path(bench.environment()["HOME"]) / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    token = {"startUrl": start_url, "region": "us-east-1", "accessToken": "an-sso-token", "expiresAt": FAR}
    (cache / f"{hashlib.sha1(start_url.encode()).hexdigest()}.json").write_text(json.dumps(token))
    text = (
        f"[profile sso]\nsso_start_url = {start_url}\nsso_region = us-east-1\n"
        "sso_account_id = 444455556666\nsso_role_name = reader\n"
    )
    account = whoami(
        # botocore looks up its folder in the home directory when it is imported.
        bench,
        fake(),
        {"aws_profile": "sso"},
        alone=True,
        AWS_CONFIG_FILE=config(bench, text),
        AWS_ENDPOINT_URL_SSO=url,
    )
    assert (account["account_id"], account["reached_by"]) == ("444455556666", ["AWS profile sso (sso)"])
    assert asked == ["/federation/credentials"]


def test_the_role_of_a_machine_and_of_a_container(bench: Bench, fake: Start, giver: tuple[str, list[str]]) -> None:
    url, asked = giver
    server = fake()
    found = whoami(bench, server, {}, AWS_EC2_METADATA_DISABLED="false", AWS_EC2_METADATA_SERVICE_ENDPOINT=url)
    assert (found["account_id"], found["reached_by"]) == ("444455556666", ["the instance's role (EC2 metadata)"])
    assert asked[-1] == "/latest/meta-data/iam/security-credentials/scanner-role"
    found = whoami(bench, server, {}, AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{url}/container")
    assert (found["account_id"], found["reached_by"]) == ("444455556666", ["the container's role"])


def test_a_chain_without_a_region_asks_a_regional_endpoint_of_sts(bench: Bench) -> None:
    # The global endpoint's tokens are refused by regions that must be opted into.
    code = (
        "from scanner.aws.clients import Clients, chain_session\n"
        "from scanner.aws.settings import DoorSettings\n"
        "from scanner.model import Keys\n"
        "keys = {'aws_access_key_id': 'a', 'aws_secret_access_key': 'b'}\n"
        "chain = chain_session(None, 'us-east-1').create_client('sts', **keys)\n"
        "own = Clients(DoorSettings(), frozenset()).get(Keys('a', 'b'), 'us-east-1', 'sts')\n"
        "print(chain.meta.endpoint_url, own.meta.endpoint_url)\n"
    )
    text = "[default]\nsts_regional_endpoints = legacy\n"
    environment = bench.environment(AWS_CONFIG_FILE=config(bench, text))
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["https://sts.us-east-1.amazonaws.com"] * 2, done.stderr
