"""What the readers of all protocols have in common: one for each shape, made on first use, checked for lies."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from scanner.aws import answers

Reader = Callable[[Any], Any]


class Compiling(ABC):
    """What is common: a reader for each shape, made on first use, kept with the shape."""

    def __init__(self, timestamp_parser: Reader) -> None:
        super().__init__(timestamp_parser=timestamp_parser)  # type: ignore[call-arg]
        self._readers: dict[Any, Reader] = {}
        self._unfinished: dict[Any, Reader] = {}
        self._lock = threading.RLock()

    def parse(self, response: Any, shape: Any) -> Any:
        """An HTTP answer as its shape says. Raises ResponseParserError for one that is cut short or not AWS's."""
        answers.check_body(response, shape)
        return super().parse(response, shape)  # type: ignore[misc]

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


class Rest(ABC):
    """The body of an answer that has other parts in its headers."""

    def _parse_payload(self, response: Any, shape: Any, member_shapes: Any, final_parsed: Any) -> None:
        payload = shape.serialization.get("payload")
        body_shape = member_shapes[payload] if payload else shape
        if body_shape.serialization.get("eventstream") or body_shape.type_name in ("string", "blob"):
            super()._parse_payload(response, shape, member_shapes, final_parsed)  # type: ignore[misc]
            return
        found = self._parse_shape(body_shape, self._checked(response, shape, body_shape))  # type: ignore[attr-defined]
        final_parsed.update({payload: found} if payload else found)

    @abstractmethod
    def _checked(self, response: Any, shape: Any, body_shape: Any) -> Any:
        """The parsed body. Raises ResponseParserError for one that is no answer of the operation."""
