"""YAML without traps: what people mean as text stays text; no duplicate keys; every node has a place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Protocol

import yaml


class Locate(Protocol):
    """Gives (line, column), 1-based, of a path in a document, or of its nearest ancestor that is there."""

    def __call__(self, path: tuple[str | int, ...], of_key: bool = False, /) -> tuple[int, int]:
        """The place of the value, or with `of_key` that of its key."""
        ...


_MAX_NODES = 20_000
_MAX_DEPTH = 30
_LONGEST_WORD = 100
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


class _TextLoader(_Loader):
    """Only null is no text: whoever reads it knows which of its values are numbers, and 1.10 is not 1.1 everywhere."""


_TextLoader.yaml_implicit_resolvers = {
    first: kept
    for first, several in _Loader.yaml_implicit_resolvers.items()
    if (kept := [one for one in several if one[0].endswith((":null", ":merge"))])
}


def read_text(path: Path) -> str:
    """The text of a YAML file of at most 1 MiB, whatever the path is. Raises OSError, YamlProblem."""
    with path.open("rb") as file:
        raw = file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise YamlProblem("is larger than 1 MiB, which nobody needs", 1, 1)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise YamlProblem(f"is not UTF-8 (byte {error.start})", 1, 1) from None


def load_marked(text: str, *, as_text: bool = False) -> tuple[Any, Locate]:
    """The value of a YAML text, and where in it what is; `as_text`: scalars as they are written. Raises YamlProblem."""
    loader = _TextLoader(text) if as_text else _Loader(text)
    try:
        _measure(text)
        node = loader.get_single_node()
        if node is None:
            return None, lambda *_: (1, 1)
        _inspect(node)
        value = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        raise _in_words(error, text) from None
    except yaml.YAMLError as error:
        raise YamlProblem(f"YAML syntax: {' '.join(str(error).split())}", 1, 1) from None
    finally:
        loader.dispose()
    return value, lambda path, of_key=False: _place(node, path, of_key)


def _in_words(error: yaml.MarkedYAMLError, text: str) -> YamlProblem:
    """What the parser found, with a remedy for the commonest slip: a glob or an exclusion without quotes."""
    starts = error.context_mark if error.context in _OF_A_WORD else None
    mark = starts or error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    rest = "".join(text.splitlines()[line : line + 1])[column:]
    if str(error.context).startswith("found duplicate anchor"):
        return YamlProblem("YAML syntax: this anchor is there already", line + 1, column + 1)
    word = _WORD.match(rest)
    if word and not (word[0].startswith("%") and not column):
        return _unquoted(word[0], line, column)
    said = "a tab cannot indent; spaces can" if rest.startswith("\t") else error.problem or error.context
    began = error.context_mark if error.problem else None
    is_while = began is not None and began.line != line and str(error.context).startswith("while")
    while_ = f" {error.context}, which begins in line {began.line + 1}" if began and is_while else ""
    return YamlProblem(f"YAML syntax: {said}{while_}", line + 1, column + 1)


_OF_A_WORD = ("while scanning an alias", "while scanning a tag", "while scanning an anchor")
_WORD = re.compile(r"[*!&@`%](?![!])[^\s,\[\]{}]*")


def _unquoted(word: str, line: int, column: int) -> YamlProblem:
    quoted = repr((word[0] + word[1:].strip("'\""))[:_LONGEST_WORD])
    return YamlProblem(f"YAML syntax: {word[0]!r} has a meaning in YAML; quote it: {quoted}", line + 1, column + 1)


def _measure(text: str) -> None:
    """Refuse what is too deep or too much while it is still a stream: the C library builds nodes on the C stack."""
    depth = seen = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        seen += isinstance(event, yaml.NodeEvent)
        tag, at = getattr(event, "tag", None), event.start_mark
        if tag == "!" and at:
            # YAML drops it: [! us-east-1] would scan what it should leave out.
            raise _unquoted("!", at.line, at.column)
        if tag and tag.startswith("tag:yaml.org,2002:") and tag not in _TAGS:
            raise YamlProblem(f"YAML syntax: the tag {tag[:60]!r} is not allowed", *_place_of(at))
        if depth > _MAX_DEPTH or seen > _MAX_NODES:
            raise YamlProblem(_TOO_DEEP if depth > _MAX_DEPTH else _TOO_MANY, *_place_of(at))


_TAGS = frozenset({"tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})


def _place_of(mark: Any) -> tuple[int, int]:
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


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


def _place(root: yaml.Node, path: tuple[str | int, ...], of_key: bool) -> tuple[int, int]:
    key, node = root, root
    for step in path:
        child = _child(node, step)
        if child is None:
            break
        key, node = child
    mark = key.start_mark if of_key or node.start_mark.line != key.start_mark.line else node.start_mark
    return mark.line + 1, mark.column + 1


def _child(node: yaml.Node, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """The key and the value under it; in a sequence the value is both."""
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    if isinstance(node, yaml.MappingNode):
        # What `<<` merged in stands before what the mapping says itself.
        return next(((key, value) for key, value in reversed(node.value) if key.value == str(step)), None)
    return None
