"""The words that a shell completes: profiles, regions, services, types, formats. None of them needs boto3.

To attach one: `Annotated[str | None, typer.Argument(autocompletion=words.profiles)]`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

SCHEMAS = ("record", "manifest", "diff", "profile")

Word = tuple[str, str]  # what is completed, and what it is

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_CONFIG_DIR = Path("config")  # `scanner.profile` has the same, but brings pydantic
# Shells evaluate what they are offered, and a file may have any name: other words are not offered.
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+=,-]*")


def profiles(incomplete: str) -> list[Word]:
    """Scan profiles: config/*.yaml by name, with their descriptions."""
    return _fitting(incomplete, {path.stem: _description(path) for path in sorted(_CONFIG_DIR.glob("*.yaml"))})


def aws_profiles(incomplete: str) -> list[Word]:
    """Profiles of the AWS configuration, by name."""
    home = Path.home() / ".aws"
    config = _sections(Path(os.environ.get("AWS_CONFIG_FILE") or home / "config"))
    keys = _sections(Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or home / "credentials"))
    named = [one.removeprefix("profile ").strip() for one in config if one == "default" or one.startswith("profile ")]
    return _fitting(incomplete, dict.fromkeys(sorted({*named, *keys}), "AWS profile"))


def regions(incomplete: str) -> list[Word]:
    """Regions, also after a comma."""
    from scanner.catalog import words

    known = {name: partition for partition, names in words.regions().items() for name in names}
    return _last_of_list(incomplete, {"enabled": "all that the account has enabled", **known})


def services(incomplete: str) -> list[Word]:
    """Services, and from the colon on types (`ec2:...`), also after a comma."""
    from scanner.catalog import words

    known = words.types() if ":" in incomplete.rpartition(",")[2] else words.services()
    return _last_of_list(incomplete, known)


def types(incomplete: str) -> list[Word]:
    """Services and resource types."""
    from scanner.catalog import words

    return _fitting(incomplete, {**words.services(), **words.types()})


def formats(incomplete: str) -> list[Word]:
    """Formats of a report."""
    from scanner.formats import names

    return _fitting(incomplete, dict.fromkeys(names(), "format"))


def schemas(incomplete: str) -> list[Word]:
    """What has a published JSON Schema."""
    return _fitting(incomplete, dict.fromkeys(SCHEMAS, "JSON Schema"))


def is_name(word: str) -> bool:
    """Whether a word may be a profile's name."""
    return bool(_NAME.fullmatch(word))


def _fitting(incomplete: str, words: Mapping[str, str], before: str = "") -> list[Word]:
    return [
        (before + word, what)
        for word, what in words.items()
        if word.startswith(incomplete) and _SAFE.fullmatch(before + word)
    ]


def _last_of_list(incomplete: str, words: Mapping[str, str]) -> list[Word]:
    before, comma, last = incomplete.rpartition(",")
    taken = set(before.split(","))
    return _fitting(last, {word: what for word, what in words.items() if word not in taken}, before + comma)


def _description(path: Path) -> str:
    """The line `description: ...` of a profile, read as text: YAML would cost more than all the rest."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace")[:4000].splitlines()
    except OSError:
        return "scan profile"
    said = next((line.partition(":")[2].strip(" '\"") for line in lines if line.startswith("description:")), "")
    return said or "scan profile"


def _sections(path: Path) -> list[str]:
    from configparser import Error, RawConfigParser

    parser = RawConfigParser(strict=False, allow_no_value=True)
    try:
        parser.read_string(path.read_text(encoding="utf-8", errors="replace"))
    except (OSError, Error):
        return []
    return parser.sections()
