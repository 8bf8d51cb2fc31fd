"""The manifest of a merged snapshot, made of the scans in it: earliest start, latest end, the widest selection."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

from scanner import manifest as manifests
from scanner.merge.leaves import Leaf, missing_parts, words_in
from scanner.model import CallStats
from scanner.routes import manifest_of, merged

MERGED = "merged"  # the name of a profile that is several


def scan_id_of(leaves: tuple[Leaf, ...]) -> str:
    """The name of a merged snapshot: when the last of its scans ended, and a digest of them all."""
    names = "\n".join(sorted(f"{leaf['scan_id']} {leaf['started_at']}" for leaf in leaves))
    stamp = max(leaf["finished_at"] for leaf in leaves)[:19].replace("-", "").replace(":", "")
    return f"{stamp}Z-{hashlib.sha256(names.encode()).hexdigest()[:8]}"


def head_of(leaves: tuple[Leaf, ...]) -> dict[str, Any]:
    """All that does not depend on ledger and records."""
    operations = manifests.Operations(CallStats(**one) for leaf in leaves for one in leaf["operations"])
    refused = sum((Counter(leaf.get("refused_calls") or {}) for leaf in leaves), Counter[str]())
    return {
        "scan_id": scan_id_of(leaves),
        "profile": _profile(leaves),
        "min_resources": max(leaf["min_resources"] or 0 for leaf in leaves),
        "started_at": min(leaf["started_at"] for leaf in leaves),
        "finished_at": max(leaf["finished_at"] for leaf in leaves),
        "interrupted": None,
        "versions": _versions(leaves),
        **manifest_of(merged(leaf.get("endpoints") or [] for leaf in leaves)),
        "shard": None,
        "sources": list(leaves),
        "missing": list(missing_parts(leaves)),
        "selection": _selection(leaves),
        "accounts": _accounts(leaves),
        "operations": operations.rows(),
        "refused_calls": dict(sorted(refused.items())),
        "asides": sorted({tuple(one) for leaf in leaves for one in leaf.get("asides") or ()}),
    }


def _profile(leaves: tuple[Leaf, ...]) -> dict[str, Any]:
    profiles = [leaf["profile"] for leaf in leaves]
    digests = sorted({one["digest"] for one in profiles})
    return {
        "name": _common((one["name"] for one in profiles), MERGED),
        "digest": digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest(),
        "path": _common((one["path"] for one in profiles), None),
    }


def _versions(leaves: tuple[Leaf, ...]) -> dict[str, str]:
    return {name: ", ".join(sorted({str(leaf["versions"][name]) for leaf in leaves})) for name in leaves[0]["versions"]}


def _common(values: Iterable[Any], otherwise: Any) -> Any:
    """What all of them are, or something else."""
    found = list(values)
    return found[0] if all(one == found[0] for one in found) else otherwise


def _selection(leaves: tuple[Leaf, ...]) -> dict[str, Any]:
    selections = [leaf["selection"] for leaf in leaves]
    said = {
        "tags": selections[0]["tags"],
        "filters": selections[0]["filters"],
        "include_sensitive": bool(selections[0].get("include_sensitive")),
        "services": _words(one["services"] for one in selections),
        "regions": _words(one["regions"] for one in selections),
        "collector": _common((one["collector"] for one in selections), "both"),
        "all_services": any(one["all_services"] for one in selections),
        "enrich": _common((one["enrich"] for one in selections), "all"),
    }
    types = {name: digest for one in selections for name, digest in one["types"].items()}
    ids = sorted({one["id"] for selection in selections for one in selection["accounts"]})
    accounts = [_account(leaves, account_id, said, set(types)) for account_id in ids]
    return {**said, "accounts": accounts, "types": dict(sorted(types.items()))}


def _words(given: Iterable[list[str]]) -> list[str]:
    """The words of all, as they are where they are the same."""
    found = list(given)
    same: list[str] | None = _common(found, None)
    return sorted({word for words in found for word in words}) if same is None else same


def _account(leaves: tuple[Leaf, ...], account_id: str, said: dict[str, Any], types: set[str]) -> dict[str, Any]:
    """An account's own words; null where the selection's hold."""
    its = [(leaf, one) for leaf in leaves for one in leaf["selection"]["accounts"] if one["id"] == account_id]
    own: dict[str, Any] = {"tags": words_in(*its[0], "tags")}
    own |= {name: _words(words_in(leaf, one, name) for leaf, one in its) for name in ("services", "regions")}
    asked = {name for leaf, one in its for name in (one["types"] or leaf["selection"]["types"])}
    return {
        "id": account_id,
        **{name: None if value == said[name] else value for name, value in own.items()},
        "types": None if asked == types else sorted(asked),
    }


def _accounts(leaves: tuple[Leaf, ...]) -> list[dict[str, Any]]:
    by_name: dict[tuple[str, str], list[tuple[str, dict[str, Any]]]] = {}
    for leaf in leaves:
        for one in leaf["accounts"]:
            key = (one["id"] or "", "" if one["id"] else one["name"] or "")
            by_name.setdefault(key, []).append((leaf["finished_at"], one))
    return [_joined(by_name[key]) for key in sorted(by_name)]


def _joined(lines: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """One account of many scans: as those say that entered it; where none did, as the last of them."""

    def order(one: tuple[str, dict[str, Any]]) -> tuple[str, str]:
        return one[0], repr(sorted(one[1].items()))

    entered = [one for one in lines if one[1]["outcome"] == "ok"]
    last = max(entered or lines, key=order)[1]
    regions = {region for _, one in entered or lines for region in one["regions"]}
    return {**last, "regions": sorted(regions)}
