"""Write reports from a snapshot, without AWS: any format later, and a scan that was stopped with many shards.

Examples: aws-scanner report reports/prod -o prod.csv; aws-scanner report reports/prod/20260101T000000Z-1a2b3c4d
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scanner.cli.groups import spread
from scanner.cli.options import Delivery


@spread
def run(
    snapshot: Annotated[Path, typer.Argument(help="A snapshot folder, its `latest`, or the folder of a profile.")],
    delivery: Delivery,
) -> None:
    """Entry of `aws-scanner report`."""
    from scanner.cli.delivery import deliver, make_ready, target_of
    from scanner.cli.show import show_snapshot
    from scanner.cli.voice import complain
    from scanner.errors import ProfileError
    from scanner.finish import finish_stopped, is_stopped
    from scanner.store.snapshots import load_snapshot

    problems: list[str] = []
    target = target_of(delivery, problems)
    if problems:
        raise ProfileError(problems)
    make_ready(target)
    if is_stopped(snapshot):
        finish_stopped(snapshot)
    found = load_snapshot(snapshot)
    if target.is_table:
        show_snapshot(found)
    elif written := deliver(found, target):
        complain(f"written: {written}")
