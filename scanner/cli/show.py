"""A snapshot on the terminal: first rows, then what is missing, then totals and where the reports are."""

from __future__ import annotations

import typer

from scanner.formats.table import render_summary, render_table
from scanner.store.snapshots import Snapshot


def show_snapshot(snapshot: Snapshot, rows: int) -> None:
    """Print the table and the summary on stdout, the reports' places on stderr."""
    from rich.console import Console

    console = Console()
    if rows:
        render_table(snapshot, console, rows)
    render_summary(snapshot, console)
    for name in sorted(snapshot.manifest["files"]):
        typer.echo(f"{snapshot.path / name}", err=True)
    typer.echo(f"{snapshot.path / 'manifest.json'}", err=True)
