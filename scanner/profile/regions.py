"""A profile's words for regions: names, globs, `enabled`, exclusions; and which regions they mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from scanner.profile.accounts import AccountSpec
from scanner.profile.model import Profile

ENABLED = "enabled"


def region_patterns(profile: Profile, spec: AccountSpec) -> tuple[str, ...]:
    """The region words that hold for an account."""
    return tuple(spec.regions if spec.regions is not None else profile.regions)


def needs_region_list(patterns: Iterable[str]) -> bool:
    """Whether AWS must be asked which regions are enabled: for globs and for `enabled`, not for names."""
    return any(word == ENABLED or "*" in word or "?" in word for word in patterns if not word.startswith("!"))


def match_regions(patterns: Sequence[str], known: Sequence[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    """Regions of a profile's words and, of them, the literal ones. `known`: enabled regions (for globs only)."""
    named = {word for word in patterns if not (word == ENABLED or set("!*?[") & set(word))}
    globs = [word for word in patterns if set("*?[") & set(word) and not word.startswith("!")]
    wanted = named | {one for one in known if ENABLED in patterns or any(fnmatchcase(one, glob) for glob in globs)}
    refused = [word[1:] for word in patterns if word.startswith("!")]
    if refused and not named and not globs and ENABLED not in patterns:
        wanted |= set(known)
    kept = {one for one in wanted if not any(fnmatchcase(one, glob) for glob in refused)}
    return tuple(sorted(kept)), frozenset(named & kept)
