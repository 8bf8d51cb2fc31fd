"""Help texts: what a command's docstring becomes in --help and in docs/cli.md. Examples stand one on a line."""

from __future__ import annotations

from inspect import cleandoc
from typing import Any

from typer.core import TyperGroup

_HEAD = "Examples:"
_VERBATIM = "\b\n"  # before a paragraph, it tells the formatter not to wrap it


class Group(TyperGroup):
    """A group of commands whose help stays light: Typer coerces an absent --help by pydantic, half of all the CPU."""

    def get_help_option(self, ctx: Any) -> Any:
        """Typer's option, absent as False instead of None: a boolean is not coerced."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.default = False
        return option


def manual(doc: str | None) -> str:
    """The help text of a docstring: its paragraphs, the one of examples as a list."""
    return "\n\n".join(_listed(one) if one.startswith(_HEAD) else one for one in _paragraphs(doc))


def summary(doc: str | None) -> str:
    """The first sentence of a docstring, for the list of commands."""
    first = " ".join(_paragraphs(doc)[0].split())
    return first.split(". ")[0].removesuffix(".") + "."


def examples(doc: str | None) -> list[str]:
    """The command lines of a docstring: "Examples: aws-scanner plan prod; ..." or one a line, with remarks."""
    found: list[str] = []
    for paragraph in _paragraphs(doc):
        if paragraph.startswith(_HEAD):
            said = " ".join(paragraph.split()).removeprefix(_HEAD).split(";")
            found += [line.strip().removesuffix(".") for line in said if line.strip()]
        elif paragraph.startswith(_VERBATIM + _HEAD):
            found += [line.strip().split("   ")[0] for line in paragraph.splitlines()[2:]]
    return found


def _listed(paragraph: str) -> str:
    return _VERBATIM + "\n  ".join([_HEAD, *examples(paragraph)])


def _paragraphs(doc: str | None) -> list[str]:
    return [one for one in cleandoc(doc or "").split("\n\n") if one.strip()]
