"""Many shards -> one file of records: joined by ARN, sorted, counted; one record in memory at a time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from scanner.collectors.records import unite
from scanner.store.ledger import write_lines
from scanner.store.shards import OnFoot, merge_shards, sort_key
from scanner.store.snapshots import RECORDS


@dataclass(slots=True)
class Counts:
    """What the records of a scan add up to. `duplicates`: records of a resource that one collector gave twice."""

    resources: int = 0
    duplicates: int = 0
    by_account: Counter[str] = field(default_factory=Counter)
    by_region: Counter[str] = field(default_factory=Counter)
    by_service: Counter[str] = field(default_factory=Counter)
    by_type: Counter[str] = field(default_factory=Counter)
    by_region_type: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, record: dict[str, Any]) -> None:
        """Count one record."""
        self.resources += 1
        self.by_account[record["account_id"]] += 1
        self.by_region[record["region"]] += 1
        self.by_service[record["service"]] += 1
        self.by_type[record["resource_type"]] += 1
        self.by_region_type[record["region"]][record["resource_type"]] += 1


def reduce(paths: list[Path], folder: Path, on_foot: OnFoot | None = None) -> Counts:
    """Merge shards into `folder`/resources.jsonl.zst; `on_foot` hears what each says of its cells and calls.

    Raises SnapshotError for a damaged shard or a full disk.
    """
    counts = Counts()
    scratch = paths[0].parent if paths else folder
    write_lines(folder / RECORDS, joined(merge_shards(paths, scratch, on_foot), counts))
    return counts


def joined(lines: Iterator[bytes], counts: Counts) -> Iterator[bytes]:
    """One line per resource of a sorted stream of records: what two collectors saw is united, repeats are counted."""
    held: dict[str, Any] | None = None
    text = b""
    for line in lines:
        record = orjson.loads(line)
        if held is not None and _same(held, record):
            if set(held["sources"]) >= set(record["sources"]):
                counts.duplicates += 1
                continue
            held = unite(held, record)
            text = orjson.dumps(held)
            continue
        if held is not None:
            counts.add(held)
            yield text
        held, text = record, line
    if held is not None:
        counts.add(held)
        yield text


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two neighbours are one resource: same ARN (wherever it was seen), or same id and region without one."""
    if one["resource_arn"]:
        return sort_key(one)[:4] == sort_key(other)[:4]
    return not other["resource_arn"] and sort_key(one) == sort_key(other)
