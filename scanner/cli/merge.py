"""Make one snapshot of many: of shards, accounts, profiles or times. The order makes no difference.

Of a cell that several snapshots have, an answer is taken before a gap, then the later one; records follow their cell.
A shard that is missing is named, and makes the snapshot incomplete. The path of the snapshot goes to stdout.

\b
Examples:
  aws-scanner merge part-1 part-2 part-3
  aws-scanner merge downloads/* --output inventory
  aws-scanner merge reports/prod reports/staging --format csv

\b
Exit codes:
  0  complete              1  fewer than `min_resources`
  2  snapshots that cannot stand in one, are damaged, or a folder that cannot be written
  3  something is unknown, or a shard is missing
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from scanner.cli import words
from scanner.cli.voice import complain

SNAPSHOTS = Annotated[
    list[Path],
    typer.Argument(metavar="SNAPSHOTS...", help="Snapshot folders, `latest` files or folders of profiles."),
]
OUTPUT = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FOLDER",
        help="The new snapshot's folder. Default: one in reports/<profile>/, as its latest.",
    ),
]
FORMATS = Annotated[
    list[str] | None,
    typer.Option(
        "--format",
        "-f",
        metavar="NAME",
        autocompletion=words.formats,
        help="A report to write beside the records; repeatable. Default: json and markdown.",
    ),
]
QUIET = Annotated[bool, typer.Option("--quiet", "-q", help="No summary on stderr.")]


def run(snapshots: SNAPSHOTS, output: OUTPUT = None, formats: FORMATS = None, quiet: QUIET = False) -> None:
    """Entry of `aws-scanner merge`."""
    from scanner.formats import get
    from scanner.formats.console import console_for
    from scanner.formats.summary import render_summary
    from scanner.manifest import gate_lines
    from scanner.merge.engine import merge

    names = tuple(get(name).NAMES[0] for name in formats or ("json", "markdown"))
    snapshot = merge(snapshots, output, names, Path("reports"))
    render_summary(snapshot, console_for(sys.stderr, quiet=quiet))
    for line in gate_lines(snapshot.manifest):
        complain(line)
    typer.echo(snapshot.path)
    raise typer.Exit(snapshot.exit_code)
