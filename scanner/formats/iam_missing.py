"""The IAM actions that a scan lacked, as a policy for each account: its key is the account, its value can be pasted."""

from __future__ import annotations

from typing import BinaryIO

import orjson

from scanner.catalog.policies import numbered, policies
from scanner.store.snapshots import Snapshot

NAMES = ("iam-missing",)
SUFFIX = "iam-missing.json"  # an ending of its own: "x.json" means the resources
FILE = "iam-missing.json"


def write(snapshot: Snapshot, out: BinaryIO, *, limit: int | None = None) -> None:
    """Write all policies; `{}` where nothing is missing. There are no resources here that `limit` could cut."""
    del limit
    missing = snapshot.manifest.get("permissions", {}).get("missing", {})
    found: dict[str, object] = {}
    for account_id, actions in sorted(missing.items()):
        found |= numbered(account_id, policies(actions, "AwsScannerMissing"))
    out.write(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
