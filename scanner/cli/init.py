"""Write a new profile, with comments: config/NAME.yaml.

On a terminal, without any option, it asks; otherwise the options say what is in it, and their defaults the rest: the
ambient credentials, all enabled regions, all services. A file that is there is kept, unless --force.

Roles are assumed by --aws-profile where one is given; without roles each --aws-profile is an account of its own.

Examples: aws-scanner init prod; aws-scanner init prod --aws-profile production --regions eu-west-1,eu-central-1;
aws-scanner init audit --role-arn arn:aws:iam::111122223333:role/reader --service ec2,s3 --tag Environment=Production
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from scanner.cli import words
from scanner.cli.voice import complain, say

Words = Sequence[str]

_MANY = "several by repeating it"
_LIST = "several with commas or by repeating it"


def run(  # noqa: PLR0913 - one parameter per option
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The profile's name; default: default.")] = None,
    account: Annotated[
        list[str] | None, typer.Option("--account", metavar="ID", help=f"Account id, 12 digits; {_MANY}.")
    ] = None,
    role_arn: Annotated[
        list[str] | None, typer.Option("--role-arn", metavar="ARN", help=f"A role to assume; {_MANY}.")
    ] = None,
    aws_profile: Annotated[
        list[str] | None,
        typer.Option(
            "--aws-profile",
            metavar="NAME",
            help=f"A profile of ~/.aws/config; {_MANY}.",
            autocompletion=words.aws_profiles,
        ),
    ] = None,
    regions: Annotated[
        list[str] | None,
        typer.Option(
            "--regions",
            "-r",
            metavar="REGION",
            help=f"Regions, globs, or enabled; {_LIST}.",
            autocompletion=words.regions,
        ),
    ] = None,
    service: Annotated[
        list[str] | None,
        typer.Option(
            "--service",
            "-s",
            metavar="SERVICE",
            help=f"Services or types; {_LIST}.",
            autocompletion=words.services,
        ),
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option("--tag", metavar="KEY=VALUE", help=f"A tag, or KEY for any value; {_MANY}.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write it, instead of config/.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Entry of `aws-scanner init`."""
    said = (account, role_arn, aws_profile, regions, service, tag)
    if not any(said) and sys.stdin.isatty() and sys.stderr.isatty():
        if not output:
            name = name or _ask("Name of the profile", "default", lambda said: _place(said, None, force=force))
        name = name or "default"
        path = _place(name, output, force=force)
        account, role_arn, aws_profile, regions, service, tag = _questions()
    else:
        path = _place(name or "default", output, force=force)
    accounts = tuple(_accounts(account or [], role_arn or [], aws_profile or []))
    text = _text(accounts, regions or [], service or [], tag or [])
    _save(path, text, force=force)
    ref = path.stem if output is None else path
    say(f"wrote {path}; next: aws-scanner doctor {ref}", err=True)


def _place(name: str, output: Path | None, *, force: bool) -> Path:
    """Where the profile goes. Raises ProfileError before anything is asked or written."""
    from scanner.errors import ProfileError
    from scanner.profile.source import CONFIG_DIR

    if name.endswith((".yaml", ".yml")) and not output:
        raise ProfileError(
            [f"init: {name!r} is a file; a name is wanted, such as {Path(name).stem!r}, or --output {name}"]
        )
    path = output or CONFIG_DIR / f"{name}.yaml"
    if not words.is_name(path.stem if output else name) or path.suffix not in (".yaml", ".yml"):
        what = f"--output {path}" if output else f"{name!r}"
        raise ProfileError([f"init: {what}: a name of letters, digits, '.', '_' and '-' is wanted, a file also .yaml"])
    if not force and (path.exists() or path.is_symlink()):
        raise ProfileError([f"init: {path} is there already; --force replaces it"])
    return path


