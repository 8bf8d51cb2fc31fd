"""Under which selection a snapshot was made: filters, words of the profile, and the types each account was asked for.

Two snapshots are compared by it: what one selection leaves out must not look as if it were gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from scanner.catalog import Catalog
from scanner.catalog.digests import names_digest, type_digests
from scanner.model import TagFilter, Unit
from scanner.plan import Reached
from scanner.profile import AccountSpec, Profile

TAGGING = "*"  # the tagging API among the types: it is asked for all of them at once


def selection_of(
    profile: Profile, reached: Iterable[Reached], units: Sequence[Unit], catalog: Catalog
) -> dict[str, Any]:
    """The manifest's `selection` (docs/manifest.schema.json)."""
    by_account = _types_by_account(units)
    asked = set().union(*by_account.values())
    return {
        **words_of(profile),
        "accounts": [
            _account(one.spec, one.account.id, by_account.get(one.account.id, set()), asked) for one in reached
        ],
        "types": _digests(catalog, sorted(asked)),
    }


def words_of(profile: Profile) -> dict[str, Any]:
    """What the profile itself says of a selection; known before anything is asked of AWS."""
    return {
        "tags": _filters(profile.tags),
        "filters": {name: sorted(words) for name, words in profile.chosen_filters},
        "services": list(profile.services),
        "regions": list(profile.regions),
        "collector": profile.collector,
        "all_services": profile.all_services,
        "include_sensitive": profile.include_sensitive,
        "enrich": profile.enrich if isinstance(profile.enrich, str) else list(profile.enrich),
        "accounts": [_account(spec, spec.id, set(), set()) for spec in profile.accounts if spec.id],
        "types": {},
    }


def _account(spec: AccountSpec, account_id: str | None, types: set[str], all_types: set[str]) -> dict[str, Any]:
    """An account's own words; null where the selection's hold."""
    return {
        "id": account_id,
        "tags": None if spec.tags is None else _filters(spec.tags),
        "services": spec.services,
        "regions": spec.regions,
        "types": None if types == all_types else sorted(types),
    }


def _filters(tags: Iterable[TagFilter]) -> list[dict[str, list[str]]]:
    """Tag filters in an order that does not depend on how they were written."""
    found = [{"keys": sorted(one.keys), "values": sorted(one.values)} for one in tags]
    return sorted(found, key=lambda one: (one["keys"], one["values"]))


def _types_by_account(units: Iterable[Unit]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for unit in units:
        names = [f"{unit.service}:{kind}" for kind in unit.types] if unit.collector == "services" else [TAGGING]
        found.setdefault(unit.account.id, set()).update(names)
    return found


def _digests(catalog: Catalog, names: Sequence[str]) -> dict[str, str]:
    by_names = {TAGGING: names_digest(catalog)} if TAGGING in names else {}
    kinds = (catalog.type_of(*name.split(":", 1)) for name in names if name != TAGGING)
    return by_names | type_digests(catalog, kinds)
