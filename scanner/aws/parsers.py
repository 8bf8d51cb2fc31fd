"""botocore's parsers with each shape looked at once: readers compiled from the model give the same answers sooner.

botocore asks a shape for its members, names and kinds again for each item of each page. Whatever is not plain
(unions, attributes, headers, events, repeated elements) is still read by botocore's own code.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import orjson
from botocore import parsers
from botocore.parsers import ResponseParserFactory

from scanner.aws.timestamps import iso_utc

Reader = Callable[[Any], Any]


class Factory(ResponseParserFactory):
    """botocore's parser factory (session component `response_parser_factory`): one parser per protocol and process."""

    def __init__(self) -> None:
        super().__init__()
        self.set_parser_defaults(timestamp_parser=iso_utc)
        self._parsers: dict[str, Any] = {}

    def create_parser(self, protocol_name: str) -> Any:
        """The compiling parser of a protocol; botocore's own where there is none."""
        if protocol_name not in _COMPILING:
            return super().create_parser(protocol_name)
        if protocol_name not in self._parsers:
            self._parsers[protocol_name] = _COMPILING[protocol_name](timestamp_parser=iso_utc)
        return self._parsers[protocol_name]


class _Compiling(ABC):
    """What is common: a reader for each shape, made on first use, kept with the shape."""

    def __init__(self, timestamp_parser: Reader) -> None:
        super().__init__(timestamp_parser=timestamp_parser)  # type: ignore[call-arg]
        self._readers: dict[Any, Reader] = {}
        self._unfinished: dict[Any, Reader] = {}
        self._lock = threading.RLock()

    def _parse_shape(self, shape: Any, node: Any) -> Any:
        reader = self._readers.get(shape)
        return reader(node) if reader else self.reader(shape)(node)

    def reader(self, shape: Any) -> Reader:
        """What reads the answers of a shape, compiled on first use."""
        with self._lock:
            found = self._readers.get(shape) or self._unfinished.get(shape)
            if found is None:
                # For a shape that holds itself; another thread that comes by it waits for the lock.
                self._unfinished[shape] = lambda node: self.reader(shape)(node)
                compiled = self._compiled(shape)
                found = self._readers[shape] = self._plain(shape) if compiled is None else compiled
                del self._unfinished[shape]
            return found

    def _compiled(self, shape: Any) -> Reader | None:
        if shape.type_name == "structure":
            return self._structure(shape) if _is_plain(shape) else None
        if shape.type_name == "list":
            return self._list(shape)
        return self._string(shape) if shape.type_name == "string" and "location" not in shape.serialization else None

    @abstractmethod
    def _structure(self, shape: Any) -> Reader:
        """A reader of a plain structure."""

    @abstractmethod
    def _list(self, shape: Any) -> Reader:
        """A reader of a list."""

    @abstractmethod
    def _string(self, shape: Any) -> Reader:
        """A reader of text."""

    def _plain(self, shape: Any) -> Reader:
        """botocore's own handler."""
        handler: Any = getattr(self, f"_handle_{shape.type_name}", None) or self._default_handle  # type: ignore[attr-defined]
        return lambda node: handler(shape, node)


def _is_plain(shape: Any) -> bool:
    """Whether all of a structure is in its body, by name."""
    odd = {"location", "eventheader", "eventpayload", "xmlAttribute"}
    members = shape.members.values()
    return not (
        shape.is_tagged_union
        or shape.metadata.get("exception")
        or getattr(shape, "is_document_type", False)
        or any(odd & set(member.serialization) for member in members)
    )


class _Xml(_Compiling):
    """Structures and lists of XML; text by kind."""

    def _structure(self, shape: Any) -> Reader:
        named = [
            (name, self._member_key_name(member, name), self.reader(member))  # type: ignore[attr-defined]
            for name, member in shape.members.items()
        ]
        children = self._build_name_to_xml_node  # type: ignore[attr-defined]

        def read(node: Any) -> dict[str, Any]:
            there = children(node) if type(node) is list else _children(node)
            return {name: reader(there[tag]) for name, tag, reader in named if tag in there}

        return read

    def _list(self, shape: Any) -> Reader:
        reader = self.reader(shape.member)
        if shape.serialization.get("flattened"):
            return lambda node: [reader(item) for item in (node if type(node) is list else [node])]
        return lambda node: [reader(item) for item in node]

    def _string(self, _: Any) -> Reader:
        return lambda node: node.text or "" if hasattr(node, "text") else node


def _children(node: Any) -> dict[str, Any]:
    """The children of an element by name; elements of one name as a list."""
    found: dict[str, Any] = {}
    for child in node:
        tag = child.tag
        if tag[0] == "{":
            tag = tag[tag.rindex("}") + 1 :]
        if tag not in found:
            found[tag] = child
        elif type(found[tag]) is list:
            found[tag].append(child)
        else:
            found[tag] = [found[tag], child]
    return found


class _Json(_Compiling):
    """Structures, lists and maps of JSON; scalars are as they came."""

    def _structure(self, shape: Any) -> Reader:
        named = [
            (name, member.serialization.get("name", name), None if _as_it_came(member) else self.reader(member))
            for name, member in shape.members.items()
        ]

        def read(value: Any) -> dict[str, Any] | None:
            if value is None:
                return None
            found = {}
            for name, key, reader in named:
                raw = value.get(key)
                if raw is not None:
                    found[name] = reader(raw) if reader else raw
            return found

        return read

    def _list(self, shape: Any) -> Reader:
        if _as_it_came(shape.member):
            return list
        reader = self.reader(shape.member)
        return lambda value: [None if item is None else reader(item) for item in value]

    def _string(self, shape: Any) -> Reader:
        return self._plain(shape)

    def _parse_body_as_json(self, body_contents: bytes) -> Any:
        if not body_contents:
            return {}
        try:
            return orjson.loads(body_contents)
        except ValueError:
            # What orjson is too strict for (NaN, lone surrogates) and what is no JSON at all.
            return super()._parse_body_as_json(body_contents)  # type: ignore[misc]


def _as_it_came(shape: Any) -> bool:
    return shape.type_name in ("string", "integer", "long", "boolean", "float", "double")


class _Query(_Xml, parsers.QueryParser): ...


class _Ec2(_Xml, parsers.EC2QueryParser): ...


class _RestXml(_Xml, parsers.RestXMLParser): ...


class _JsonRpc(_Json, parsers.JSONParser): ...


class _RestJson(_Json, parsers.RestJSONParser): ...


_COMPILING: dict[str, Any] = {
    "query": _Query, "ec2": _Ec2, "rest-xml": _RestXml, "json": _JsonRpc, "rest-json": _RestJson,
}  # fmt: skip
