"""A snapshot for people: the first rows of its table, and what the scan comes to."""

from __future__ import annotations

import sys

from scanner.store.snapshots import Snapshot


def show_snapshot(snapshot: Snapshot, rows: int | None = None, *, summary: bool = True) -> None:
    """Print the table and below it the summary, on stdout. `rows` None: as many as a table has by default.

    Raises BrokenPipeError where nobody reads on.
    """
    from scanner.formats.console import console_for
    from scanner.formats.summary import render_summary
    from scanner.formats.table import render_table

    console = console_for(sys.stdout)
    render_table(snapshot, console, rows)
    if summary:
        render_summary(snapshot, console)
    sys.stdout.flush()
