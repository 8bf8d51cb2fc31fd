"""A new profile as text with comments. Whatever the values are, they come back as the same values and nothing more."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from pydantic import ValidationError

from scanner.catalog import Catalog
from scanner.catalog.strict_yaml import YamlProblem, load_marked
from scanner.errors import ProfileError
from scanner.profile.model import ProfileFields
from scanner.profile.problems import in_words, unknown_words

SCHEMA_FILE = "profile.schema.json"
FIRST_LINE = f"# yaml-language-server: $schema={SCHEMA_FILE}"

# Words that are themselves in every dialect of YAML; anything else is quoted.
_PLAIN = re.compile(r"(?!(?i:true|false|yes|no|on|off|null|y|n)\Z)[A-Za-z][A-Za-z0-9_/.-]*\Z")

_HEAD = """\
{first}
# Made by `aws-scanner init`. docs/profile.md has every key; try it with: aws-scanner doctor NAME, then plan, then scan.
"""
_ACCOUNTS = """
# Each account is reached by a profile of ~/.aws/config (aws_profile), by a role (role_arn, and source_profile for
# who assumes it), or, with neither, by the ambient credentials. `id` is checked against STS.
"""
_REGIONS = """
# Names, globs over the enabled regions (eu-*), exclusions ('!us-*'), or: enabled
"""
_SERVICES = """
# Services (ec2), types ('ec2:instance'), globs and exclusions ('!ec2:snapshot'); `aws-scanner types` lists them.
"""
_TAGS = """
# Only resources with these tags: AND across keys, OR across the values of one; globs; null: the key with any value.
"""
_NO_TAGS = _TAGS + "# tags: {Environment: [Production, 'prod-*']}\n"
_TAIL = """
# What is known to be denied and no surprise: shown in reports, but not counted as incomplete (exit code 3).
# expect:
#   - {service: 'rds:cluster-snapshot', outcome: denied}

# What a scan writes beside resources.jsonl.zst and manifest.json: json, jsonl, markdown, csv, table.
# reports: {formats: [json, markdown]}
"""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a new profile says. Accounts are mappings as in the YAML; a tag without values asks for its key."""

    accounts: tuple[Mapping[str, str], ...] = ({},)
    regions: tuple[str, ...] = ("enabled",)
    services: tuple[str, ...] = ("*",)
    tags: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The draft as the YAML will be read."""
        tags = {key: list(values) or None for key, values in self.tags.items()}
        return {
            "accounts": [dict(one) for one in self.accounts],
            "regions": list(self.regions),
            "services": list(self.services),
            **({"tags": tags} if tags else {}),
        }


def write(draft: Draft, catalog: Catalog) -> str:
    """The profile's text. Raises ProfileError with everything in the draft that no profile may say."""
    document = draft.document()
    try:
        profile = ProfileFields.model_validate(document)
        problems = unknown_words(profile, catalog)
    except ValidationError as error:
        problems = in_words(error, ProfileFields)
    if problems:
        raise ProfileError([f"init: {one.path}: {one.message}" for one in problems])
    text = "".join(_parts(draft, document))
    if not _says(text, document):
        raise ProfileError(["init: a value cannot be written to a YAML file: it is no Unicode text"])
    return text


def _says(text: str, document: Mapping[str, Any]) -> bool:
    """Whether the text, once read, is the document: nothing lost, nothing added."""
    try:
        return bool(load_marked(text, as_text=True)[0] == document)
    except YamlProblem:
        return False


def _parts(draft: Draft, document: Mapping[str, Any]) -> Iterator[str]:
    yield _HEAD.format(first=FIRST_LINE)
    yield _ACCOUNTS + "accounts:\n"
    for account in draft.accounts:
        lines = "\n    ".join(f"{name}: {_scalar(value)}" for name, value in account.items())
        yield f"  - {lines or '{}'}\n"
    yield f"{_REGIONS}regions: {_list(draft.regions)}\n"
    yield f"{_SERVICES}services: {_list(draft.services)}\n"
    if not draft.tags:
        yield _NO_TAGS
    else:
        yield _TAGS + "tags:\n"
        for key, values in document["tags"].items():
            yield f"  {_scalar(key)}: {'null' if values is None else _list(values)}\n"
    yield _TAIL


def _list(values: Sequence[str]) -> str:
    return f"[{', '.join(_scalar(one) for one in values)}]"


def _scalar(value: str) -> str:
    if _PLAIN.match(value):
        return value
    quoted: str = yaml.safe_dump(value, default_style='"', width=float("inf"), allow_unicode=True)
    return quoted.removesuffix("\n")
