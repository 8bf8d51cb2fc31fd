"""From a name to a validated profile: layers, origins of every setting, and all problems at once with their place."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError

from scanner.catalog import Catalog, load_catalog
from scanner.errors import ProfileError
from scanner.profile.environment import ENV_PREFIX, layered
from scanner.profile.flags import Flags, for_all_accounts
from scanner.profile.model import Profile, ProfileFields, ServiceLimit
from scanner.profile.problems import Problem, in_words, nearest, unknown_words
from scanner.profile.source import File, read
from scanner.profile.words import Folders


@dataclass(frozen=True)
class LoadedProfile:
    """A profile and where it came from. `origins`: setting -> layer; `digest`: sha256 of the effective settings.

    `account_places`: file:line of each account, where they stand in a file.
    """

    profile: Profile
    path: Path | None
    digest: str
    origins: Mapping[str, str] = field(default_factory=dict)
    account_places: tuple[str, ...] = ()

    @property
    def catalog(self) -> Catalog:
        """The catalog with the profile's own folders, in which its words have their meaning."""
        return load_catalog(tuple(self.profile.catalog_dirs))


def load_profile(
    ref: str | Path | None, overrides: Mapping[str, Any] | None = None, flags: Flags | None = None
) -> LoadedProfile:
    """Load config/<ref>.yaml (or the file `ref`; None: no file), under the environment and `overrides`.

    `flags`: how the overrides were worded. Raises ProfileError with every problem found, CatalogError for a catalog
    folder that does not fit.
    """
    overrides, flags = overrides or {}, flags or Flags()
    file = read(ref)
    catalog = load_catalog(_catalog_dirs(file.doc, overrides))
    problems = [file.show(one) for one in _check(file.doc, catalog)]
    problems += _unknown_variables()
    if not (overrides.get("endpoint_url") or file.doc.get("endpoint_url")):
        problems += _endpoint_variables()
    if problems:
        raise ProfileError(problems)
    named = {"name": file.path.stem} if file.path else {}
    try:
        settings = layered({**named, **file.doc}, overrides)
    except ValidationError as error:
        raise ProfileError([_blame(one, overrides, flags) for one in in_words(error, ProfileFields)]) from None
    except RecursionError:
        raise ProfileError([f"environment: a variable {ENV_PREFIX}... is nested too deeply"]) from None
    blamed = [_blame(one, overrides, flags) for one in unknown_words(settings, catalog)]
    if blamed:
        raise ProfileError(blamed)
    profile = Profile.model_validate({name: getattr(settings, name) for name in ProfileFields.model_fields})
    _refuse_secrets_in_ci(profile, str(file.doc.get("include_sensitive")).lower() == "true")
    origins = flags.marked(dict(_origins(profile, file, overrides, flags.layer)))
    profile = for_all_accounts(profile, overrides, flags)
    return LoadedProfile(profile, file.path, _digest(profile), origins, _account_places(file, origins))


def _account_places(file: File, origins: Mapping[str, str]) -> tuple[str, ...]:
    if not origins["accounts"].startswith(f"{file.path}:"):
        return ()
    entries = file.doc["accounts"]
    paths = [("accounts",)] if isinstance(entries, dict) else [("accounts", at) for at in range(len(entries))]
    return tuple(file.place(path).rsplit(":", 1)[0] for path in paths)


def loaded_from(given: Profile, overrides: Mapping[str, Any]) -> LoadedProfile:
    """A profile made in code, as it is (no environment), under `overrides`. Raises ProfileError and CatalogError."""
    values = {name: getattr(given, name) for name in given.model_fields_set}
    try:
        profile = Profile.model_validate(
            {**values, **{name: _over(values.get(name), overrides[name]) for name in overrides}}
        )
    except ValidationError as error:
        raise ProfileError([f"{one.path}: {one.message}" for one in in_words(error, ProfileFields)]) from None
    catalog = load_catalog(tuple(one for one in profile.catalog_dirs if one.is_dir()))
    problems = [f"{one.path}: {one.message}" for one in unknown_words(profile, catalog)]
    if problems:
        raise ProfileError(problems)
    _refuse_secrets_in_ci(profile, given.include_sensitive)
    return LoadedProfile(profile, None, _digest(profile))


def _refuse_secrets_in_ci(profile: Profile, profile_says_so: bool) -> None:
    """What CI writes is kept and shown to many: there a switch or a variable is not enough."""
    if profile.include_sensitive and os.environ.get("CI") and not profile_says_so:
        message = "is refused in CI (the variable CI is set) unless the profile itself says `include_sensitive: true`"
        raise ProfileError([f"include_sensitive: {message}"])


def _over(value: Any, given: Any) -> Any:
    """A section under an override of some of its keys; anything else is replaced."""
    if isinstance(value, BaseModel) and isinstance(given, Mapping):
        return {**{name: getattr(value, name) for name in value.model_fields_set}, **given}
    return given


def _catalog_dirs(doc: Mapping[str, Any], overrides: Mapping[str, Any]) -> tuple[Path, ...]:
    """The catalog folders of the strongest layer that names any, needed before anything can be checked."""
    variables = [value for name, value in os.environ.items() if name.upper() == f"{ENV_PREFIX}CATALOG_DIRS"]
    said = [overrides.get("catalog_dirs"), *variables, doc.get("catalog_dirs")]
    try:
        folders = _FOLDERS.validate_python(next((one for one in said if one is not None), []))
    except ValidationError:
        return ()  # told, with its place, when the whole profile is checked
    return tuple(one for one in folders if one.is_dir())


