"""Options that become settings: one for each filter there is, looked for when the command is used, not before."""

from __future__ import annotations

import inspect
from functools import cached_property
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

_PREFIX = "filter_"


class FilteredCommand(TyperCommand):
    """A command with `--set`. Each filter adds an option: `--state running` is `--set filters.state=running`."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The command's own options, the filters, and --help, as the help shows them."""
        *own, last = super().get_params(ctx)
        taken = {word for option in own for word in option.opts}
        return [*own, *(one for one in self._filters if not taken.intersection(one.opts)), last]

    def invoke(self, ctx: Any) -> Any:
        """Hand the words of filters on as settings, after those of --set."""
        given = {name: ctx.params.pop(name) for name in list(ctx.params) if name.startswith(_PREFIX)}
        words = [f"filters.{name.removeprefix(_PREFIX)}={','.join(said)}" for name, said in given.items() if said]
        ctx.params["settings"] = [*(ctx.params.get("settings") or []), *words]
        return super().invoke(ctx)

    @cached_property
    def _filters(self) -> list[Any]:
        from scanner.filters import help_of, names

        def filters() -> None:
            """Never called: its signature is what Typer makes options of."""

        types = {f"{_PREFIX}{name}": _option(name, help_of(name)) for name in names()}
        keyword = inspect.Parameter.KEYWORD_ONLY
        parameters = [inspect.Parameter(name, keyword, default=None, annotation=one) for name, one in types.items()]
        filters.__annotations__ = types
        filters.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        app = typer.Typer(add_completion=False)
        app.command()(filters)
        return list(typer.main.get_command(app).params)


def _option(name: str, text: str) -> Any:
    said = typer.Option(f"--{name.replace('_', '-')}", metavar="WORDS", help=f"{text} Repeatable, or with commas.")
    return Annotated[list[str] | None, said]
