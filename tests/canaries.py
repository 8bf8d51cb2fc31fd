"""Planted secrets, an AWS that tells them wherever AWS can, and a search for them in all that a scan leaves behind."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import zstandard
from botocore import xform_name

from scanner.fakeaws import FakeAws
from scanner.fakeaws.server import Answer, Raw

_KINDS = (
    "lambda-variable", "lambda-error", "lambda-command", "ecs-variable", "ecs-command", "ecs-splunk-token",
    "ecs-driver-password", "user-data", "db-password", "cluster-password", "oidc-secret", "rule-oidc-secret",
    "secret-key", "session-token", "role-secret-key", "role-session-token", "external-id", "endpoint-password",
    "proxy-password", "presigned-url",
)  # fmt: skip
CANARIES: Mapping[str, str] = {kind: f"canary+{kind}+7f3a/never" for kind in _KINDS}
ACCOUNT, ROLE_ACCOUNT = "111122223333", "444455556666"
ROLE = f"arn:aws:iam::{ROLE_ACCOUNT}:role/reader"
# What of all that the scan's own user has put into the environment, where his processes may have it.
OF_THE_ENVIRONMENT = ("secret-key", "session-token", "endpoint-password", "proxy-password")


def environment(url: str) -> dict[str, str]:
    """What a user's environment may hold; `url` is the endpoint's without user and password."""
    return {
        "AWS_ACCESS_KEY_ID": f"AKIA{ACCOUNT}",
        "AWS_SECRET_ACCESS_KEY": CANARIES["secret-key"],
        "AWS_SESSION_TOKEN": CANARIES["session-token"],
        "AWS_ENDPOINT_URL": url.replace("//", f"//user:{quote(CANARIES['endpoint-password'], safe='')}@"),
        "HTTPS_PROXY": f"http://user:{quote(CANARIES['proxy-password'], safe='')}@127.0.0.1:9",
        "NO_PROXY": "127.0.0.1",
    }


def accounts() -> list[dict[str, str]]:
    """The accounts of a profile: one by the ambient keys, one by a role that wants an external id."""
    return [{"id": ACCOUNT}, {"role_arn": ROLE, "external_id": CANARIES["external-id"]}]


def found_canaries(folder: Path, texts: Iterable[str] = (), names: Iterable[str] = CANARIES) -> list[str]:
    """The planted secrets in any file below a folder (unpacked, if it is packed) and in texts: "NAME in PLACE"."""
    wanted = {name: _spellings(CANARIES[name]) for name in names}
    return sorted(
        f"{name} in {place}"
        for place, content in [*_files(folder), *((f"text {at}", text.encode()) for at, text in enumerate(texts))]
        for name, spellings in wanted.items()
        if any(one in content for one in spellings)
    )


def _spellings(secret: str) -> set[bytes]:
    """As it is, in a URL, in JSON, and in base64 wherever it may begin."""
    raw = secret.encode()
    packed = {base64.b64encode(b"\0" * shift + raw)[4:-4] for shift in range(3)}
    return {raw, quote(secret).encode(), quote(secret, safe="").encode(), orjson.dumps(secret)[1:-1], *packed}


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            yield str(path.relative_to(folder)), content
            if path.suffix == ".zst":
                yield f"{path.relative_to(folder)} unpacked", zstandard.ZstdDecompressor().stream_reader(content).read()


class TellingAws(FakeAws):
    """A fake AWS whose answers have secrets in them, as AWS's have, and whose refusals tell what was signed."""

    def handle(self, raw: Raw) -> Answer:
        if "/sqs/" in raw.headers.get("Authorization", ""):
            return (
                403,
                "application/x-amz-json-1.0",
                orjson.dumps({"__type": "SignatureDoesNotMatch", "message": _ECHO}),
            )
        if "/logs/" in raw.headers.get("Authorization", ""):
            return 400, "application/x-amz-json-1.1", orjson.dumps({"__type": "Odd", "message": _PRESIGNED})
        return super().handle(raw)

    def _made(self, request: Any, account: str, operation: str) -> Mapping[str, Any]:
        answer = dict(super()._made(request, account, operation))
        planted = _PLANTED.get((request.service, xform_name(request.model.name)))
        return _over(answer, planted) if planted else answer


def _over(answer: Any, planted: Any) -> Any:
    """An answer with what is planted: in each item of a list."""
    if isinstance(answer, list) and isinstance(planted, dict):
        return [_over(one, planted) for one in answer]
    if isinstance(answer, dict) and isinstance(planted, dict):
        return {**answer, **{name: _over(answer.get(name), value) for name, value in planted.items()}}
    return planted


_ECHO = (
    "The request signature we calculated does not match the signature you provided.\n\nThe Canonical String for this "
    f"request should have been\n'POST\n/\n\nhost:sqs\nx-amz-security-token:{CANARIES['session-token']}\n\nhost'"
)
_PRESIGNED = (
    f"cannot read https://b.s3.test/k?X-Amz-Security-Token={quote(CANARIES['presigned-url'])}&X-Amz-Signature=0"
)
_OIDC = {"Type": "authenticate-oidc", "AuthenticateOidcConfig": {"Issuer": "https://issuer.test"}}


def _action(name: str) -> list[dict[str, Any]]:
    return [{**_OIDC, "AuthenticateOidcConfig": {"Issuer": "https://issuer.test", "ClientSecret": CANARIES[name]}}]


_CONTAINER = {
    "name": "web",
    "environment": [{"name": "TOKEN", "value": CANARIES["ecs-variable"]}],
    "secrets": [{"name": "KEY", "valueFrom": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:key"}],
    "command": ["serve", "--password", CANARIES["ecs-command"]],
    "logConfiguration": {"logDriver": "splunk", "options": {"splunk-token": CANARIES["ecs-splunk-token"]}},
}
_VOLUME = {"name": "v", "dockerVolumeConfiguration": {"driverOpts": {"o": CANARIES["ecs-driver-password"]}}}
_FUNCTION = {
    "Environment": {
        "Variables": {"DB_PASSWORD": CANARIES["lambda-variable"]},
        "Error": {"ErrorCode": "AccessDenied", "Message": CANARIES["lambda-error"]},
    },
    "ImageConfigResponse": {"ImageConfig": {"Command": [CANARIES["lambda-command"]]}},
}
_PLANTED: Mapping[tuple[str, str], Any] = {
    ("lambda", "list_functions"): {"Functions": _FUNCTION},
    ("ecs", "describe_task_definition"): {
        "taskDefinition": {"containerDefinitions": [_CONTAINER], "volumes": [_VOLUME]}
    },
    ("autoscaling", "describe_launch_configurations"): {
        "LaunchConfigurations": {"UserData": base64.b64encode(CANARIES["user-data"].encode()).decode()}
    },
    ("rds", "describe_db_instances"): {
        "DBInstances": {"PendingModifiedValues": {"MasterUserPassword": CANARIES["db-password"]}}
    },
    ("rds", "describe_db_clusters"): {
        "DBClusters": {"PendingModifiedValues": {"MasterUserPassword": CANARIES["cluster-password"]}}
    },
    ("elbv2", "describe_listeners"): {"Listeners": {"DefaultActions": _action("oidc-secret")}},
    ("elbv2", "describe_rules"): {"Rules": {"Actions": _action("rule-oidc-secret")}},
    ("sts", "assume_role"): {
        "Credentials": {
            "SecretAccessKey": CANARIES["role-secret-key"],
            "SessionToken": CANARIES["role-session-token"],
        }
    },
}  # fmt: skip
SERVICES = ["lambda", "ecs", "autoscaling", "rds", "elbv2", "sqs", "logs"]
