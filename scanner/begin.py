"""What a scan sets out to do, written down before anything is asked: whoever ends it needs nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import orjson

from scanner import manifest as manifests
from scanner.access import Access
from scanner.aws.settings import DoorSettings
from scanner.catalog import Catalog
from scanner.model import Outcome, Unit
from scanner.permissions import Refusals, actions_of
from scanner.plan import planned_cells
from scanner.profile import LoadedProfile, Profile
from scanner.routes import planned_endpoints
from scanner.selection import selection_of
from scanner.share import Share
from scanner.store.journal import Plan, PlannedUnit

# What of a profile decides how a scan goes and what becomes of it, but neither what is asked nor what records say.
_SHAPELESS = frozenset({"description", "min_resources", "execution", "retry", "limits", "cache", "reports", "expect"})


def shape_of(loaded: LoadedProfile) -> dict[str, str]:
    """Everything that decides what is asked and what records say, each by a digest: no secret leaves the profile."""
    said = {
        **{f"profile: {name}": value for name, value in _settings(loaded.profile)},
        "environment: the endpoints": _endpoints(loaded),
        "the catalog": loaded.catalog.version,
        "aws-scanner": manifests.versions(loaded.catalog.version)["aws-scanner"],
    }
    return {name: _digest(value) for name, value in said.items()}


def _endpoints(loaded: LoadedProfile) -> list[dict[str, Any]]:
    """Where a scan's requests go instead of AWS."""
    door = DoorSettings(endpoint_url=loaded.profile.endpoint_url)
    return planned_endpoints(loaded.profile, loaded.catalog, door)


def plan_of(
    loaded: LoadedProfile, access: Access, units: Iterable[Unit], key: Callable[[Unit], str], said: Mapping[str, Any]
) -> Plan:
    """The plan as the journal keeps it. `said`: what of the manifest is known to the caller alone."""
    profile, catalog, units = loaded.profile, loaded.catalog, tuple(units)
    expected = [one.model_dump(mode="json") for one in profile.expect]
    actions = actions_of(catalog, {unit.service for unit in units})
    told = {
        "manifest": {**_manifest(loaded, access, units), "asides": _asides(access, actions), **said},
        "actions": actions,
        "shape": shape_of(loaded),
        "expect": expected,
        "formats": list(profile.reports.formats),
        "rows": {"markdown": profile.reports.markdown_rows, "table": profile.reports.table_rows},
        "operations": [asdict(one) for one in access.stats],
    }
    return Plan(told, tuple(_planned(catalog, units, key)))


def shard_of(share: Share | None) -> dict[str, int] | None:
    """The share as manifests have it."""
    if share is None:
        return None
    return {"number": share.number, "of": share.of}


def _manifest(loaded: LoadedProfile, access: Access, units: tuple[Unit, ...]) -> dict[str, Any]:
    """What of the manifest is known before the scan."""
    profile = loaded.profile
    path = str(loaded.path) if loaded.path else None
    return {
        "profile": {"name": profile.name, "digest": loaded.digest, "path": path},
        "plan": _digest(shape_of(loaded))[:12],
        "min_resources": profile.min_resources,
        "versions": manifests.versions(loaded.catalog.version),
        "selection": selection_of(profile, access.reached, units, loaded.catalog),
        "accounts": [
            {**{name: getattr(line, name) for name in line.__slots__}, "regions": list(line.regions)}
            for line in access.lines
        ],
    }


def _asides(access: Access, actions: Mapping[str, list[str]]) -> list[tuple[str, str, str]]:
    """What was denied and is no gap, since something else stood in for the answer."""
    refusals = Refusals(actions)
    return sorted({(cell.account_id, *one) for cell in access.asides for one in refusals.of(cell)})


def _planned(catalog: Catalog, units: Iterable[Unit], key: Callable[[Unit], str]) -> Iterator[PlannedUnit]:
    known: dict[tuple[str, str, tuple[str, ...]], tuple[tuple[str, str], ...]] = {}
    for unit in units:
        alike = (unit.collector, unit.service, unit.types)
        if alike not in known:
            cells = planned_cells(catalog, unit, Outcome.INTERRUPTED, "")
            known[alike] = tuple((cell.resource_type, cell.call) for cell in cells)
        place = (unit.account.id, unit.scope_region, unit.service, unit.named_region)
        yield PlannedUnit(unit.name, key(unit), *place, known[alike])


def _settings(profile: Profile) -> Iterator[tuple[str, Any]]:
    for name, value in profile.model_dump(mode="json").items():
        if name not in _SHAPELESS:
            yield name, value


def _digest(value: Any) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()
