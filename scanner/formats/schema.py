"""The published JSON Schemas, as they are shipped beside this module; docs/ holds copies."""

from __future__ import annotations

from importlib import resources

from scanner.errors import ProfileError

SCHEMAS = ("diff", "manifest", "record")


def schema_text(name: str) -> str:
    """The text of a published schema ("record", "manifest", "diff"). Raises ProfileError for another name."""
    if name not in SCHEMAS:
        raise ProfileError([f'unknown schema "{name}"; known are {", ".join(SCHEMAS)}'])
    return resources.files(__package__).joinpath(f"{name}.schema.json").read_text(encoding="utf-8")
