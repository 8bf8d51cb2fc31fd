"""A typo cannot ship: one-character mistakes in the real catalog are found by the check."""

from __future__ import annotations

import random
import re
from pathlib import Path

import yaml

from scanner.catalog import yaml_files
from scanner.catalog.check import check_source
from scanner.catalog.compile import compile_source
from scanner.catalog.source import read_source
from scanner.errors import CatalogError

_WORD = re.compile(r"[A-Za-z][A-Za-z_]{2,}")
_TOTAL = 400


def _targets(path: Path) -> list[tuple[int, int]]:
    """Where operations, parameters, paths, holes, tokens and enumerated values stand: spans of words in the text."""
    text = path.read_text()
    spans: list[tuple[int, int]] = []
    stack = [(yaml.compose(text), ())]
    while stack:
        node, at = stack.pop()
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if at and at[-1] == "in":
                    spans.append((key.start_mark.index, key.end_mark.index))
                stack.append((value, (*at, key.value)))
        elif isinstance(node, yaml.SequenceNode):
            stack.extend((child, at) for child in node.value)
        elif set(at) & {
            "list",
            "get",
            "tags",
            "with",
            "where",
            "owned",
            "id",
            "arn",
            "created",
            "state",
            "cfn",
            "shape",
        }:
            if at[-1] in ("size", "batch"):
                continue
            begin, end = node.start_mark.index, node.end_mark.index
            spans.extend((begin + m.start(), begin + m.end()) for m in _WORD.finditer(text[begin:end]))
    return spans


def _typo(word: str, dice: random.Random) -> str:
    at = dice.randrange(len(word))
    kind = dice.choice(["drop", "swap", "other"])
    if kind == "drop":
        return word[:at] + word[at + 1 :]
    if kind == "swap" and at + 1 < len(word) and word[at] != word[at + 1]:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + dice.choice([c for c in "abcdefghijklmnopqrstuvwxyz" if c != word[at].lower()]) + word[at + 1 :]


def _is_found(path: Path) -> bool:
    try:
        source = read_source(path)
        return any(True for _ in check_source(source, compile_source(source)))
    except CatalogError:
        return True


def test_at_least_95_percent_of_one_character_typos_are_found(tmp_path: Path) -> None:
    dice = random.Random(20)
    places = [(path, span) for path in yaml_files() for span in _targets(path)]
    survivors = []
    for path, (begin, end) in dice.sample(places, _TOTAL):
        text = path.read_text()
        word = text[begin:end]
        wrong = _typo(word, dice)
        mutant = tmp_path / path.name
        mutant.write_text(text[:begin] + wrong + text[end:])
        if not _is_found(mutant):
            survivors.append(f"{path.name}: {text[:begin].splitlines()[-1].strip()}[{word} -> {wrong}]")
    assert len(survivors) <= 0.05 * _TOTAL, survivors
