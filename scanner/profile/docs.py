"""The profile's reference and JSON Schema, from the model: what users read and what is validated are one thing."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any

import orjson
from pydantic import BaseModel

from scanner.profile import accounts, model
from scanner.profile.accounts import AccountSpec, Organization, RoleSession
from scanner.profile.model import Expectation, ProfileFields

_INTRO = """# Profile reference

Generated from the model by `make docs`; `config/example.yaml` shows every key in use, [accounts.md](accounts.md) has
organizations, chains of roles and other partitions.

A setting is taken from the first that has it: command line (`--set retry.max_attempts=7`), environment
(`AWS_SCANNER__RETRY__MAX_ATTEMPTS=7`; lists with commas), the profile's YAML, the default. `aws-scanner plan` prints
where each came from. Regions, services and tags of the command line hold for every account, also for those with a
selection of their own. An unknown key, region, service or variable is refused by name (exit 2).
"""

_OUTRO = """
## Tag filters

    tags:
      Environment: [Production, 'prod-*']   # one of these values
      CostCenter: null                      # the key, with any value
    # or, as a list, which can also ask for a value under any key:
    tags:
      - {key: Environment, values: [Production]}
      - {value: legacy}

All entries must fit (AND); one value of an entry is enough (OR). Keys and values are case-sensitive globs.

## Global resources

What belongs to no region (IAM, CloudFront, Route 53 ...) is scanned once per account, whatever `regions` says. Where
the tagging API is asked, only that of the partition's home region (us-east-1, cn-north-1, us-gov-west-1) knows it: a
profile without that region has it asked for global resources alone, in the cell `global`. Who may not call it there
sees a gap; `expect: [{region: global, service: resourcegroupstaggingapi, outcome: denied_by_policy}]` declares it. The
tags of Global Accelerator and Network Manager are known in us-west-2 only, and seen if that region is scanned.
"""


def schema_json() -> bytes:
    """The JSON Schema of a profile, as config/profile.schema.json has it."""
    schema = ProfileFields.model_json_schema()
    _describe(schema, ProfileFields.__name__)
    for name, one in schema["$defs"].items():
        _describe(one, name)
    entries = schema["properties"]["accounts"]
    entries["anyOf"] = [{"type": "array", "items": entries.pop("items"), "minItems": entries.pop("minItems")}]
    entries["anyOf"].append({"$ref": f"#/$defs/{AccountSpec.__name__}"})
    del entries["type"]
    _also_one_word(schema)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "aws-scanner profile"}
    return orjson.dumps(head, option=orjson.OPT_INDENT_2) + b"\n"


@lru_cache(maxsize=1)
def _prose() -> Mapping[tuple[str, str], str]:
    """(class, field) -> the docstring below the field. pydantic could read them too, but would at every start."""
    nodes = [node for source in (model, accounts) for node in ast.parse(inspect.getsource(source)).body]
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    return {
        (one.name, field.target.id): inspect.cleandoc(text.value.value)
        for one in classes
        for field, text in pairwise(one.body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    }


def _meaning(owner: str, name: str) -> str | None:
    """What is written below a field, be it in a class that it comes from."""
    return _prose().get((owner, name)) or _prose().get((RoleSession.__name__, name))


def _describe(schema: dict[str, Any], name: str) -> None:
    properties = schema.get("properties", {})
    for field, one in properties.items():
        if said := _meaning(name, field):
            properties[field] = dict(sorted({**one, "description": said}.items()))


def _also_one_word(schema: Any) -> None:
    """Lists of words may be written as one word, account ids unquoted: let editors know."""
    if isinstance(schema, list):
        for one in schema:
            _also_one_word(one)
    if not isinstance(schema, dict):
        return
    for value in schema.values():
        _also_one_word(value)
    if schema.get("type") == "array" and schema.get("items") == {"type": "string"}:
        schema["type"] = ["array", "string"]
    elif schema.get("type") == "string" and "pattern" in schema:
        schema["type"] = ["string", "integer"]


def reference_markdown() -> str:
    """docs/profile.md."""
    parts = [_INTRO, *_section("The profile", ProfileFields), *_section("accounts[]", AccountSpec)]
    parts += _section("accounts[].organization", Organization)
    parts += _section("expect[]", Expectation)
    for name, info in ProfileFields.model_fields.items():
        nested = info.annotation
        if isinstance(nested, type) and issubclass(nested, BaseModel):
            parts += _section(name, nested)
    return "\n".join(parts) + _OUTRO


def _section(title: str, model: type[BaseModel]) -> Iterator[str]:
    yield f"\n## {title}\n"
    yield f"{' '.join((model.__doc__ or '').split())}\n"
    yield "| key | default | what it means |"
    yield "|---|---|---|"
    for name, info in model.model_fields.items():
        meaning = info.description or _meaning(model.__name__, name) or _of(info)
        yield f"| `{name}` | {_default(info)} | {' '.join(meaning.split())} |"


def _of(info: Any) -> str:
    return f"A section: {info.annotation.__doc__}"


def _default(info: Any) -> str:
    if info.is_required():
        return "required"
    value = info.default
    if isinstance(value, BaseModel) or (isinstance(value, list) and value and isinstance(value[0], BaseModel)):
        return "see below"
    if isinstance(value, dict):
        return "`{}`"
    if isinstance(value, list):
        return f"`{', '.join(map(str, value)) or '[]'}`"
    return "" if value is None else f"`{str(value).lower() if isinstance(value, bool) else value}`"
