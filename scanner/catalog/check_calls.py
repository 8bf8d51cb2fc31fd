"""Proves a call of the catalog against the model of its operation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from botocore.model import OperationModel

from scanner.catalog import external, models
from scanner.catalog.findings import At, Finding, hole_findings, path_findings
from scanner.catalog.models import AnyShape
from scanner.catalog.paths import ANY, PathError, Type, force, from_shape, item_of, resolve
from scanner.catalog.source import unknown
from scanner.catalog.spec import Call

_READS = re.compile(r"^(list|describe|get|batch_get|search)_")
_SECRETS = frozenset({"get_secret_value", "get_parameter", "get_parameters", "get_session_token", "get_object"})
# Not in the models: S3's errors, and those that several services answer with.
_KNOWN_CODES = frozenset(
    {
        "NoSuchTagSet", "NoSuchBucket", "NoSuchBucketPolicy", "NoSuchLifecycleConfiguration",
        "NoSuchPublicAccessBlockConfiguration", "ServerSideEncryptionConfigurationNotFoundError",
        "NotFound", "ResourceNotFound", "ResourceNotFoundException", "NoSuchEntity", "AccessDenied",
    }
)  # fmt: skip


def call_findings(at: At, call: Call, env: Type) -> Iterator[Finding]:
    """What is wrong with a call whose holes see `env`: operation, parameters, answer, error codes, permissions."""
    model = models.operation(call.service, call.operation)
    if model is None:
        return
    if not _READS.match(call.operation) or call.operation in _SECRETS:
        yield (*at, "call"), f"{call.operation} is no read of an inventory"
    yield from _params(at, call, model, env)
    yield from _answer(at, call, model)
    for code in (*call.none, *call.off):
        errors: list[AnyShape] = list(model.error_shapes)
        known = {one.error_code or one.name for one in errors} | {one.name for one in errors} | _KNOWN_CODES
        if code not in known:
            yield (*at, "none"), f"{call.api} has no error {code!r}{unknown(code, known)}"
    for action in call.iam:
        if not external.action_exists(action):
            yield (*at, "iam"), f"IAM has no action {action!r}{unknown(action, external.actions_like(action))}"


def _params(at: At, call: Call, model: OperationModel, env: Type) -> Iterator[Finding]:
    members = model.input_shape.members if model.input_shape else {}
    required = model.input_shape.required_members if model.input_shape else []
    for name in required:
        if name not in call.params:
            yield at, f"{call.api} needs {name}"
    for name, value in call.params.items():
        if name not in members:
            yield (*at, "in", name), f"{call.api} has no parameter {name!r}{unknown(name, members)}"
        else:
            yield from _value((*at, "in", name), value, members[name], env)
    for name in (*call.input_tokens, *((call.size_param,) if call.size_param else ())):
        if name not in members:
            yield (*at, "page"), f"{call.api} has no parameter {name!r}{unknown(name, members)}"
    if len(call.input_tokens) != len(call.output_tokens):
        yield (*at, "page"), "needs as many outputs as inputs"


def _answer(at: At, call: Call, model: OperationModel) -> Iterator[Finding]:
    answer = from_shape(model.output_shape)
    for path, name in (
        (call.failed, "failed"),
        (call.more, "page"),
        *((one, "page") for one in call.output_tokens),
    ):
        yield from path_findings((*at, name), path, answer)
    try:
        found = force(resolve(call.out, answer))
    except PathError as error:
        yield (*at, "out"), f"{call.out!r} {error}"
        return
    many = at == ("list",) or call.batch
    if many and found.kind not in ("list", "any"):
        yield (*at, "out"), f"{call.out!r} yields a {found.kind}; a list is wanted"
    one = item_of(found) if call.batch else found
    yield from path_findings((*at, "key"), call.key, one)
    yield from path_findings((*at, "take"), call.take, one)
    if at[0] == "tags":
        taken = force(resolve(call.take, one)) if not list(path_findings(at, call.take, one)) else ANY
        if taken.kind not in ("list", "map", "any"):
            yield (*at, "out"), f"tags are a list or a map, not a {taken.kind}"


def _value(at: At, value: Any, shape: AnyShape, env: Type) -> Iterator[Finding]:
    """One parameter: its type, its holes, and for enumerations its value."""
    if isinstance(value, list | dict):
        yield from _nested(at, value, shape, env)
    elif isinstance(value, str) and "{" in value:
        yield from hole_findings(at, value, env)
    elif shape.type_name in ("structure", "list", "map"):
        yield at, f"is a {shape.type_name}, not {value!r}"
    else:
        allowed = getattr(shape, "enum", None) or _LITERALS.get(shape.name)
        if allowed and value not in allowed:
            yield at, f"{value!r} is not allowed{unknown(value, allowed)}; allowed: {', '.join(allowed)}"


def _nested(at: At, value: Any, shape: AnyShape, env: Type) -> Iterator[Finding]:
    wanted = "list" if isinstance(value, list) else "structure"
    if shape.type_name != wanted:
        yield at, f"is a {shape.type_name}, not a {wanted}"
        return
    if isinstance(value, list):
        for one in value:
            yield from _value(at, one, shape.member, env)
        return
    for name, one in value.items():
        if name not in shape.members:
            yield (*at, name), f"has no member {name!r}{unknown(name, shape.members)}"
        else:
            yield from _value((*at, name), one, shape.members[name], env)


# Strings that AWS documents and the models do not enumerate.
_LITERALS: dict[str, tuple[str, ...]] = {"OwnerIdsElement": ("self", "amazon"), "String": ("self", "amazon", "all")}
