"""List the resource types of the catalog, one a line: type, CloudFormation name, calls."""

from __future__ import annotations

from typing import Annotated

import typer

from scanner.cli.check import CATALOG_DIRS, folders_of

NAME = "types"


def run(
    pattern: Annotated[str, typer.Argument(help="A service, type or glob: ec2, s3:bucket, '*:cluster'.")] = "*",
    catalog_dirs: CATALOG_DIRS = None,
) -> None:
    """Entry of `aws-scanner types`."""
    from scanner.catalog import load_catalog
    from scanner.cli.plan import calls_of
    from scanner.errors import ProfileError
    from scanner.profile.problems import nearest

    catalog = load_catalog(folders_of(catalog_dirs))
    found = catalog.find(pattern)
    if not found:
        raise ProfileError([f"types: nothing in the catalog is called {pattern!r}{nearest(pattern, catalog.names())}"])
    for kind in found:
        typer.echo(f"{kind.resource_type}\t{kind.service}\t{kind.cfn or '-'}\t{calls_of(kind, True)}")
