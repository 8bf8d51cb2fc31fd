"""List the resource types of the catalog, one a line: type, client, CloudFormation name, calls.

PATTERN is a service, a type, an alias, a CloudFormation name or a glob of these.

Examples: aws-scanner types; aws-scanner types ec2; aws-scanner types '*:cluster' --json; aws-scanner types --service s3
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from scanner.cli import words
from scanner.cli.check import CATALOG_DIRS, folders_of
from scanner.cli.voice import say

if TYPE_CHECKING:
    from scanner.catalog import Catalog
    from scanner.catalog.spec import ResourceType


def run(
    pattern: Annotated[
        str,
        typer.Argument(
            metavar="PATTERN",
            help="A service, type or glob: ec2, s3:bucket, '*:cluster'.",
            autocompletion=words.types,
        ),
    ] = "*",
    service: Annotated[
        list[str] | None,
        typer.Option(
            "--service",
            "-s",
            metavar="SERVICE",
            help="Only types of this service; several with commas or by repeating it.",
            autocompletion=words.services,
        ),
    ] = None,
    catalog_dirs: CATALOG_DIRS = None,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON array, with IAM actions.")] = False,
) -> None:
    """Entry of `aws-scanner types`."""
    from scanner.catalog import load_catalog
    from scanner.cli.plan import calls_of
    from scanner.formats.text import printable

    catalog = load_catalog(folders_of(catalog_dirs))
    wanted = [word.strip() for one in service or [] for word in one.split(",") if word.strip()]
    kept = {(kind.service, kind.kind) for word in wanted for kind in _find(catalog, word)}
    found = [kind for kind in _find(catalog, pattern) if not wanted or (kind.service, kind.kind) in kept]
    if json:
        import orjson

        say(orjson.dumps([_said(catalog, kind) for kind in found], option=orjson.OPT_INDENT_2).decode())
        return
    for kind in found:
        shown = (kind.resource_type, kind.service, kind.cfn or "-", calls_of(kind, True))
        typer.echo("\t".join(map(printable, shown)))
    if not found:
        say(f"types: no type of {', '.join(wanted)} is called {pattern!r}", err=True)


def _find(catalog: Catalog, word: str) -> tuple[ResourceType, ...]:
    from scanner.errors import ProfileError
    from scanner.profile.problems import nearest

    found = catalog.find(word)
    if not found:
        raise ProfileError([f"types: nothing in the catalog is called {word!r}{nearest(word, catalog.names())}"])
    return found


def _said(catalog: Catalog, kind: ResourceType) -> dict[str, object]:
    return {
        "resource_type": kind.resource_type,
        "client": kind.service,
        "cfn_type": kind.cfn or None,
        "scope": kind.scope,
        "parent": f"{kind.namespace}:{kind.of_parent}" if kind.of_parent else None,
        "calls": [call.operation for call in kind.calls],
        "iam_actions": list(catalog.iam_actions([kind])),
        "tagging_api": kind.tagging_api,
    }
