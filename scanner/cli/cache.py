"""Show or clear the cache: answers of AWS that are young enough to be used again.

Examples: aws-scanner cache show; aws-scanner cache show prod --json; aws-scanner cache clear --older-than 1h
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scanner.cli.manual import Group, manual, summary
from scanner.cli.voice import say, talking
from scanner.cli.words import profiles

if TYPE_CHECKING:
    from pathlib import Path

    from scanner.store.cachefiles import CacheEntry, CacheFolder


PROFILE = Annotated[
    str | None,
    typer.Argument(
        metavar="PROFILE",
        help="Profile whose `cache` settings hold; default: the user's cache.",
        autocompletion=profiles,
    ),
]


def show(
    profile: PROFILE = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show where the cache is, and its entries by account, region and service: how many, how large, how old.

    Young entries are those that a scan would use now (`cache.ttl_s` of the profile).

    Examples: aws-scanner cache show; aws-scanner cache show prod --json
    """
    from scanner.store.cachefiles import look_into

    path, ttl_s, enabled = _settings(profile)
    folder = look_into(path)
    if json:
        import orjson

        said = {"folder": str(path), "exists": folder.exists, "enabled": enabled, "ttl_s": ttl_s}
        said |= _counts(folder.entries, ttl_s) | {"foreign": list(folder.foreign), "places": _places(folder, ttl_s)}
        say(orjson.dumps(said, option=orjson.OPT_INDENT_2).decode())
        return
    for line in _lines(folder, ttl_s, enabled):
        say(line)


def clear(
    profile: PROFILE = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="SPAN", help="Only entries of this age: 90s, 10m, 1h, 2d.")
    ] = None,
) -> None:
    """Remove the cache's entries, and nothing but them: files of other names or content and links are left alone.

    Examples: aws-scanner cache clear; aws-scanner cache clear prod --older-than 1h
    """
    from scanner.cli.figures import counted, size_text, span_of
    from scanner.store.cachefiles import look_into, remove

    path, _, _ = _settings(profile)
    older_than_s = span_of(older_than, "--older-than") if older_than is not None else None
    folder = look_into(path)
    if not folder.exists:
        say(f"nothing to remove: there is no cache in {path}")
        return
    removed = remove(folder, float("-inf") if older_than_s is None else older_than_s)
    kept = len(folder.entries) - len(removed)
    size = size_text(sum(one.size_bytes for one in removed))
    younger = f"; {counted(kept)} younger than {older_than} left" if kept else ""
    say(f"removed {counted(len(removed))} ({size}) from {path}{younger}")
    for name in folder.foreign:
        say(f"left alone, it is not ours: {path / name}", err=True)


group = typer.Typer(cls=Group, no_args_is_help=True, rich_markup_mode=None)
for function in (show, clear):
    name, doc = function.__name__, function.__doc__
    group.command(name=name, help=manual(doc), short_help=summary(doc))(talking(function))


def _settings(profile: str | None) -> tuple[Path, int, bool]:
    from scanner.profile import load_profile
    from scanner.store.cache import units_folder

    settings = load_profile(profile).profile.cache
    return units_folder(settings.dir), settings.ttl_s, settings.enabled


def _lines(folder: CacheFolder, ttl_s: int, enabled: bool) -> Iterator[str]:
    from scanner.cli.figures import columns, size_text, span_text
    from scanner.formats.text import printable

    yield f"folder    {folder.path}" + ("" if folder.exists else "  (not there: nothing was cached yet)")
    yield f"served    for {span_text(ttl_s)}" if enabled else "served    no: cache.enabled is false"
    counts = _counts(folder.entries, ttl_s)
    ages = f", {_ages(folder.entries)} old" if folder.entries else ""
    yield f"entries   {counts['entries']:,} ({counts['young']:,} young), {size_text(counts['size_bytes'])}{ages}"
    for kind in ("leftover", "damaged"):
        if counts[kind]:
            yield f"{kind:<10}{counts[kind]:,}: of no use; `aws-scanner cache clear` removes them"
    if folder.foreign:
        yield f"not ours  {len(folder.foreign):,}: {printable(', '.join(folder.foreign[:5]))}"
    places = _places(folder, ttl_s)
    if places:
        head = ("account", "region", "service", "entries", "young", "size", "youngest")
        rows = [
            (str(one["account"]), str(one["region"]), str(one["service"]), f"{one['entries']:,}", f"{one['young']:,}",
             size_text(one["size_bytes"]), span_text(one["youngest_s"]))
            for one in places
        ]  # fmt: skip
        yield ""
        yield from columns([head, *rows])


def _counts(entries: Sequence[CacheEntry], ttl_s: int) -> dict[str, Any]:
    usable = [one for one in entries if one.kind in ("unit", "answer")]
    return {
        "entries": len(entries),
        "young": sum(one.age_s <= ttl_s for one in usable),
        "size_bytes": sum(one.size_bytes for one in entries),
        "oldest_s": round(max((one.age_s for one in entries), default=0)),
        "youngest_s": round(min((one.age_s for one in entries), default=0)),
        "leftover": sum(one.kind == "leftover" for one in entries),
        "damaged": sum(one.kind == "damaged" for one in entries),
    }


def _places(folder: CacheFolder, ttl_s: int) -> list[dict[str, Any]]:
    """The units by account, region and service; region lists stand under the service they were asked of."""
    by_place: dict[tuple[str, str, str], list[CacheEntry]] = {}
    for one in folder.entries:
        if one.kind in ("unit", "answer"):
            place = (one.account, one.region, one.service) if one.kind == "unit" else ("-", "-", "region list")
            by_place.setdefault(place, []).append(one)
    names = ("account", "region", "service")
    return [
        {**dict(zip(names, place, strict=True)), **{k: v for k, v in _counts(some, ttl_s).items() if k in _SHOWN}}
        for place, some in sorted(by_place.items())
    ]


_SHOWN = ("entries", "young", "size_bytes", "oldest_s", "youngest_s")


def _ages(entries: Sequence[CacheEntry]) -> str:
    from scanner.cli.figures import span_text

    ages = [one.age_s for one in entries]
    return f"{span_text(min(ages))} to {span_text(max(ages))}" if len(ages) > 1 else span_text(ages[0])
