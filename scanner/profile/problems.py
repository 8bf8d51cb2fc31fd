"""What is wrong with a profile, in words: what it is, where, what is allowed, and the nearest match."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from pydantic import BaseModel, ValidationError

from scanner import executors, formats
from scanner.catalog import Catalog
from scanner.errors import ProfileError
from scanner.filters import blindness
from scanner.formats.text import shortened
from scanner.model import GLOBAL
from scanner.profile.words import SAFE_NAME, kind_of

_LONGEST = 100
_ALIKE = 0.8
_ID_DIGITS = 12
_PLAIN = re.compile(r"[\w\[\]-]{1,100}")
Loc = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem; `loc` is the path in the document, `of_key` says that its last key is wrong, not the value."""

    loc: Loc
    message: str
    of_key: bool = False

    @property
    def path(self) -> str:
        """The path as people write it: accounts[1].role_arn."""
        words = (
            one if isinstance(one, int) or _PLAIN.fullmatch(one) else shortened(repr(one), _LONGEST) for one in self.loc
        )
        text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in words)
        return text.removeprefix(".")


def nearest(word: str, known: Iterable[str]) -> str:
    """The tail of a message: the nearest known word."""
    if len(word) > _LONGEST:
        return ""  # the search would take minutes, and finds nothing
    known = list(known)
    same = [one for one in known if one.lower() == word.lower()]
    found = same or difflib.get_close_matches(word, known, 3, 0.6) or difflib.get_close_matches(word.lower(), known)
    # Two letters swapped are the commonest slip: us-esat-1 is us-east-1, not us-west-1.
    swapped = [one for one in found if sorted(one) == sorted(word)]
    best = (swapped or found)[:1] if same or swapped else _as_near(word, found)
    return f"; did you mean {' or '.join(map(repr, best))}?" if best else ""


def _as_near(word: str, found: list[str]) -> list[str]:
    """The first of the nearest words, and with it the second if that is as near: us-est-1 may be east or west."""
    scores = [difflib.SequenceMatcher(None, word, one).ratio() for one in found[:2]]
    return found[: scores.count(max(scores))] if scores else []


def _shown(value: object) -> str:
    """A value as messages quote it, of bounded length; of a mapping or list, in which a secret may be, its kind."""
    return kind_of(value) if isinstance(value, dict | list) else shortened(repr(value), _LONGEST)


