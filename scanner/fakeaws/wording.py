"""Answers on their way out: what is sent, how, and an error's form in each of AWS's protocols."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate
from typing import NamedTuple
from xml.sax.saxutils import escape

import orjson
from botocore.model import OperationModel

from scanner.fakeaws.faults import faults, worded
from scanner.fakeaws.rules import Asked, Rule

_PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><p>Sign in to this network.</p></body></html>"


class Answer(NamedTuple):
    """What is sent: status, content type, body. `manner` is how: "" (plainly), reset, cut, slow or hang."""

    status: int
    kind: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    manner: str = ""
    delay_s: float = 0.0


def spoiled(rule: Rule, model: OperationModel, asked: Asked, good: Callable[[], Answer]) -> Answer:
    """What a rule that is not about pages makes of an answer (`good` makes it)."""
    fault = faults()[rule.fault]
    if fault.kind == "error":
        ahead_s = rule.ahead_s if rule.fault == "skew" else 0.0
        error = worded(fault, model, asked.account, asked.action, ahead_s)
        answer = write_error(model, error.status, error.code, error.message)
        date = (("Date", formatdate(time.time() + ahead_s, usegmt=True)),)
        return answer._replace(headers=answer.headers + date) if ahead_s else answer
    if fault.kind == "connection":
        return good()._replace(manner=rule.fault, delay_s=rule.delay_s)
    if rule.fault == "truncated":
        whole = good()
        return whole._replace(body=whole.body[: len(whole.body) // 2])
    return Answer(200, "text/html; charset=utf-8", _PAGE) if rule.fault == "html" else _of_unknown_shape(model)


def _of_unknown_shape(model: OperationModel) -> Answer:
    if model.service_model.resolved_protocol in ("json", "rest-json"):
        return Answer(200, _json_kind(model), b'{"UnknownMember":[{"UnknownKey":"value"}]}')
    text = "<UnknownResponse><UnknownMember><member>value</member></UnknownMember></UnknownResponse>"
    return Answer(200, "text/xml", f'<?xml version="1.0"?>{text}'.encode())


def write_error(model: OperationModel, status: int, code: str, message: str) -> Answer:
    """An error as each protocol has it."""
    service = model.service_model
    protocol = service.resolved_protocol
    if protocol == "rest-json":
        body = orjson.dumps({"message": message})
        return Answer(status, _json_kind(model), body, (("x-amzn-ErrorType", code), ("x-amzn-RequestId", "fake")))
    if protocol == "json":
        body = orjson.dumps({"__type": f"com.amazon.coral.service#{code}", "message": message})
        headers: tuple[tuple[str, str], ...] = (("x-amzn-RequestId", "fake"),)
        if "awsQueryCompatible" in service.metadata:
            headers += (("x-amzn-query-error", f"{code};{'Sender' if status < 500 else 'Receiver'}"),)
        return Answer(status, _json_kind(model), body, headers)
    text = _xml_error(protocol, status, code, message)
    return Answer(status, "text/xml", f'<?xml version="1.0"?>{text}'.encode())


def _xml_error(protocol: str, status: int, code: str, message: str) -> str:
    inner = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
    if protocol == "ec2":
        return f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>fake</RequestID></Response>"
    if protocol == "rest-xml":
        return f"<Error>{inner}<RequestId>fake</RequestId><HostId>fake</HostId></Error>"
    sort = "Sender" if status < 500 else "Receiver"
    return f"<ErrorResponse><Error><Type>{sort}</Type>{inner}</Error><RequestId>fake</RequestId></ErrorResponse>"


def _json_kind(model: OperationModel) -> str:
    if model.service_model.resolved_protocol == "rest-json":
        return "application/json"
    return f"application/x-amz-json-{model.service_model.metadata.get('jsonVersion', '1.1')}"
