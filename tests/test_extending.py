"""docs/extending.md, to the letter: each file is written where the page says, each command prints what it says."""

from __future__ import annotations

from tests.conftest import Bench
from tests.pages import ROOT, Shell


def test_the_page_on_extending_can_be_followed_to_the_letter(bench: Bench) -> None:
    shell = Shell(bench)
    try:
        commands = shell.follow(ROOT / "docs" / "extending.md")
    finally:
        shell.close()
    assert commands == 26
