"""Print the versions that a scan's result depends on.

Examples: aws-scanner version
"""

from __future__ import annotations

import typer


def run() -> None:
    """Entry of `aws-scanner version`."""
    from scanner.catalog import load_catalog
    from scanner.manifest import versions

    for name, version in versions(load_catalog().version).items():
        typer.echo(f"{name} {version}")
