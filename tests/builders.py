"""Records, ledger cells and whole snapshot folders as a scan leaves them, for tests of whatever reads them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
import zstandard

from scanner.catalog import load_catalog
from scanner.catalog.digests import type_digest
from scanner.model import Outcome
from scanner.store.snapshots import RECORDS, Snapshot

_COUNTED = ("account_id", "region", "service", "resource_type")
ACCOUNT = "111122223333"
OTHER_ACCOUNT = "444455556666"


def record(
    resource_type: str = "ec2:instance", resource_id: str = "i-0a1b2c3d4e5f60718", **fields: Any
) -> dict[str, Any]:
    """A record of schema version 1 with every key in its place."""
    namespace, _, kind = resource_type.partition(":")
    region = fields.get("region", "eu-west-1")
    account = fields.get("account_id", ACCOUNT)
    where = "" if region == "global" else region
    made: dict[str, Any] = {
        "schema_version": 1,
        "resource_type": resource_type,
        "cfn_type": None,
        "service": namespace,
        "resource_id": resource_id,
        "resource_name": None,
        "resource_arn": f"arn:aws:{namespace}:{where}:{account}:{kind}/{resource_id}",
        "partition": "aws",
        "account_id": account,
        "account_name": "prod",
        "region": region,
        "tags": {},
        "created_at": None,
        "state": None,
        "ownership": "self",
        "sources": ["services"],
        "relationships": [],
        "managed_by": None,
        "fingerprint": hashlib.sha256(resource_id.encode()).hexdigest(),
        "configuration": {},
    }
    unknown = fields.keys() - made.keys()
    assert not unknown, f"no such field in a record: {unknown}"
    return {**made, **fields}


def cell(resource_type: str = "ec2:instance", outcome: str = "ok", **fields: Any) -> dict[str, Any]:
    """A line of the manifest's ledger."""
    made: dict[str, Any] = {
        "account_id": ACCOUNT,
        "region": "eu-west-1",
        "service": resource_type.partition(":")[0],
        "resource_type": resource_type,
        "call": "describe_instances",
        "outcome": outcome,
        "gap": Outcome(outcome).is_gap and not fields.get("expected"),
        "expected": False,
        "resources": 0,
        "calls": 1,
        "code": "",
        "message": "",
        "affected": 0,
        "seen_at": "2026-03-01T10:00:00Z",
        "cached": outcome == "cached",
    }
    unknown = fields.keys() - made.keys()
    assert not unknown, f"no such field in a ledger cell: {unknown}"
    return {**made, **fields}


def account(account_id: str | None = ACCOUNT, name: str | None = "prod", **fields: Any) -> dict[str, Any]:
    """An account as the manifest lists it."""
    return {
        "id": account_id,
        "name": name,
        "partition": "aws",
        "caller_arn": f"arn:aws:iam::{account_id}:user/inventory",
        "outcome": "ok",
        "message": None,
        "regions": ["eu-west-1", "us-east-1"],
        "regions_source": "profile",
        **fields,
    }


def selection(
    cells: Iterable[dict[str, Any]], accounts: Iterable[dict[str, Any]] = (), **fields: Any
) -> dict[str, Any]:
    """The selection of a scan that asked for exactly what a ledger has, without filters."""
    made: dict[str, Any] = {
        "tags": [],
        "filters": {},
        "services": ["*"],
        "regions": ["enabled"],
        "collector": "auto",
        "all_services": False,
        "enrich": "all",
        "accounts": [
            {"id": one["id"], "tags": None, "services": None, "regions": None, "types": None}
            for one in accounts
            if one["id"]
        ],
        "types": _digests(cells),
    }
    unknown = fields.keys() - made.keys()
    assert not unknown, f"no such field in a selection: {unknown}"
    return {**made, **fields}


def _digests(cells: Iterable[dict[str, Any]]) -> dict[str, str]:
    """The types of a ledger, those of the catalog with the digest that a scan of today writes."""
    known, found = _known_digests(), {}
    for one in cells:
        if one["service"] == "sts":
            continue
        kind = one["resource_type"].partition(":")[2]
        name = f"{one['service']}:{kind}" if kind else "*"
        found[name] = known.get((one["service"], one["resource_type"]), "0" * 12)
    return found