_FOLDERS = TypeAdapter[list[Path]](Folders)


def _check(doc: Mapping[str, Any], catalog: Catalog) -> list[Problem]:
    """The problems of the YAML alone."""
    try:
        problems = unknown_words(ProfileFields.model_validate(doc), catalog)
    except ValidationError as error:
        problems = in_words(error, ProfileFields)
        wrong = {one["loc"][0] for one in error.errors() if one["loc"]}
        with suppress(ValidationError):
            rest = ProfileFields.model_validate({name: value for name, value in doc.items() if name not in wrong})
            problems += unknown_words(rest, catalog)
    # One entry without a list has no number in the document.
    return [_without_number(one) for one in problems] if isinstance(doc.get("accounts"), dict) else problems


def _without_number(problem: Problem) -> Problem:
    return replace(problem, loc=("accounts", *problem.loc[2:])) if problem.loc[0] == "accounts" else problem


def _unknown_variables() -> list[str]:
    known = {name.upper() for name in _variables()}
    # With too few underscores, or a letter less, it would be nobody's variable.
    meant = {name.replace("__", "_"): name for name in known}
    found = []
    for name in sorted(os.environ):
        upper = name.upper()
        if not upper.startswith(_OURS) or upper in (*known, *_OPTIONS) or _OF_A_SERVICE.fullmatch(upper):
            continue
        near = difflib.get_close_matches(upper.replace("__", "_")[:_LONGEST], meant, 1, _ALIKE)
        hint = f"; did you mean {meant[near[0]]!r}?" if near else nearest(name, known)
        if upper.startswith(f"{ENV_PREFIX}TAGS__"):
            hint = f"; tags are given as a whole: {ENV_PREFIX}TAGS=Environment=Production,Team=core"
        if near or upper.startswith(ENV_PREFIX):
            found.append(f"environment: {name}: matches no setting{hint}")
    return found


_OURS = ENV_PREFIX.removesuffix("_")
_OPTIONS = (f"{_OURS}DEBUG",)  # variables of options, which Typer reads
_OF_A_SERVICE = re.compile(
    rf"{ENV_PREFIX}LIMITS__SERVICES__[A-Z0-9_-]+__(?:{'|'.join(ServiceLimit.model_fields)})", re.I
)
_ALIKE = 0.9
_LONGEST = 100


def _variable(path: Sequence[str], *, below: bool = False) -> str | None:
    """The variable of the environment that says a setting, in any case; `below`: or a key of it."""
    wanted = ENV_PREFIX + "__".join(path).upper()
    found = [one for one in os.environ if one.upper() == wanted]
    return next(iter(found or [one for one in os.environ if below and one.upper().startswith(f"{wanted}__")]), None)


def _endpoint_variables() -> list[str]:
    """Variables of the SDKs that name an endpoint, and it is no URL; what they say may be secret."""
    return [
        f"environment: {name}: is no URL; http://HOST:PORT or https://HOST is wanted"
        for name, value in sorted(os.environ.items())
        if _ENDPOINT.fullmatch(name) and value and not value.lower().startswith(("http://", "https://"))
    ]


_ENDPOINT = re.compile(r"AWS_ENDPOINT_URL(?:_[A-Z0-9_]+)?")


def _variables() -> Iterator[str]:
    for name, info in ProfileFields.model_fields.items():
        yield f"{ENV_PREFIX}{name.upper()}"
        nested = getattr(info.annotation, "model_fields", {})
        yield from (f"{ENV_PREFIX}{name.upper()}__{one.upper()}" for one in nested)


def _blame(problem: Problem, overrides: Mapping[str, Any], flags: Flags) -> str:
    """A problem of the merged settings, with the layer that brought it."""
    words = [str(step) for step in problem.loc if isinstance(step, str)]
    for depth in range(len(words), 0, -1):
        if _reaches(overrides, words[:depth]):
            return f"{flags.layer}: {flags.name_of(words) or problem.path}: {problem.message}"
        variable = _variable(words[:depth], below=depth == len(words))
        if variable:
            return f"environment: {variable}: {problem.message}"
    return f"{problem.path}: {problem.message}"


def _reaches(value: Any, path: list[str]) -> bool:
    for step in path:
        if not isinstance(value, Mapping) or step not in value:
            return False
        value = value[step]
    return True


def _origins(profile: Profile, file: File, overrides: Mapping[str, Any], layer: str) -> Iterator[tuple[str, str]]:
    for path in _leaves(profile):
        variable, whole = _variable(path, below=True), _variable(path[:1])
        if _reaches(overrides, path):
            yield ".".join(path), layer
        elif variable or whole:
            yield ".".join(path), f"environment {variable or whole}"
        elif _reaches(file.doc, path):
            yield ".".join(path), file.place(tuple(path)).rsplit(":", 1)[0]
        else:
            yield ".".join(path), "file name" if path == ["name"] and file.path else "default"


def _leaves(profile: Profile) -> Iterator[list[str]]:
    for name, info in ProfileFields.model_fields.items():
        nested = getattr(info.annotation, "model_fields", None)
        yield from ([name, one] for one in nested) if nested else iter([[name]])
    del profile


def _digest(profile: Profile) -> str:
    # Not the secrets: a digest of little else would tell whether a guess is right.
    said = profile.model_dump(mode="json", exclude={"accounts": {"__all__": {"external_id"}}})
    text = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()
