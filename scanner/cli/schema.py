"""Print a published JSON Schema: record, manifest or profile."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

NAME = "schema"


def run(what: Annotated[str, typer.Argument(help="record, manifest or profile.")] = "record") -> None:
    """Entry of `aws-scanner schema`."""
    from scanner.errors import ProfileError
    from scanner.formats.schema import schema_text
    from scanner.profile.docs import schema_json

    if what not in ("record", "manifest", "profile"):
        raise ProfileError([f"schema: {what!r} is none of record, manifest, profile"])
    typer.echo(schema_json().decode() if what == "profile" else schema_text(what), nl=False)


Which = Literal["record", "manifest"]
