"""Prove every entry of the catalog, and of limits.yaml, against botocore's models. Exit 2 where one does not fit.

Examples: aws-scanner check; aws-scanner check --catalog-dir catalogs
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scanner.cli.voice import say

CATALOG_DIRS = Annotated[
    list[Path] | None,
    typer.Option("--catalog-dir", metavar="DIR", help="A folder with catalog files of your own; repeatable."),
]


def run(catalog_dirs: CATALOG_DIRS = None) -> None:
    """Entry of `aws-scanner check`."""
    from scanner.aws.limits_check import problems
    from scanner.catalog.check import check

    folders = folders_of(catalog_dirs)
    result = check(folders)
    if not result.problems:
        result.problems.extend(problems())
    for problem in result.problems:
        say(problem, err=True)
    for note in result.notes:
        say(f"note: {note}", err=True)
    say(f"{result.entries} resource types, {result.calls} calls, {len(result.problems)} problems")
    raise typer.Exit(2 if result.problems else 0)


def folders_of(catalog_dirs: list[Path] | None) -> tuple[Path, ...]:
    """The folders of --catalog-dir. Raises ProfileError for one without catalog files."""
    from scanner.errors import ProfileError

    folders = tuple(catalog_dirs or ())
    empty = [f"--catalog-dir {one}: no such folder with *.yaml files" for one in folders if not any(one.glob("*.yaml"))]
    if empty:
        raise ProfileError(empty)
    return folders
