"""From options to settings: the command line as the topmost layer of a profile; problems name the option."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from scanner.cli.options import Selection
from scanner.errors import ProfileError

if TYPE_CHECKING:
    from scanner.profile import LoadedProfile

# field of Selection, option, setting
_OPTIONS = (
    ("regions", "--regions", "regions"),
    ("service", "--service", "services"),
    ("all_services", "--all-services", "all_services"),
    ("collector", "--collector", "collector"),
    ("enrich", "--enrich", "enrich"),
    ("include_sensitive", "--include-sensitive", "include_sensitive"),
    ("max_workers", "--max-workers", "execution.max_workers"),
    ("service_workers", "--service-workers", "execution.service_workers"),
    ("cache", "--cache", "cache.enabled"),
    ("min_resources", "--min-resources", "min_resources"),
)
_RANGES = {"--max-workers": (1, 20), "--service-workers": (1, 10)}
# Options whose commas separate nothing.
_SINGLE = ("--tag-key",)
_EMPTY = {
    "--tag-value": "; --tag-key alone asks for any value, a profile's `tags: {Key: ['']}` for an empty one",
    "--regions": "; leave it out for all enabled regions",
}

Settings = dict[str, Any]


def load(profile: str | None, selection: Selection, problems: Sequence[str] = ()) -> LoadedProfile:
    """The profile under what the command line says. Raises ProfileError with every problem, those known before too."""
    from scanner.profile import Flags, load_profile

    overrides, names, found = settings_of(selection)
    problems = [*found, *problems]
    try:
        loaded = load_profile(profile, overrides, flags=Flags(names, selection.aws_profile or None))
    except ProfileError as error:
        raise ProfileError([*problems, *error.problems]) from None
    if problems:
        raise ProfileError(problems)
    return loaded


def settings_of(selection: Selection) -> tuple[Settings, dict[str, str], list[str]]:
    """The settings that options say, the option of each setting, and what is wrong with them."""
    problems: list[str] = []
    settings = _from_set(selection.settings or [], problems)
    names: dict[str, str] = {}
    for option, path, value in _said(selection, problems):
        names[path] = option
        _put(settings, option, path, value, problems)
    return settings, names, problems


def _said(selection: Selection, problems: list[str]) -> Iterator[tuple[str, str, Any]]:
    """(option, setting, value) of each option given; those that cannot be meant go to `problems`."""
    if selection.aws_profile == "":
        problems.append("command line: --profile: is empty; the name of an AWS profile is wanted")
    for field, option, path in _OPTIONS:
        given = getattr(selection, field)
        if given is None:
            continue
        value = _words(option, given, problems) if isinstance(given, list) else given
        if option == "--enrich" and value in (["all"], ["none"]):
            value = value[0]
        if value != [] and _in_range(option, value, problems):
            yield option, path, value
    yield from _tags(selection, problems)


def _in_range(option: str, value: Any, problems: list[str]) -> bool:
    if option not in _RANGES:
        return True
    low, high = _RANGES[option]
    if not low <= value <= high:
        problems.append(f"command line: {option}: {value} is not allowed; {low} to {high} are")
    return bool(low <= value <= high)


def _tags(selection: Selection, problems: list[str]) -> Iterator[tuple[str, str, Any]]:
    """--tag-key and --tag-value are one filter."""
    if selection.tag_key is None and selection.tag_value is None:
        return
    keys = _words("--tag-key", selection.tag_key, problems) if selection.tag_key is not None else []
    values = _words("--tag-value", selection.tag_value, problems) if selection.tag_value is not None else []
    if len(keys) > 1:
        problems.append("command line: --tag-key: only one is possible here; a profile's `tags` may ask for several")
    elif keys or values:
        yield "--tag-key" if keys else "--tag-value", "tags", [{"keys": keys, "values": values}]


def _words(option: str, given: list[str], problems: list[str]) -> list[str]:
    found = [[one] if option in _SINGLE else one.split(",") for one in given]
    words = [[word.strip() for word in parts if word.strip()] for parts in found]
    if not all(words):
        problems.append(f"command line: {option}: is empty{_EMPTY.get(option, '; leave it out, or name something')}")
    return [word for some in words for word in some]


def _from_set(given: list[str], problems: list[str]) -> Settings:
    """--set a.b=c as nested settings."""
    settings: Settings = {}
    for one in given:
        path, equals, value = one.partition("=")
        if not equals or not path:
            problems.append(f"command line: --set {one}: KEY=VALUE is wanted, such as retry.max_attempts=7")
        else:
            _put(settings, "--set", path, value, problems)
    return settings


def _put(settings: Settings, option: str, path: str, value: Any, problems: list[str]) -> None:
    *sections, last = path.split(".")
    target: Any = settings
    for section in sections:
        target = target.setdefault(section, {}) if isinstance(target, dict) else None
    if not isinstance(target, dict) or last in target:
        other = f"--set {path}" if option != "--set" else path
        problems.append(f"command line: {option}: says the same as {other}; give one of them")
    else:
        target[last] = value
