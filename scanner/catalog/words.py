"""The catalog's words without compiling it: for shell completion, which must not wait for botocore's models."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from scanner.catalog import FOLDER, compiled_catalog, yaml_files

_PARTITIONS = Path("data", "partitions.json")


def regions() -> dict[str, tuple[str, ...]]:
    """Partition -> its region names; {} where nothing on this machine tells them."""
    catalog = compiled_catalog()
    return dict(catalog.regions) if catalog else _regions_of_botocore()


def services() -> dict[str, str]:
    """Service -> what a profile may select by it, in words. Of a catalog not yet compiled only the file names."""
    catalog = compiled_catalog()
    if catalog is None:
        return dict.fromkeys(sorted(path.stem for path in yaml_files()), "a service")
    counts: dict[str, int] = {}
    for kind in catalog.types:
        counts[kind.service] = counts.get(kind.service, 0) + 1
    words = {name: f"{count} resource type{'s' if count > 1 else ''}" for name, count in sorted(counts.items())}
    return {**words, **{name: "alias of " + " ".join(meant) for name, meant in catalog.aliases.items()}}


def types() -> dict[str, str]:
    """Resource type -> its CloudFormation name or client; {} where the catalog is not yet compiled."""
    catalog = compiled_catalog()
    return {kind.resource_type: kind.cfn or kind.service for kind in catalog.types} if catalog else {}


def _regions_of_botocore() -> dict[str, tuple[str, ...]]:
    """Read from botocore's data as a file: importing it would cost more than all the rest."""
    import orjson

    found = find_spec("botocore")
    try:
        folder = Path(found.origin).parent if found and found.origin else FOLDER
        partitions = orjson.loads((folder / _PARTITIONS).read_bytes())["partitions"]
        return {one["id"]: tuple(sorted(name for name in one["regions"] if "global" not in name)) for one in partitions}
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
        return {}
