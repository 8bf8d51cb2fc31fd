"""Rules as people write them, on the command line and in YAML: read, checked, and told what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from botocore import xform_name

from scanner.catalog import Catalog, load_catalog, models
from scanner.catalog.strict_yaml import YamlProblem, load_marked
from scanner.errors import ProfileError
from scanner.fakeaws.faults import faults
from scanner.fakeaws.rules import PAGES, Rule
from scanner.profile.problems import nearest

Said = Mapping[str, object]

_GLOB = re.compile(r"[*?\[]")
_SHORT = ("service", "operation", "region", "account")
_OWN = {"rate": "bucket", "burst": "bucket", "delay_s": "slow", "ahead_s": "skew"}
_MAX_BYTES = 1_000_000


def parse_rule(text: str, catalog: Catalog | None = None) -> Rule:
    """FAULT[:KEY=VALUE,...], or short FAULT[:SERVICE[:OPERATION[:REGION[:ACCOUNT]]]]. Raises ProfileError."""
    fault, *rest = text.split(":")
    if len(rest) > len(_SHORT):
        raise ProfileError([f"--fault {text}: FAULT:SERVICE:OPERATION:REGION:ACCOUNT has no sixth part"])
    said: dict[str, object] = {"fault": fault}
    if len(rest) == 1 and "=" in rest[0]:
        said |= {key.strip(): value.strip() for key, _, value in (one.partition("=") for one in rest[0].split(","))}
    else:
        said |= {name: word for name, word in zip(_SHORT, rest, strict=False) if word}
    rule, problems = _rule(said, catalog or load_catalog())
    if rule is None:
        raise ProfileError([f"--fault {text}: {problem}" for _, problem in problems])
    return rule


def load_rules(path: Path, catalog: Catalog | None = None) -> tuple[Rule, ...]:
    """The rules of a YAML file: a list of mappings with the keys of `Rule`. Raises ProfileError with all problems."""
    try:
        text = path.read_bytes()[: _MAX_BYTES + 1].decode()
    except (OSError, UnicodeDecodeError) as error:
        why = "not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise ProfileError([f"--rules {path}: cannot be read: {why}"]) from None
    try:
        if len(text) > _MAX_BYTES:
            raise YamlProblem(f"larger than {_MAX_BYTES} bytes", 1, 1)
        found, place = load_marked(text)
        if not isinstance(found, list) or not found:
            raise YamlProblem("a list of rules is wanted, as `- {fault: deny, service: ec2}`", 1, 1)
    except YamlProblem as error:
        raise ProfileError([f"{path}:{error.line}:{error.column}: {error.message}"]) from None
    read = [_rule(one, catalog or load_catalog()) for one in found]
    problems = [(at, key, problem) for at, (_, several) in enumerate(read) for key, problem in several]
    if problems:
        where = ((*place((at, key) if key else (at,)), at, problem) for at, key, problem in problems)
        raise ProfileError([f"{path}:{line}:{column}: [{at}]: {problem}" for line, column, at, problem in where])
    return tuple(rule for rule, _ in read if rule)


def _rule(said: Any, catalog: Catalog) -> tuple[Rule | None, list[tuple[str, str]]]:
    """A rule, or its problems by key."""
    if not isinstance(said, dict):
        return None, [("", "a mapping is wanted, as {fault: deny, service: ec2}")]
    made: dict[str, Any] = {}
    problems: list[tuple[str, str]] = []
    for key, value in said.items():
        try:
            made[key] = _value(str(key), str(value), said, catalog)
        except ValueError as error:
            problems.append((str(key), str(error)))
    if "fault" not in said:
        problems.append(("", f"`fault` is missing; faults: {', '.join(faults())}"))
    return (None if problems else Rule(**made)), problems


def _value(key: str, text: str, said: Said, catalog: Catalog) -> Any:
    """One value of a rule. Raises ValueError."""
    if key not in _READERS and key not in _SHORT and key != "fault":
        known = ["fault", *_SHORT, *_READERS]
        raise ValueError(f"unknown key {key!r}{nearest(key, known)}; allowed: {', '.join(known)}")
    if key in _OWN and said.get("fault") != _OWN[key]:
        raise ValueError(f"`{key}` is {_OWN[key]}'s and means nothing to {said.get('fault')}")
    if key in _READERS:
        return _READERS[key](key, text)
    if key == "fault":
        return _known("fault", text, tuple(faults()))
    if key == "operation":
        return _operation(text, said, catalog)
    if key == "account":
        if not _GLOB.search(text) and not re.fullmatch(r"[0-9]{12}", text):
            raise ValueError(f"account {text!r} is no account id: 12 digits or a glob are wanted")
        return text
    if key == "region":
        return _fitting("region", text, [name for names in catalog.regions.values() for name in names])
    served = {service for service, _ in catalog.operations()}
    return _fitting("service", text, served if _GLOB.search(text) else models.service_names())


def _operation(text: str, said: Said, catalog: Catalog) -> str:
    """An operation in boto3's spelling, given in boto3's or AWS's."""
    word, service = xform_name(text), str(said.get("service", "*"))
    known = set(models.operations(service)) if not _GLOB.search(service) else set()
    known = known or {name for served, name in catalog.operations() if fnmatchcase(served, service)}
    return _fitting("operation", word, known or [word])


def _fitting(what: str, text: str, known: Iterable[str]) -> str:
    """A word that is known, or a glob that fits something."""
    words = sorted(known)
    if not _GLOB.search(text):
        return _known(what, text, tuple(words))
    if not any(fnmatchcase(one, text) for one in words):
        raise ValueError(f"{what} {text!r} fits none that is served")
    return text


def _known(what: str, text: str, known: tuple[str, ...]) -> str:
    if text not in known:
        allowed = f"; allowed: {', '.join(known)}" if len(known) <= 40 else ""
        raise ValueError(f"unknown {what} {text!r}{nearest(text, known)}{allowed}")
    return text


def _whole(least: int) -> Callable[[str, str], int]:
    def read(key: str, text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < least:
            raise ValueError(f"{key} {text!r}: a whole number from {least} is wanted")
        return int(text)

    return read


def _number(least: float, most: float, *, inclusive: bool = True) -> Callable[[str, str], float]:
    def read(key: str, text: str) -> float:
        shaped = re.fullmatch(r"-?(?:[0-9]{1,9}(?:\.[0-9]*)?|\.[0-9]+)", text)
        if not shaped or not least <= float(text) <= most or (float(text) == least and not inclusive):
            span = f"from {least:g} to {most:g}" if inclusive else f"above {least:g}, to {most:g}"
            raise ValueError(f"{key} {text!r}: a number {span} is wanted")
        return float(text)

    return read


_READERS: dict[str, Callable[[str, str], Any]] = {
    "after": _whole(0),
    "times": _whole(1),
    "page": lambda key, text: _known(key, text, PAGES),
    "probability": _number(0, 1, inclusive=False),
    "seed": _whole(0),
    "rate": _number(0, 100_000, inclusive=False),
    "burst": _whole(1),
    "delay_s": _number(0, 3600),
    "ahead_s": _number(-1_000_000, 1_000_000),
}
