"""Scan an embedded fake AWS over HTTP, through the path of production, and show the report.

With --serve it stays up and prints the environment to use it from another shell. Its tagging API, which is moto's,
knows fewer types than AWS's: under a tag filter `--collector services` finds what it does not tell.

Examples: aws-scanner demo; aws-scanner demo --serve; aws-scanner demo --set execution.executor=serial
"""

from __future__ import annotations

import os
import time
from typing import Annotated

import typer

from scanner.cli.options import SET, Selection


def run(
    serve: Annotated[bool, typer.Option("--serve", help="Keep the fake AWS up; print the environment for it.")] = False,
    settings: SET = None,
) -> None:
    """Entry of `aws-scanner demo`."""
    from scanner.cli.scan import Asked, scan_and_show
    from scanner.cli.talk import on_signals
    from scanner.demo import DemoServer
    from scanner.profile import load_profile

    if not serve:
        # A profile that is not there is told before the fleet is seeded, which takes a while.
        load_profile("demo", {"endpoint_url": "http://127.0.0.1:1"})
    typer.echo("starting a fake AWS on this machine and filling it with a fleet ...", err=True)
    with DemoServer.start() as server:
        if serve:
            on_signals()
            for name, value in server.environment().items():
                typer.echo(f"export {name}={value}")
            typer.echo(
                "serving until Ctrl-C; scan it with: aws-scanner scan demo --set endpoint_url=$AWS_ENDPOINT_URL",
                err=True,
            )
            while True:
                time.sleep(3600)
        for name in [name for name in os.environ if name.startswith("AWS_") and not name.startswith("AWS_SCANNER")]:
            # Nothing of the user's own AWS configuration has a part in the demo.
            del os.environ[name]
        os.environ.update({k: v for k, v in server.environment().items() if k != "AWS_ENDPOINT_URL"})
        selection = Selection(settings=[*(settings or []), f"endpoint_url={server.url}"])
        code = scan_and_show(Asked("demo", selection))
    raise typer.Exit(code)
