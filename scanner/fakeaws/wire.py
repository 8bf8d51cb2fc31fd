"""AWS's protocols from the server's side: requests parsed and answers written by botocore's shapes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import escape

import orjson
from botocore.model import OperationModel, ServiceModel

from scanner.catalog import models
from scanner.catalog.models import AnyShape

_SCOPE = re.compile(r"Credential=([^/]+)/[^/]+/([^/]+)/([^/]+)/aws4_request")


@dataclass(frozen=True, slots=True)
class Request:
    """A request understood: who (access key) asks which operation of which service in which region."""

    access_key: str
    region: str
    model: OperationModel
    params: dict[str, Any]

    @property
    def service(self) -> str:
        """The botocore client's name."""
        return str(self.model.service_model.service_name)


@dataclass(frozen=True, slots=True)
class Raw:
    """An HTTP request as it came."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    peer_port: int = 0  # of the client: tells which process asks


class NotUnderstood(ValueError):
    """A request that is none of the served services'."""


def read(raw: Raw, services: tuple[str, ...]) -> Request:
    """Understand a request. Raises NotUnderstood."""
    scope = _SCOPE.search(raw.headers.get("Authorization", ""))
    if not scope:
        raise NotUnderstood("no SigV4 signature")
    access_key, region, signing = scope.groups()
    for service in _signed_as(signing, services):
        found = _operation(service, raw)
        if found:
            return Request(access_key, region, *found)
    raise NotUnderstood(f"nothing of {signing} fits {raw.method} {raw.path}")


@lru_cache(maxsize=64)
def _signed_as(signing: str, services: tuple[str, ...]) -> list[ServiceModel]:
    # Of services that are not served most clients are named as they sign: what is asked of them is told and counted.
    found = [models.service_model(name) for name in dict.fromkeys((*services, signing))]
    return [model for model in found if model and model.signing_name == signing]


def _operation(service: ServiceModel, raw: Raw) -> tuple[OperationModel, dict[str, Any]] | None:
    protocol = service.resolved_protocol
    if protocol in ("query", "ec2"):
        form = dict(parse_qsl(raw.body.decode(), keep_blank_values=True))
        if form.get("Version") != service.api_version or form.get("Action") not in service.operation_names:
            return None
        model = service.operation_model(form["Action"])
        return model, _from_form(model.input_shape, form, "", protocol) if model.input_shape else {}
    if protocol == "json":
        prefix, _, name = raw.headers.get("X-Amz-Target", "").rpartition(".")
        if prefix != service.metadata.get("targetPrefix") or name not in service.operation_names:
            return None
        return service.operation_model(name), orjson.loads(raw.body or b"{}")
    return _by_uri(service, raw)


@lru_cache(maxsize=64)
def _routes(service: ServiceModel) -> list[tuple[str, re.Pattern[str], frozenset[str], OperationModel]]:
    routes = []
    for name in service.operation_names:
        model = service.operation_model(name)
        path, _, fixed = model.http["requestUri"].partition("?")
        pattern = re.sub(r"\\\{(\w+)(\\\+)?\\\}", lambda m: f"(?P<{m[1]}>{'.+' if m[2] else '[^/]+'})", re.escape(path))
        flags = frozenset(one for one in fixed.split("&") if one)
        routes.append((model.http["method"], re.compile(pattern.rstrip("/") + "/?"), flags, model))
    # The most particular route first: a fixed query, a longer path.
    return sorted(routes, key=lambda route: (-len(route[2]), -len(route[1].pattern), route[3].deprecated))


def _by_uri(service: ServiceModel, raw: Raw) -> tuple[OperationModel, dict[str, Any]] | None:
    given = parse_qsl(raw.query, keep_blank_values=True)
    flags = {f"{name}={value}" if value else name for name, value in given}
    for method, pattern, fixed, model in _routes(service):
        found = pattern.fullmatch(raw.path)
        if method == raw.method and found and fixed <= flags:
            return model, {**_from_body(model, raw.body), **_from_uri(model, found.groupdict(), given)}
    return None


def _from_body(model: OperationModel, body: bytes) -> dict[str, Any]:
    """The parameters in a JSON body (rest-json): those that have no place in the address or the headers."""
    members = model.input_shape.members if model.input_shape else {}
    inside = {name: one.serialization.get("name", name) for name, one in members.items() if _is_in_body(one)}
    if not body or not inside or model.service_model.resolved_protocol != "rest-json":
        return {}
    said = orjson.loads(body)
    return {name: said[word] for name, word in inside.items() if word in said}


def _is_in_body(shape: AnyShape) -> bool:
    return shape.serialization.get("location") is None


def _from_uri(model: OperationModel, labels: Mapping[str, str], given: list[tuple[str, str]]) -> dict[str, Any]:
    params: dict[str, Any] = {}
    members = model.input_shape.members if model.input_shape else {}
    for name, shape in members.items():
        word = shape.serialization.get("name", name)
        where = shape.serialization.get("location")
        if where == "uri" and word in labels:
            params[name] = unquote(labels[word])
        elif where == "querystring":
            values = [value for key, value in given if key == word]
            if values:
                params[name] = values if shape.type_name == "list" else _scalar(shape, values[0])
    return params


