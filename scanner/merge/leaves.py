"""The scans in a merged snapshot, whoever merged them before: the set of them decides all that its manifest says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from scanner.errors import ProfileError
from scanner.routes import asked_at
from scanner.store.snapshots import Snapshot

_KEPT = (
    "scan_id", "profile", "plan", "shard", "min_resources", "started_at", "finished_at", "interrupted", "versions",
    "endpoint_url", "endpoints", "selection", "accounts", "operations", "asides",
    "refused_calls",
)  # fmt: skip

Leaf = Mapping[str, Any]


def leaves_of(snapshots: Iterable[Snapshot]) -> tuple[Leaf, ...]:
    """Every scan in these snapshots once, sorted."""
    found = {_text(leaf): leaf for snapshot in snapshots for leaf in _leaves(snapshot.manifest)}
    return tuple(found[text] for text in sorted(found))


def _leaves(manifest: Mapping[str, Any]) -> list[Leaf]:
    if manifest.get("sources"):
        return list(manifest["sources"])
    leaf = {name: manifest.get(name) for name in _KEPT}
    return [{**leaf, "duplicates": manifest["totals"].get("duplicates", 0)}]


def _text(leaf: Leaf) -> bytes:
    return orjson.dumps([leaf["started_at"], leaf["scan_id"], leaf], option=orjson.OPT_SORT_KEYS)


def refuse_conflicts(leaves: tuple[Leaf, ...]) -> None:
    """Raise ProfileError where scans cannot stand in one snapshot: it could not say what it was asked for."""
    problems = [problem for one in leaves[1:] for problem in _conflicts(leaves[0], one)]
    problems += _account_conflicts(leaves)
    if problems:
        raise ProfileError([f"cannot be merged: {problem}" for problem in dict.fromkeys(problems)])


def _conflicts(first: Leaf, other: Leaf) -> Iterator[str]:
    names = f"{first['scan_id']} and {other['scan_id']}"
    asked = [asked_at(one) for one in (first, other)]
    if asked[0] != asked[1]:
        yield f"{names} asked different endpoints: {' and '.join(asked)}"
    for name in ("tags", "filters", "include_sensitive"):
        if first["selection"].get(name) != other["selection"].get(name):
            yield f"{names} were made with different {name}"


def _account_conflicts(leaves: tuple[Leaf, ...]) -> Iterator[str]:
    digests: dict[str, tuple[str, str]] = {}
    tags: dict[str, tuple[Any, str]] = {}
    for leaf in leaves:
        for name, digest in leaf["selection"]["types"].items():
            before, scan_id = digests.setdefault(name, (digest, leaf["scan_id"]))
            if before != digest:
                yield f"{scan_id} and {leaf['scan_id']} were made with different catalogs: {name} is not asked alike"
        for account in leaf["selection"]["accounts"]:
            own = words_in(leaf, account, "tags")
            before, scan_id = tags.setdefault(account["id"], (own, leaf["scan_id"]))
            if before != own:
                yield f"{scan_id} and {leaf['scan_id']} filter account {account['id']} by different tags"


def words_in(leaf: Leaf, account: Mapping[str, Any], name: str) -> Any:
    """The words that hold for an account in one scan: its own, else the selection's."""
    return leaf["selection"][name] if account[name] is None else account[name]


def missing_parts(leaves: tuple[Leaf, ...]) -> tuple[str, ...]:
    """What is known to be missing from the plans that shards are parts of, in words."""
    plans: dict[tuple[str, str], list[Leaf]] = {}
    for leaf in leaves:
        plans.setdefault((leaf["profile"]["name"], str(leaf["plan"])), []).append(leaf)
    return tuple(sorted({text for (name, _), parts in plans.items() for text in _missing(name, parts)}))


def _missing(name: str, parts: list[Leaf]) -> Iterator[str]:
    present: dict[int, set[int]] = {}
    for leaf in parts:
        if not leaf["shard"]:
            return
        present.setdefault(leaf["shard"]["of"], set()).add(leaf["shard"]["number"])
    absent = {of: sorted(set(range(1, of + 1)) - numbers) for of, numbers in present.items()}
    if all(absent.values()):
        yield from (f"shard {number}/{of} of {name}" for of, numbers in absent.items() for number in numbers)
    yield from _unlike_regions(parts)


def _unlike_regions(parts: list[Leaf]) -> Iterator[str]:
    """A region that one shard found enabled and another did not was planned in one of them only."""
    regions: dict[str, set[str]] = {}
    reached = [(leaf, one) for leaf in parts for one in leaf["accounts"] if one["outcome"] == "ok"]
    for _, one in reached:
        regions.setdefault(one["id"], set()).update(one["regions"])
    for leaf, one in reached:
        shard = f"{leaf['shard']['number']}/{leaf['shard']['of']}"
        for region in sorted(regions[one["id"]] - set(one["regions"])):
            yield f"{region} of account {one['id']} in shard {shard} of {leaf['profile']['name']}"


def doors_shut(leaves: tuple[Leaf, ...]) -> frozenset[str]:
    """The accounts that a scan could not enter, and no other scan of the same part of the same plan has entered."""
    entered = {(_part(leaf), one["id"]) for leaf in leaves for one in leaf["accounts"] if one["outcome"] == "ok"}
    wholes = {(plan, account) for (plan, shard), account in entered if shard is None}
    shut: set[str] = set()
    for leaf in leaves:
        for one in leaf["accounts"]:
            plan, _ = part = _part(leaf)
            if one["outcome"] != "ok" and (part, one["id"]) not in entered and (plan, one["id"]) not in wholes:
                shut.add(one["id"] or one["name"] or "unknown")
    return frozenset(shut)


def _part(leaf: Leaf) -> tuple[str, tuple[int, int] | None]:
    shard = leaf["shard"]
    return f"{leaf['profile']['name']} {leaf['plan']}", (shard["number"], shard["of"]) if shard else None
