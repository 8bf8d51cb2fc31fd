"""Serve a fake AWS on this machine, made of botocore's shapes: any list call of the catalog, true pages, faults.

It prints the environment that leads there; docs/fake-aws.md has the faults.

Examples: aws-scanner fake-aws --port 5000 --items 100; aws-scanner fake-aws --rule deny:rds:describe_db_clusters
"""

from __future__ import annotations

from typing import Annotated

import typer

from scanner.cli.check import CATALOG_DIRS, folders_of

NAME = "fake-aws"


def run(
    port: Annotated[int, typer.Option("--port", help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    items: Annotated[int, typer.Option("--items", help="Resources of each type, account and region.")] = 10,
    latency_ms: Annotated[int, typer.Option("--latency-ms", help="Milliseconds added to each answer.")] = 0,
    rules: Annotated[
        list[str] | None,
        typer.Option("--rule", metavar="FAULT:SERVICE:OPERATION:REGION", help="deny, throttle or error500; globs."),
    ] = None,
    catalog_dirs: CATALOG_DIRS = None,
) -> None:
    """Entry of `aws-scanner fake-aws`."""
    from scanner.fakeaws import Fleet, serve

    fleet, folders = Fleet(items=items), folders_of(catalog_dirs)
    serve(fleet, port=port, latency_s=latency_ms / 1000, rules=rules or [], catalog_dirs=folders, announce=typer.echo)