def _from_form(shape: AnyShape, form: Mapping[str, str], prefix: str, protocol: str) -> Any:
    if shape.type_name == "structure":
        found = {}
        for name, member in shape.members.items():
            value = _from_form(member, form, _join(prefix, _form_name(name, member, protocol)), protocol)
            if value is not None:
                found[name] = value
        return found if found or not prefix else None
    if shape.type_name == "list":
        flat = protocol == "ec2" or shape.serialization.get("flattened")
        stem = prefix if flat else _join(prefix, shape.member.serialization.get("name", "member"))
        values = []
        for at in range(1, 1001):
            value = _from_form(shape.member, form, f"{stem}.{at}", protocol)
            if value is None:
                break
            values.append(value)
        return values or None
    return _scalar(shape, form[prefix]) if prefix in form else None


def _form_name(name: str, shape: AnyShape, protocol: str) -> str:
    if protocol == "ec2":
        word = shape.serialization.get("queryName") or shape.serialization.get("name", name)
        return str(word[:1].upper() + word[1:])
    if shape.type_name == "list" and shape.serialization.get("flattened"):
        return str(shape.member.serialization.get("name", name))
    return str(shape.serialization.get("name", name))


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _scalar(shape: AnyShape, text: str) -> Any:
    if shape.type_name in ("integer", "long"):
        return int(text)
    if shape.type_name == "boolean":
        return text == "true"
    return text


def write(model: OperationModel, answer: Mapping[str, Any]) -> tuple[str, bytes]:
    """An answer as content type and body."""
    protocol = model.service_model.resolved_protocol
    shape: AnyShape = model.output_shape
    if protocol in ("json", "rest-json"):
        kind = "application/json" if protocol == "rest-json" else "application/x-amz-json-1.1"
        return kind, orjson.dumps(_json(shape, answer) if shape else {})
    payload = shape.serialization.get("payload") if shape else None
    if payload and shape.members[payload].type_name == "string":
        return "text/plain", str(answer.get(payload, "")).encode()
    body = "".join(_xml_members(shape, answer, protocol)) if shape else ""
    if payload:
        name = shape.members[payload].serialization.get("name", payload)
        body = "".join(_xml(shape.members[payload], name, answer.get(payload), protocol))
        return "text/xml", f'<?xml version="1.0"?>{body}'.encode()
    return "text/xml", f'<?xml version="1.0"?>{_envelope(model, body, protocol)}'.encode()


def _envelope(model: OperationModel, body: str, protocol: str) -> str:
    if protocol == "ec2":
        return f"<{model.name}Response><requestId>fake</requestId>{body}</{model.name}Response>"
    if protocol == "rest-xml":
        name = model.output_shape.serialization.get("name", f"{model.name}Result") if model.output_shape else "R"
        return f"<{name}>{body}</{name}>"
    wrapper = model.output_shape.serialization.get("resultWrapper") if model.output_shape else None
    inner = f"<{wrapper}>{body}</{wrapper}>" if wrapper else body
    meta = "<ResponseMetadata><RequestId>fake</RequestId></ResponseMetadata>"
    return f"<{model.name}Response>{inner}{meta}</{model.name}Response>"


def _json(shape: AnyShape, value: Any) -> Any:
    if value is None:
        return None
    if shape.type_name == "structure":
        members = shape.members.items()
        return {one.serialization.get("name", name): _json(one, value[name]) for name, one in members if name in value}
    if shape.type_name == "list":
        return [_json(shape.member, one) for one in value]
    if shape.type_name == "map":
        return {key: _json(shape.value, one) for key, one in value.items()}
    return value


def _xml_members(shape: AnyShape, value: Mapping[str, Any], protocol: str) -> Iterator[str]:
    for name, member in shape.members.items():
        if value.get(name) is not None and member.serialization.get("location") not in ("header", "statusCode"):
            flat = member.type_name == "list" and member.serialization.get("flattened")
            word = member.member.serialization.get("name", name) if flat else name
            yield from _xml(member, member.serialization.get("name", word), value[name], protocol)


def _xml(shape: AnyShape, name: str, value: Any, protocol: str) -> Iterator[str]:
    if value is None:
        return
    if shape.type_name == "structure":
        yield f"<{name}>{''.join(_xml_members(shape, value, protocol))}</{name}>"
    elif shape.type_name == "list":
        flat = shape.serialization.get("flattened")
        default = "item" if protocol == "ec2" else "member"
        word = name if flat else shape.member.serialization.get("name", default)
        inner = "".join(text for one in value for text in _xml(shape.member, word, one, protocol))
        yield inner if flat else f"<{name}>{inner}</{name}>"
    elif shape.type_name == "map":
        key = shape.key.serialization.get("name", "key")
        word = shape.value.serialization.get("name", "value")
        pairs = "".join(
            f"<entry><{key}>{escape(str(k))}</{key}>{''.join(_xml(shape.value, word, v, protocol))}</entry>"
            for k, v in value.items()
        )
        yield f"<{name}>{pairs}</{name}>"
    else:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        yield f"<{name}>{escape(text)}</{name}>"
