"""What the word under the cursor may become, by the program's own tree of commands and options."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def answer(command: Any, words: list[str]) -> str:
    """What the last of the words may become, one a line: word, tab, what it is. `command` is Typer's whole program."""
    return "".join(f"{word}\t{_flat(what)}\n" for word, what in _completed(command, words[:-1], (words or [""])[-1]))


def _completed(command: Any, before: list[str], current: str) -> Iterator[tuple[str, str]]:
    while hasattr(command, "commands"):
        if not before:
            yield from _commands(command, current)
            return
        command, before = command.commands.get(before[0]), before[1:]
    if command is None:
        return
    options = {name: one for one in command.params if one.param_type_name == "option" for name in _names(one)}
    awaiting = options.get(before[-1]) if before and "--" not in before[:-1] else None
    name, equals, value = current.partition("=")
    if awaiting and _takes_value(awaiting):
        yield from _values(awaiting, current)
    elif current.startswith("-") and "--" not in before:
        if equals and name in options:
            yield from _values(options[name], value, f"{name}=")
        else:
            yield from _options(options, before, current)
    else:
        yield from _argument(command, options, before, current)


def _commands(group: Any, current: str) -> Iterator[tuple[str, str]]:
    for name, command in group.commands.items():
        if name.startswith(current) and not command.hidden:
            yield name, command.short_help or command.help or ""


def _options(options: dict[str, Any], before: list[str], current: str) -> Iterator[tuple[str, str]]:
    for name, one in options.items():
        used = not one.multiple and any(other in before for other in _names(one))
        is_long = name.startswith("--") or current == name
        if name.startswith(current) and is_long and not used and not one.hidden:
            yield name, one.help or ""
    if "--help".startswith(current):
        yield "--help", "Show the help and exit."


def _argument(command: Any, options: dict[str, Any], before: list[str], current: str) -> Iterator[tuple[str, str]]:
    given = skip = 0
    for word in before:
        if skip:
            skip -= 1
        elif word.startswith("-") and word != "-":
            skip = int(word in options and _takes_value(options[word]))
        else:
            given += 1
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    if given < len(arguments):
        yield from _values(arguments[given], current)


def _values(parameter: Any, current: str, before: str = "") -> Iterator[tuple[str, str]]:
    for item in parameter.shell_complete(None, current):
        if item.type == "plain":  # paths are the shell's own business
            yield before + str(item.value), item.help or ""


def _names(option: Any) -> list[str]:
    return [*option.opts, *option.secondary_opts]


def _takes_value(option: Any) -> bool:
    return not option.is_flag and not option.count


def _flat(text: str) -> str:
    from scanner.formats.text import printable, shortened

    return shortened(printable(" ".join(text.split())), 80)
