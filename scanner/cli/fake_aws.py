"""Serve a fake AWS on this machine, made of botocore's shapes: any list call of the catalog, true pages, faults.

It prints the environment that leads there, and at its end what it was asked; GET /_fake-aws/counts has that as JSON at
any time. Calls that would change something are refused and counted. docs/fake-aws.md has examples of each fault.

Errors: deny, deny_by_policy, opt_in, invalid_key, expired, skew, throttle, bucket, error500, error503. Answers that
lie: html, truncated, unknown_shape. Connections: reset, cut, slow, hang. Pages: same_token, empty_page,
duplicate_page, empty_last_page, endless.

A fault's keys: service, operation, region, account (globs); page (first, later); after (spare the first N calls); times
(at most N faults); probability and seed (the same calls at each run); rate and burst (bucket); delay_s (slow); ahead_s
(skew). Short: FAULT:SERVICE:OPERATION:REGION:ACCOUNT. The first rule that hits a call wins.

Examples: aws-scanner fake-aws --port 5000 --items 100; aws-scanner fake-aws --fault deny:rds:describe_db_clusters;
  aws-scanner fake-aws --fault throttle:service=ec2,operation=DescribeInstances,probability=0.3,after=1,times=2;
  aws-scanner fake-aws --fault bucket:service=ec2,rate=5,burst=20 --fault hang:sqs:::444455556666
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from scanner.cli.check import CATALOG_DIRS, folders_of


def run(  # noqa: PLR0913 - one parameter per option
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    items: Annotated[int, typer.Option("--items", min=0, help="Resources of each type, account and region.")] = 10,
    page_size: Annotated[int, typer.Option("--page-size", min=1, help="Resources on one page at the most.")] = 1000,
    latency_ms: Annotated[int, typer.Option("--latency-ms", min=0, help="Milliseconds added to each answer.")] = 0,
    faults: Annotated[
        list[str] | None,
        typer.Option("--fault", "--rule", metavar="FAULT:KEY=VALUE,...", help="A fault by rule; repeatable."),
    ] = None,
    rules: Annotated[
        Path | None, typer.Option("--rules", metavar="FILE", help="Rules in YAML: a list of {fault:, KEY: VALUE}.")
    ] = None,
    catalog_dirs: CATALOG_DIRS = None,
) -> None:
    """Entry of `aws-scanner fake-aws`."""
    from scanner.catalog import load_catalog
    from scanner.errors import ProfileError
    from scanner.fakeaws import FakeAws, Fleet, load_rules, parse_rule, serve

    folders = folders_of(catalog_dirs)
    catalog = load_catalog(folders)
    wanted = [parse_rule(text, catalog) for text in faults or ()]
    wanted += load_rules(rules, catalog) if rules else ()
    fleet = Fleet(items=items, page_size=page_size)
    try:
        fake = FakeAws(fleet, tuple(wanted), latency_ms / 1000, port, catalog_dirs=folders)
    except OSError as error:
        raise ProfileError([f"--port {port}: {error.strerror}"]) from None
    serve(fake, typer.echo, partial(typer.echo, err=True))
