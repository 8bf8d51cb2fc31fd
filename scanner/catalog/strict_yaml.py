"""YAML without traps: account ids, yes/no and dates stay text; no duplicate keys; every node has a place."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

Locate = Callable[[tuple[str | int, ...]], tuple[int, int]]

_MAX_NODES = 20_000
_MAX_DEPTH = 30
MAX_BYTES = 1 << 20
_TOO_DEEP = f"nested deeper than {_MAX_DEPTH} levels"
_TOO_MANY = f"more than {_MAX_NODES} values (aliases counted as often as they are used)"


class YamlProblem(Exception):
    """What is wrong with a YAML text, and where (1-based)."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message, line, column)
        self.message, self.line, self.column = message, line, column


class _Loader(yaml.CSafeLoader):
    """YAML 1.2's idea of scalars: only true/false are booleans, no octals, no sexagesimals, no dates."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    # Twelve digits are an account id, and a leading zero is no octal: both stay text.
    ("int", r"^[-+]?(?:0|[1-9][0-9]{0,10})$", "-+0123456789"),
    ("float", r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$", "-+0123456789."),
    ("merge", r"^(?:<<)$", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


def read_text(path: Path) -> str:
    """The text of a YAML file of at most 1 MiB, whatever the path is. Raises OSError, YamlProblem."""
    with path.open("rb") as file:
        raw = file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise YamlProblem("is larger than 1 MiB, which nobody needs", 1, 1)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise YamlProblem(f"is not UTF-8 (byte {error.start})", 1, 1) from None


def load_marked(text: str) -> tuple[Any, Locate]:
    """The value of a YAML text and a function that gives (line, column) of any path in it, 1-based.

    The function answers for the nearest known ancestor of a path. Raises YamlProblem.
    """
    loader = _Loader(text)
    try:
        _measure(text)
        node = loader.get_single_node()
        if node is None:
            return None, lambda _: (1, 1)
        _inspect(node)
        value = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = f"YAML syntax: {error.problem or error.context}"
        raise YamlProblem(message, (mark.line if mark else 0) + 1, (mark.column if mark else 0) + 1) from None
    except yaml.YAMLError as error:
        raise YamlProblem(f"YAML syntax: {' '.join(str(error).split())}", 1, 1) from None
    finally:
        loader.dispose()
    return value, lambda path: _place(node, path)


def _measure(text: str) -> None:
    """Refuse what is too deep or too much while it is still a stream: the C library builds nodes on the C stack."""
    depth = seen = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        seen += isinstance(event, yaml.NodeEvent)
        if depth > _MAX_DEPTH or seen > _MAX_NODES:
            mark, what = event.start_mark, _TOO_DEEP if depth > _MAX_DEPTH else _TOO_MANY
            raise YamlProblem(what, *((mark.line + 1, mark.column + 1) if mark else (1, 1)))


def _inspect(root: yaml.Node) -> None:
    """Refuse duplicate keys, deep nesting, and aliases that blow up (each use of an alias counts as its nodes)."""
    seen = 0
    stack = [(root, 1)]
    while stack:
        node, depth = stack.pop()
        seen += 1
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        if depth > _MAX_DEPTH:
            raise YamlProblem(_TOO_DEEP, line, column)
        if seen > _MAX_NODES:
            raise YamlProblem(_TOO_MANY, line, column)
        if isinstance(node, yaml.MappingNode):
            _refuse_duplicates(node)
            stack.extend((child, depth + 1) for pair in node.value for child in pair)
        elif isinstance(node, yaml.SequenceNode):
            stack.extend((child, depth + 1) for child in node.value)


def _refuse_duplicates(node: yaml.MappingNode) -> None:
    seen: dict[str, int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise YamlProblem("a key must be plain text", key.start_mark.line + 1, key.start_mark.column + 1)
        line = key.start_mark.line + 1
        if key.value in seen and key.value != "<<":
            message = f"duplicate key {key.value!r}: it is already set in line {seen[key.value]}"
            raise YamlProblem(message, line, key.start_mark.column + 1)
        seen[key.value] = line


def _place(root: yaml.Node, path: tuple[str | int, ...]) -> tuple[int, int]:
    node, mark = root, root.start_mark
    for step in path:
        child = _child(node, step)
        if child is None:
            break
        node, mark = child
    return mark.line + 1, mark.column + 1


def _child(node: yaml.Node, step: str | int) -> tuple[yaml.Node, Any] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step].start_mark
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return value, value.start_mark if value.start_mark.line == key.start_mark.line else key.start_mark
    return None