def _accounts(ids: list[str], roles: list[str], aws_profiles: list[str]) -> list[dict[str, str]]:
    """The entries of `accounts`: one per role, else one per AWS profile, else the ambient one."""
    from scanner.errors import ProfileError

    ways = [{"role_arn": one} for one in roles] or [{"aws_profile": one} for one in aws_profiles] or [{}]
    if roles and len(aws_profiles) > 1:
        raise ProfileError(["init: --role-arn and several --aws-profile: one AWS profile assumes the roles"])
    if len(ids) > len(ways):
        raise ProfileError(["init: more --account than ways into them: give each a --role-arn or --aws-profile"])
    if ids and len(ids) != len(ways):
        raise ProfileError([f"init: {len(ids)} --account for {len(ways)} accounts: give one for each, or none"])
    source = {"source_profile": aws_profiles[0]} if roles and aws_profiles else {}
    known = [{"id": one} for one in ids] or [{}] * len(ways)
    return [{**account, **way, **source} for account, way in zip(known, ways, strict=True)]


def _text(
    accounts: tuple[dict[str, str], ...] = ({},), regions: Words = (), services: Words = (), tags: Words = ()
) -> str:
    """The profile's text. Raises ProfileError with everything in it that no profile may say."""
    from scanner.catalog import load_catalog
    from scanner.errors import ProfileError
    from scanner.profile.draft import Draft, write

    wanted: dict[str, list[str]] = {}
    for one in tags:
        key, equals, value = one.partition("=")
        if not key:
            raise ProfileError([f"init: --tag {one}: KEY=VALUE or KEY is wanted"])
        wanted.setdefault(key, []).extend([value] if equals else [])
    draft = Draft(accounts, tuple(_words(regions)) or ("enabled",), tuple(_words(services)) or ("*",), wanted)
    return write(draft, load_catalog())


def _words(given: Words) -> list[str]:
    return list(dict.fromkeys(word.strip() for one in given for word in one.split(",") if word.strip()))


def _questions() -> tuple[list[str], ...]:
    """Ask on the terminal; the answers in the order of the options."""

    def entry(key: str) -> Callable[[str], object]:
        return lambda said: _text(({key: said},) if said else ({},))

    role = _ask("Role to assume (ARN; empty: none)", "", entry("role_arn"))
    whose = " that assumes it" if role else ""
    aws_profile = _ask(f"Profile of ~/.aws/config{whose} (empty: ambient)", "", entry("aws_profile"))
    account = "" if role else _ask("Account id (12 digits; empty: not checked)", "", entry("id"))
    regions = _ask("Regions (names, globs, or enabled)", "enabled", lambda said: _text(regions=[said]))
    services = _ask("Services or types (*: all)", "*", lambda said: _text(services=[said]))
    tags = _ask(
        "Tags (KEY=VALUE, several with commas; empty: all resources)", "", lambda said: _text(tags=_words([said]))
    )
    # A role's ARN and the name of an AWS profile may have commas.
    whole = [[said] if said else [] for said in (account, role, aws_profile)]
    return (*whole, *(_words([said]) for said in (regions, services, tags)))


def _ask(question: str, default: str, check: Callable[[str], object]) -> str:
    """The answer; asked again, with what is wrong, as long as `check` raises ProfileError."""
    from scanner.errors import ProfileError

    while True:
        said = str(typer.prompt(question, default=default, show_default=bool(default), err=True)).strip()
        try:
            check(said)
        except ProfileError as error:
            complain(str(error))
        else:
            return said


def _save(path: Path, text: str, *, force: bool) -> None:
    """Write the profile, and its schema beside it where there is none."""
    from scanner.errors import ProfileError
    from scanner.profile.docs import schema_json
    from scanner.profile.draft import SCHEMA_FILE

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if force:
            path.unlink(missing_ok=True)
        # "x": never over a file that came meanwhile, never through a link.
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
        schema = path.with_name(SCHEMA_FILE)
        if not schema.exists() and not schema.is_symlink():
            schema.write_bytes(schema_json())
    except OSError as error:
        raise ProfileError([f"init: {error.filename or path}: cannot be written: {error.strerror}"]) from None
