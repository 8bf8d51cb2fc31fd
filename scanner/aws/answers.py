"""Whether an answer is what it says it is: whole, AWS's, and of the operation that was asked. Lies are raised.

botocore reads what it can and leaves out the rest, so that a web page, half a body or another operation's answer would
look like "nothing there". What cannot be told apart is what AWS itself does: a list member that is left out because the
list is empty (`{}` of SQS ListQueues).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from botocore.parsers import ResponseParserError

# What S3 calls its answers; its model does not say. An answer without any content is told by its name only.
_ROOTS = {
    "ListBuckets": "ListAllMyBucketsResult",
    "GetBucketTagging": "Tagging",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
}
_HTML = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+)?html\b", re.I | re.S)
_ENVELOPE = frozenset({"requestId", "RequestId", "ResponseMetadata"})


class HtmlAnswer(ResponseParserError):
    """A web page: of a proxy, a captive portal, an error page with status 200."""


class TruncatedAnswer(ResponseParserError):
    """Less than the answer said that it would be."""


class EmptyAnswer(ResponseParserError):
    """No body where the model has one."""


class UnreadableAnswer(ResponseParserError):
    """No JSON or XML: cut off in the middle, or something else altogether."""


class UnknownShape(ResponseParserError):
    """Well-formed, but not what this operation answers."""


def check_body(response: Any, shape: Any) -> None:
    """Raise for a body that is cut short, a web page, or missing. `response` is what botocore's parsers take."""
    body, status = response["body"], response["status_code"]
    if not isinstance(body, bytes):
        return  # a stream, read by whoever asked for it
    said = response["headers"].get("content-length")
    if said is not None and said.isdigit() and int(said) > len(body) and (body or status < 300):
        raise TruncatedAnswer(f"{len(body):,} of {int(said):,} bytes came")
    # 5xx pages are written by AWS's own load balancers, and botocore knows them.
    if status < 500 and _HTML.match(body[:2000]):
        raise HtmlAnswer("the answer was a web page, not AWS's")
    if status < 300 and not body.strip() and _has_body(shape):
        raise EmptyAnswer("the answer had no body")


def check_error(parsed: Any, sent: int, status: int) -> None:
    """Raise for an answer of S3 that was sent as 200, and taken for an error only because it is no XML."""
    if sent < 300 and parsed.get("Error", {}).get("Code") in (None, "", str(status)):
        raise UnreadableAnswer("no XML")


def check_object(found: Any, shape: Any) -> None:
    """Raise for JSON that is no answer of this operation."""
    if type(found) is not dict:
        raise UnknownShape(f"a JSON {_KINDS.get(type(found), 'value')} where an object was expected")
    names = [member.serialization.get("name", name) for name, member in shape.members.items()]
    _check_known(found, names)
    if not found:
        _check_required(shape)


def check_name(root: Any, name: str) -> None:
    """Raise where an XML element is another than was expected."""
    if local_name(root) != name:
        raise UnknownShape(f"<{local_name(root)[:60]}> where <{name}> was expected")


def check_root(root: Any, shape: Any, operation: str) -> None:
    """Raise for XML that is no answer of this operation (rest-xml, whose model does not name its root)."""
    name, children = local_name(root), [local_name(child) for child in root]
    members = shape.members if shape is not None else {}
    payload = shape.serialization.get("payload") if shape is not None else None
    if payload:
        members = getattr(members[payload], "members", {})
    names = [_tag(member, own) for own, member in members.items()]
    if name in names:
        return  # a lone value: <LocationConstraint>
    if children:
        _check_known(children, names)
    elif (root.text or "").strip() or name not in _names(operation, shape):
        raise UnknownShape(f"<{name[:60]}> with nothing of {operation} in it")


def check_result(children: Iterable[Any], shape: Any) -> None:
    """Raise where a result has content and none of it is the operation's (ec2, query)."""
    names = [_tag(member, name) for name, member in shape.members.items()] if shape is not None else []
    tags = [tag for tag in map(local_name, children) if tag not in _ENVELOPE]
    if tags and names:
        _check_known(tags, names)


def check_type(value: Any, wanted: type, what: str) -> None:
    """Raise where a member of an answer is of another kind than its model says."""
    if type(value) is not wanted:
        kinds = _KINDS.get(type(value), "value"), _KINDS[wanted]
        raise UnknownShape(f"{what}: a JSON {kinds[0]} where a {kinds[1]} was expected")


def local_name(node: Any) -> str:
    """The name of an XML element without its namespace."""
    return str(node.tag).rpartition("}")[2]


def _names(operation: str, shape: Any) -> tuple[str, ...]:
    """What an answer without content may be called: by AWS, or by those who answer in its stead."""
    own: tuple[str, ...] = (shape.name,) if shape is not None else ()
    if own and (payload := shape.serialization.get("payload")):
        own = (_tag(shape.members[payload], payload), shape.members[payload].name)
    return (_ROOTS.get(operation, operation), f"{operation}Result", f"{operation}Response", *own)


_KINDS: dict[type, str] = {
    dict: "object", list: "list", str: "string", int: "number", float: "number", bool: "boolean", type(None): "null",
}  # fmt: skip


def _has_body(shape: Any) -> bool:
    return shape is not None and any("location" not in one.serialization for one in shape.members.values())


def _tag(member: Any, name: str) -> str:
    if member.type_name == "list" and member.serialization.get("flattened"):
        name = member.member.serialization.get("name", name)
    return str(member.serialization.get("name", name))


def _check_known(found: Iterable[str], names: list[str]) -> None:
    """New members of AWS's beside known ones are no lie; nothing but unknown ones is not this operation's answer."""
    keys = list(found)
    if keys and names and not set(keys) & set(names):
        raise UnknownShape(f"nothing that is known in it: {', '.join(sorted(keys)[:5])[:100]}")


def _check_required(shape: Any) -> None:
    missing = [one for one in shape.required_members if "location" not in shape.members[one].serialization]
    if missing:
        raise UnknownShape(f"an empty object, without {', '.join(missing)[:100]}")