@lru_cache(maxsize=1)
def _known_digests() -> dict[tuple[str, str], str]:
    catalog = load_catalog()
    return {(kind.service, kind.resource_type): type_digest(catalog, kind) for kind in catalog.types}


def write_snapshot(
    folder: Path,
    records: Iterable[dict[str, Any]] = (),
    ledger: Iterable[dict[str, Any]] | None = None,
    accounts: Iterable[dict[str, Any]] | None = None,
    **manifest: Any,
) -> Snapshot:
    """Write a snapshot folder (records streamed, in the order given) and return it opened."""
    folder.mkdir(parents=True, exist_ok=True)
    counts: dict[str, Counter[str]] = {name: Counter() for name in (*_COUNTED, "region and type")}
    _write_records(folder / RECORDS, _counting(records, counts))
    cells = [cell()] if ledger is None else list(ledger)
    listed = [account()] if accounts is None else list(accounts)
    said = {**_manifest(folder, cells, listed, counts), **manifest}
    (folder / "manifest.json").write_bytes(orjson.dumps(said, option=orjson.OPT_INDENT_2))
    return Snapshot(folder, said)


def many(count: int, resource_type: str = "ec2:volume") -> Iterator[dict[str, Any]]:
    """So many records, made one by one."""
    return (record(resource_type, f"vol-{number:017x}", tags={"Name": f"disk {number}"}) for number in range(count))


def _counting(records: Iterable[dict[str, Any]], counts: dict[str, Counter[str]]) -> Iterator[dict[str, Any]]:
    for one in records:
        for name in _COUNTED:
            counts[name][one[name]] += 1
        counts["region and type"][f"{one['region']} {one['resource_type']}"] += 1
        yield one


def _write_records(path: Path, records: Iterable[dict[str, Any]]) -> None:
    with path.open("wb") as raw, zstandard.ZstdCompressor(write_checksum=True).stream_writer(raw) as out:
        for one in records:
            out.write(orjson.dumps(one) + b"\n")


def _manifest(
    folder: Path, cells: list[dict[str, Any]], accounts: list[dict[str, Any]], counts: dict[str, Counter[str]]
) -> dict[str, Any]:
    gaps = sum(one["gap"] for one in cells)
    expected = sum(one["expected"] for one in cells)
    totals = {"resources": counts["region"].total(), "cells": len(cells), "answered": len(cells) - gaps - expected}
    totals |= {"gaps": gaps, "expected_gaps": expected, "calls": sum(one["calls"] for one in cells)}
    totals |= {"retries": 0, "throttles": 0, "duplicates": 0, "cached_cells": sum(one["cached"] for one in cells)}
    stored = (folder / RECORDS).read_bytes()
    return {
        "schema_version": 1,
        "scan_id": "0123456789abcdef",
        "profile": {"name": "prod", "digest": "0" * 64, "path": "config/prod.yaml"},
        "started_at": "2026-03-01T10:00:00Z",
        "finished_at": "2026-03-01T10:01:05Z",
        "exit_code": 3 if gaps else 0,
        "interrupted": None,
        "versions": dict.fromkeys(("aws-scanner", "boto3", "botocore", "python", "catalog"), "1.2.3"),
        "endpoint_url": None,
        "selection": selection(cells, accounts),
        "accounts": accounts,
        "totals": totals,
        "by_account": dict(counts["account_id"]),
        "by_region": dict(counts["region"]),
        "by_service": dict(counts["service"]),
        "by_type": dict(counts["resource_type"]),
        "by_region_type": {
            region: {
                key.split(" ", 1)[1]: count
                for key, count in counts["region and type"].items()
                if key.split(" ", 1)[0] == region
            }
            for region in counts["region"]
        },
        "ledger": cells,
        "operations": [{"service": "ec2", "operation": "describe_instances", "calls": 1, "retries": 0, "throttles": 0}],
        "files": {RECORDS: {"sha256": hashlib.sha256(stored).hexdigest(), "size_bytes": len(stored)}},
    }
