"""Write reports from a snapshot, without AWS: any format later, and a scan that was stopped with many shards.

Examples: aws-scanner report reports/prod --format csv; aws-scanner report reports/prod/20260101T000000Z-1a2b3c4d
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from scanner.cli.words import formats


def run(
    snapshot: Annotated[Path, typer.Argument(help="A snapshot folder, its `latest`, or the folder of a profile.")],
    format_: Annotated[
        str,
        typer.Option("--format", "-f", help="table, json, jsonl, csv, markdown, iam-missing.", autocompletion=formats),
    ] = "table",
) -> None:
    """Entry of `aws-scanner report`."""
    from scanner.cli.show import show_snapshot
    from scanner.finish import finish_stopped, is_stopped
    from scanner.formats import get
    from scanner.store.snapshots import load_snapshot

    if is_stopped(snapshot):
        finish_stopped(snapshot)
    found = load_snapshot(snapshot)
    module = get(format_)
    if "table" in module.NAMES:
        show_snapshot(found, 200)
    else:
        module.write(found, sys.stdout.buffer)