def in_words(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """pydantic's errors as problems, without its own words for paths; one per place."""
    found: dict[Loc, Problem] = {}
    for one in error.errors(include_url=False):
        is_unknown = one["type"] == "extra_forbidden"
        way = one["loc"][:-1] if is_unknown else one["loc"]
        # pydantic's own steps are those with brackets: list[str], function-before[...].
        loc: Loc = tuple(step for step in way if isinstance(step, int) or not set("[(") & set(step))
        loc += one["loc"][-1:] if is_unknown else ()
        loc += getattr(one.get("ctx", {}).get("error"), "at", ())
        found.setdefault(loc, Problem(loc, _message(one, loc, model), is_unknown))
    return list(found.values())


def _message(one: Any, loc: Loc, model: type[BaseModel]) -> str:
    if one["type"] == "extra_forbidden":
        known = sorted(_fields_at(model, loc[:-1]))
        return f"unknown key {_shown(loc[-1])}{nearest(str(loc[-1]), known)}; allowed: {', '.join(known)}"
    text = str(one["msg"])
    if one["type"] == "value_error":
        return text.removeprefix("Value error, ")
    if one["type"] in ("enum", "literal_error"):
        expected = str(one["ctx"]["expected"]).replace("'", "").replace(" or ", ", ")
        near = nearest(str(one["input"]), expected.split(", "))
        return f"{_shown(one['input'])} is not allowed{near}; allowed: {expected}"
    if one["input"] is None and one["type"] in (*_WANTED, "model_type"):
        return "is empty; leave it out for the default"
    if one["type"] in _WANTED:
        return _WANTED[one["type"]]
    if one["type"] == "model_type":
        keys = ", ".join(sorted(_fields_at(model, loc)))
        what = "this" if isinstance(one["input"], str) and ":" in one["input"] else _shown(one["input"])
        return f"{what} is not allowed; a mapping is wanted, with keys such as: {keys}"
    if one["type"] == "string_pattern_mismatch" and loc and loc[-1] == "id":
        return f"{_shown(one['input'])} is no account id: 12 digits are wanted"
    if one["type"] == "string_pattern_mismatch" and one["ctx"]["pattern"] == SAFE_NAME:
        return f"{_shown(one['input'])} is no name: at most 64 letters, digits, '.', '_' and '-' are wanted"
    return text[:1].lower() + text[1:]


# Instead of pydantic's words for them, which are about Python.
_WANTED = {
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float"), "a whole number is wanted"),
    **dict.fromkeys(("float_parsing", "float_type"), "a number is wanted"),
    **dict.fromkeys(("bool_parsing", "bool_type"), "true or false is wanted"),
    "string_type": "a text is wanted",
    "list_type": "a list is wanted, such as [one, other]",
    "dict_type": "a mapping is wanted, such as {Key: value}",
    "too_short": "is empty; leave it out for the default",
    "missing": "is missing",
}


def _fields_at(model: Any, loc: Loc) -> Iterable[str]:
    """The field names of the model that a path leads to."""
    for step in loc:
        if isinstance(step, str) and hasattr(model, "model_fields") and step in model.model_fields:
            model = _model_in(model.model_fields[step].annotation)
    return getattr(model, "model_fields", {})


def _model_in(annotation: Any) -> Any:
    if hasattr(annotation, "model_fields"):
        return annotation
    return next((found for one in getattr(annotation, "__args__", ()) if (found := _model_in(one))), None)


def unknown_words(profile: Any, catalog: Catalog) -> list[Problem]:
    """Regions, services, types and formats that do not exist; globs that match nothing."""
    return list(_unknown(profile, catalog))


def _unknown(profile: Any, catalog: Catalog) -> Iterator[Problem]:
    yield from _regions(("regions",), profile.regions, catalog)
    yield from _selection(("services",), profile.services, catalog)
    if isinstance(profile.enrich, list):
        yield from _services(("enrich",), profile.enrich, catalog)
    for at, account in enumerate(profile.accounts):
        yield from _regions(("accounts", at, "regions"), account.regions or [], catalog)
        yield from _selection(("accounts", at, "services"), account.services or [], catalog)
    # By its name an account is in the ledger only where nobody knows its id.
    ids = {account.name: account.known_id for account in profile.accounts if account.name and account.known_id}
    for at, one in enumerate(profile.expect):
        yield from _expected(("expect", at), one, catalog, ids)
    yield from _limited(profile.limits.services, catalog)
    for at, word in enumerate(profile.reports.formats):
        yield from _chosen(("reports", "formats", at), "format", word, formats)
    yield from _chosen(("execution", "executor"), "executor", profile.execution.executor, executors)
    for at, folder in enumerate(profile.catalog_dirs):
        if not any(folder.glob("*.yaml")):
            message = f"{folder}: holds no *.yaml" if folder.is_dir() else f"{folder}: no such folder"
            yield Problem(("catalog_dirs", at), message)
    blind = blindness(profile.chosen_filters, None)
    if blind and profile.collector == "tagging":
        yield Problem(("collector",), f"'tagging' cannot be filtered so: {blind}; allowed here: auto, services, both")


def _expected(loc: Loc, one: Any, catalog: Catalog, ids: Mapping[str, str]) -> Iterator[Problem]:
    """Words of an expectation that no cell has: it would never hold."""
    if one.service not in ("*", "sts", "resourcegroupstaggingapi") and not one.service.startswith("!"):
        yield from _services((*loc, "service"), [one.service], catalog, indexed=False)
    for name, word in (("region", one.region), ("service", one.service)):
        if word.startswith("!") or word == "enabled":
            yield Problem((*loc, name), f"{_shown(word)} is what no cell has; a {name} or a glob is wanted")
    # A glob may mean regions that AWS has and botocore does not know yet.
    if one.region not in (GLOBAL, "enabled") and not set("!*?[") & set(one.region):
        yield from (replace(problem, loc=(*loc, "region")) for problem in _regions(loc, [one.region], catalog))
    if re.fullmatch("[0-9]+", one.account) and len(one.account) != _ID_DIGITS:
        yield Problem((*loc, "account"), f"{_shown(one.account)} is no account id: 12 digits are wanted")
    elif one.account in ids:
        yield Problem((*loc, "account"), f"{_shown(one.account)} is in the ledger by its id, {ids[one.account]}")


def _limited(names: Iterable[str], catalog: Catalog) -> Iterator[Problem]:
    known = sorted({service for service, _ in catalog.operations()})
    for name in names:
        if name not in known:
            message = f"unknown service {name!r}{nearest(name, known)}; a client of boto3 is wanted, such as ec2"
            yield Problem(("limits", "services", name), message)


def _chosen(loc: Loc, noun: str, word: str, menu: Any) -> Iterator[Problem]:
    """A word of a menu: it must be there, and what is behind it must load."""
    if word not in menu.names():
        yield Problem(
            loc, f"unknown {noun} {_shown(word)}{nearest(word, menu.names())}; there are: {', '.join(menu.names())}"
        )
        return
    try:
        menu.get(word)
    except ProfileError as error:
        yield Problem(loc, str(error))


def _regions(loc: Loc, words: list[str], catalog: Catalog) -> Iterator[Problem]:
    known = sorted(region for regions in catalog.regions.values() for region in regions)
    for at, word in enumerate(words):
        bare = word.removeprefix("!")
        if bare == "enabled" and bare == word:
            continue
        if len(bare) > _LONGEST or not any(fnmatchcase(region, bare) for region in known):
            what = "glob matches no region" if set("*?[") & set(bare) else "unknown region"
            yield Problem((*loc, at), f"{what} {_shown(bare)}{_meant(bare, [*known, 'enabled'], 'enabled')}")


def _selection(loc: Loc, words: list[str], catalog: Catalog) -> Iterator[Problem]:
    unknown = list(_services(loc, words, catalog))
    yield from unknown
    if words and not unknown and not catalog.select(words):
        yield Problem(loc, "nothing is left: all that is named is excluded again")


def _services(loc: Loc, words: list[str], catalog: Catalog, *, indexed: bool = True) -> Iterator[Problem]:
    for at, word in enumerate(words):
        bare = word.removeprefix("!")
        if len(bare) > _LONGEST or not catalog.find(bare):
            yield Problem((*loc, at) if indexed else loc, _unknown_service(bare, catalog))


def _unknown_service(word: str, catalog: Catalog) -> str:
    if set("*?[") & set(word):
        return f"glob matches no service or type {_shown(word)}"
    service, colon, _ = word.lower().partition(":")
    if colon and (kinds := catalog.find(service)):
        known = [f"{kind.service}:{kind.kind}" for kind in kinds]
        near = difflib.get_close_matches(word.lower(), known, 1, _ALIKE)
        hint = f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(known)}"
        return f"{service} has no resource type {_shown(word)}{hint}"
    from scanner.catalog.models import service_names  # imports botocore, which nothing but this needs so early

    if service in service_names() and not catalog.find(service):
        remedy = "`aws-scanner types` lists what it has, and --all-services finds the tagged resources of every service"
        return f"the catalog has no resource types of {service!r}; {remedy}"
    return f"unknown service {_shown(word)}{_meant(word, catalog.names(), '*')}"


def _meant(word: str, known: Iterable[str], everything: str) -> str:
    """The tail of a message: the nearest known word, or what people mean by `all`, or by words without commas."""
    if word.lower() == "all":
        return f"; did you mean {everything!r}?"
    return "; several are separated by commas" if " " in word.strip() else nearest(word, known)
