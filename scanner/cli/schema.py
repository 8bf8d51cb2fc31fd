"""Print a published JSON Schema: record, manifest, diff or profile.

Examples: aws-scanner schema record; aws-scanner schema diff; aws-scanner schema profile
"""

from __future__ import annotations

from typing import Annotated

import typer

from scanner.cli.words import SCHEMAS, schemas


def run(
    what: Annotated[
        str, typer.Argument(metavar="WHAT", help="record, manifest, diff or profile.", autocompletion=schemas)
    ] = "record",
) -> None:
    """Entry of `aws-scanner schema`."""
    from scanner.errors import ProfileError
    from scanner.formats.schema import schema_text
    from scanner.profile.docs import schema_json

    if what not in SCHEMAS:
        raise ProfileError([f"schema: {what!r} is none of {', '.join(SCHEMAS)}"])
    typer.echo(schema_json().decode() if what == "profile" else schema_text(what), nl=False)
