"""What a profile's values are made of: words in lists, tag filters, names; each in the ways that people write them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from scanner.model import TagFilter


class AsWritten:
    """Marks a field whose environment variable is read by its own validator, and not as JSON."""


class Strict(BaseModel):
    """Unknown keys are refused; numbers where text is meant are taken as they were written."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


def kind_of(value: Any) -> str:
    """What a value is that no message quotes: there may be a secret in it."""
    kinds = {dict: "a mapping", list: "a list", type(None): "null"}
    return kinds.get(type(value), f"a {type(value).__name__}")


def words(value: Any) -> Any:
    """A list written as one word, with commas, or as JSON (environment variables)."""
    if isinstance(value, str):
        if value.lstrip().startswith("["):
            import orjson

            return orjson.loads(value)
        return [one.strip() for one in value.split(",") if one.strip()]
    return value


def _folder(path: Path) -> Path:
    """A path that can be asked for; what is wrong with the folder itself is told where it is used."""
    if "\0" in str(path):
        raise ValueError("is no path: a zero byte is in it")
    try:
        path.expanduser()
    except RuntimeError as error:
        raise ValueError(f"is no path: {error}") from None
    return path


def _short_enough(path: Path) -> Path:
    try:
        path.exists()
    except OSError as error:
        raise ValueError(f"is no path: {error.strerror}") from None
    return path


Words = Annotated[list[str], AsWritten, BeforeValidator(words)]
Folder = Annotated[Path, AfterValidator(_folder)]
Folders = Annotated[list[Annotated[Folder, AfterValidator(_short_enough)]], AsWritten, BeforeValidator(words)]
# Not \w: letters of all alphabets are none in AWS, and take a fifth of the program's start to compile.
WORD = "A-Za-z0-9_"
SAFE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


def tag_filters(value: Any) -> Any:
    """Both ways to write tag filters, as TagFilter tuples: {Key: [values]} and [{key:, values:}]."""
    if value is None:
        return value
    if isinstance(value, str):
        value = [one for one in value.split(",") if one.strip()]
        value = {key.strip(): text.strip() or None for key, _, text in (one.partition("=") for one in value)}
    if isinstance(value, dict):
        if not all(value) or None in value:
            raise ValueError("a key is empty; [{value: Production}] asks for a value under any key")
        return [TagFilter((str(key),), _texts(values, str(key))) for key, values in value.items()]
    if not isinstance(value, list):
        raise ValueError("a mapping {Key: value} or a list of {key:, values:} is wanted")
    return [one if isinstance(one, TagFilter) else _tag_entry(one) for one in value]


def _tag_entry(one: Any) -> TagFilter:
    if not isinstance(one, dict) or set(one) - {"key", "keys", "value", "values"}:
        raise ValueError("each entry is {key:, value: or values:}; `key` or `value` may be left out")
    found = TagFilter(_texts(one.get("key", one.get("keys"))), _texts(one.get("value", one.get("values"))))
    if not found.keys and not found.values:
        raise ValueError("an entry without key and value would match everything")
    return found


def _texts(value: Any, key: str = "") -> tuple[str, ...]:
    """Tag texts; numbers and booleans, which code may give, are text too. None: any."""
    if value is None:
        return ()
    values = value if isinstance(value, list | tuple) else [value]
    for one in values:
        if not isinstance(one, str | int | float):
            where = f"{key}: " * bool(key)
            raise ValueError(f"{where}{kind_of(one)}: a text or a list of texts is wanted, or null alone for any value")
    return tuple(str(one).lower() if isinstance(one, bool) else str(one) for one in values)


Tags = Annotated[
    list[TagFilter],
    AsWritten,
    BeforeValidator(tag_filters),
    Field(json_schema_extra={"items": {}, "type": ["array", "object"]}),
]
