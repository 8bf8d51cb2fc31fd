"""Readers of JSON answers: the protocols json and rest-json."""

from __future__ import annotations

import json
from typing import Any

import orjson
from botocore import parsers

from scanner.aws import answers
from scanner.aws.readers import Compiling, Reader, Rest


class _Json(Compiling):
    """Structures, lists and maps of JSON; scalars are as they came."""

    def _structure(self, shape: Any) -> Reader:
        named = [
            (name, member.serialization.get("name", name), None if _as_it_came(member) else self.reader(member))
            for name, member in shape.members.items()
        ]
        what = shape.name

        def read(value: Any) -> dict[str, Any] | None:
            if type(value) is not dict:
                if value is None:
                    return None
                answers.check_type(value, dict, what)
            found = {}
            for name, key, reader in named:
                raw = value.get(key)
                if raw is not None:
                    if reader:
                        found[name] = reader(raw)
                    elif type(raw) is dict or type(raw) is list:
                        answers.check_type(raw, str, key)
                    else:
                        found[name] = raw
            return found

        return read

    def _list(self, shape: Any) -> Reader:
        reader = _scalar(shape.name) if _as_it_came(shape.member) else self.reader(shape.member)
        name = shape.name

        def read(value: Any) -> list[Any]:
            if type(value) is not list:
                answers.check_type(value, list, name)
            return [None if item is None else reader(item) for item in value]

        return read

    def _plain(self, shape: Any) -> Reader:
        plain, name = super()._plain(shape), shape.name
        if shape.type_name not in ("map", "structure") or getattr(shape, "is_document_type", False):
            return plain

        def read(value: Any) -> Any:
            if value is not None:
                answers.check_type(value, dict, name)
            return plain(value)

        return read

    def _string(self, shape: Any) -> Reader:
        return self._plain(shape)

    def _parse_body_as_json(self, body_contents: bytes) -> Any:
        """The body of an error, which may be anything."""
        try:
            found = _json(body_contents) if body_contents else {}
        except parsers.ResponseParserError:
            found = None
        return found if isinstance(found, dict) else {"message": body_contents.decode(errors="replace")}

    def _whole(self, body: bytes, shape: Any) -> Any:
        """The body of an answer, which must be an object of this shape."""
        found = _json(body) if body else {}
        if shape.type_name == "structure" and not shape.metadata.get("exception") and not _is_document(shape):
            answers.check_object(found, shape)
        return found


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except ValueError:
        pass
    try:
        return json.loads(body)  # what orjson is too strict for: NaN, lone surrogates
    except (ValueError, RecursionError) as error:
        raise answers.UnreadableAnswer(f"no JSON: {str(error)[:100]}") from None


def _as_it_came(shape: Any) -> bool:
    return shape.type_name in ("string", "integer", "long", "boolean", "float", "double")


def _scalar(name: str) -> Reader:
    def read(item: Any) -> Any:
        if type(item) is dict or type(item) is list:
            answers.check_type(item, str, name)
        return item

    return read


def _is_document(shape: Any) -> bool:
    return bool(getattr(shape, "is_document_type", False))


class JsonRpc(_Json, parsers.JSONParser):
    """The protocol json."""

    def _handle_json_body(self, raw_body: bytes, shape: Any) -> Any:
        return self._parse_shape(shape, self._whole(raw_body, shape))


class RestJson(Rest, _Json, parsers.RestJSONParser):
    """The protocol rest-json."""

    def _checked(self, response: Any, _: Any, body_shape: Any) -> Any:
        return self._whole(response["body"], body_shape)
