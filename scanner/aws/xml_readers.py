"""Readers of XML answers: the protocols query, ec2 and rest-xml."""

from __future__ import annotations

from typing import Any

from botocore import parsers

from scanner.aws import answers
from scanner.aws.readers import Compiling, Reader, Rest


class _Xml(Compiling):
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
        name = shape.name

        def read(node: Any) -> list[Any]:
            found = [reader(item) for item in node]
            if not found and type(node) is not list and (node.text or "").strip():
                raise answers.UnknownShape(f"{name}: text where a list was expected")
            return found

        return read

    def _string(self, _: Any) -> Reader:
        return lambda node: node.text or "" if hasattr(node, "text") else node

    def _parse_xml_string_to_dom(self, xml_string: bytes) -> Any:
        try:
            return super()._parse_xml_string_to_dom(xml_string)  # type: ignore[misc]
        except parsers.ResponseParserError as error:
            # botocore's message has the whole body in it.
            raise answers.UnreadableAnswer(f"no XML: {str(error.__context__)[:100]}") from None


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


class Query(_Xml, parsers.QueryParser):
    """The protocol query."""

    def _parse_body_as_xml(self, response: Any, shape: Any, inject_metadata: bool = True) -> Any:
        root, parsed = self._parse_xml_string_to_dom(response["body"]), {}
        if shape is not None:
            start = self._start(root, shape, response["context"])
            if not shape.metadata.get("exception"):
                answers.check_result(start, shape)
            parsed = self._parse_shape(shape, start)
        if inject_metadata:
            self._inject_response_metadata(root, parsed)  # type: ignore[attr-defined]
        return parsed

    def _start(self, root: Any, shape: Any, _: Any) -> Any:
        """The element that holds the members of an answer."""
        wrapper = shape.serialization.get("resultWrapper")
        if wrapper is None:
            return root
        found = next((child for child in root if answers.local_name(child) == wrapper), None)
        if found is None:
            raise answers.UnknownShape(f"<{answers.local_name(root)[:60]}> without <{wrapper}> in it")
        return found


class Ec2(Query, parsers.EC2QueryParser):
    """The protocol ec2."""

    def _start(self, root: Any, shape: Any, context: Any) -> Any:
        if not shape.metadata.get("exception"):
            answers.check_name(root, f"{context['operation_name']}Response")
        return root


class RestXml(Rest, _Xml, parsers.RestXMLParser):
    """The protocol rest-xml."""

    def _checked(self, response: Any, shape: Any, _: Any) -> Any:
        root = self._initial_body_parse(response["body"])  # type: ignore[attr-defined]
        if not shape.metadata.get("exception"):
            answers.check_root(root, shape, response["context"]["operation_name"])
        return root
