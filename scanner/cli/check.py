"""Prove every entry of the catalog against botocore's models. Exit 2 where one does not fit."""

from __future__ import annotations

import typer

NAME = "check"


def run() -> None:
    """Entry of `aws-scanner check`."""
    from scanner.catalog.check import check

    result = check()
    for problem in result.problems:
        typer.echo(problem, err=True)
    for note in result.notes:
        typer.echo(f"note: {note}", err=True)
    typer.echo(f"{result.entries} resource types, {result.calls} calls, {len(result.problems)} problems")
    raise typer.Exit(2 if result.problems else 0)
