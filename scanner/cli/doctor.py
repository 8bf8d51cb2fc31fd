"""Check what a scan of a profile needs, and say what to do about what is missing.

Versions, catalog, environment, profile, cache, reports folder and workers; then, unless --offline, the network up to
STS, the clock, and the credentials of each account (one STS call and one DescribeRegions each).

Exit code 0: all is well, or only warnings; 2: the profile is bad; 4: no account has usable credentials; 3: anything
else failed.

Examples: aws-scanner doctor; aws-scanner doctor -p production; aws-scanner doctor prod --offline
"""

from __future__ import annotations

from typing import Annotated

import typer

from scanner.cli.options import AWS_PROFILE, Selection
from scanner.cli.voice import say
from scanner.cli.whoami import PROFILE


def run(
    profile: PROFILE = None,
    aws_profile: AWS_PROFILE = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask nothing of AWS: no network at all.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Entry of `aws-scanner doctor`."""
    from scanner.cli.overrides import load
    from scanner.doctor import Check, examine, exit_code
    from scanner.formats.text import printable

    checks: list[Check] = []
    for one in examine(lambda: load(profile, Selection(aws_profile=aws_profile)), offline=offline):
        checks.append(one)
        if not json:
            for at, line in enumerate(one.found.splitlines()):
                head = f"{one.status:<5}{one.name:<12} " if at == 0 else " " * 18
                say(head + printable(line))
            if one.todo:
                say(f"{'':18}-> {printable(one.todo)}")
    code = exit_code(checks)
    if json:
        import orjson

        said = {
            "exit_code": code,
            "checks": [{name: getattr(one, name) for name in ("name", "status", "found", "todo")} for one in checks],
        }
        say(orjson.dumps(said, option=orjson.OPT_INDENT_2).decode())
    raise typer.Exit(code)
