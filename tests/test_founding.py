"""docs/founding.md: whatever it names is there. The data is docs/founding.yaml."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.test_docs import HELP, ROOT, parse
from tests.test_founding_examples import EXAMPLES
from tests.test_scan_options import FOUNDING

SECTIONS: list[dict[str, Any]] = yaml.safe_load((ROOT / "docs/founding.yaml").read_text())
ROWS = [row for section in SECTIONS for row in section["rows"]]
WHERE = sorted({one for row in ROWS for one in row["where"]})


def _options() -> set[str]:
    lines = [line for line in HELP["aws-scanner scan"].splitlines() if line.startswith("  -")]
    return {word for line in lines for word in re.findall(r"(?<![\w-])--?[a-z][\w-]*", line.split("   ")[0])}


def _tests() -> set[str]:
    texts = [path.read_text() for path in (ROOT / "tests").glob("test_*.py")]
    return {name for text in texts for name in re.findall(r"^def (test_\w+)\(", text, re.MULTILINE)}


def is_there(named: str) -> bool:
    """Whether a command parses, or an option, a make target, a path or a name in a file is there."""
    if named.startswith("aws-scanner "):
        if named != "aws-scanner --help":
            parse(named)
        return True
    if named.startswith("-"):
        return named in _options()
    if named.startswith("make "):
        return bool(re.search(rf"^{named.removeprefix('make ')}:", (ROOT / "Makefile").read_text(), re.MULTILINE))
    path, _, name = named.partition(":")
    if not (ROOT / path).exists():
        return False
    return not name or bool(re.search(rf"^(def|class) {name}\b", (ROOT / path).read_text(), re.MULTILINE))


@pytest.mark.parametrize("named", WHERE)
def test_what_the_page_names_is_there(named: str) -> None:
    assert is_there(named)


@pytest.mark.parametrize(
    "named",
    ["--no-such-option", "-z", "make nothing", "scanner/nothing.py", "scanner/plan.py:nothing", "nothing"],
)
def test_what_is_not_there_is_noticed(named: str) -> None:
    assert not is_there(named)


def test_every_row_has_a_place_and_a_test_that_exists() -> None:
    there = _tests()
    assert [row["said"] for row in ROWS if not row["where"] or not row["tests"] or not row["does"]] == []
    assert {name for row in ROWS for name in row["tests"]} - there == set()


def test_nothing_is_done_by_halves() -> None:
    text = (ROOT / "docs/founding.md").read_text().lower()
    assert [word for word in ("partly", "partial", "todo", "planned for", "not yet") if word in text] == []


def test_every_option_and_example_of_the_founding_document_is_on_the_page() -> None:
    options = {word for said in FOUNDING for word in re.findall(r"--?[a-z][\w-]*", said)}
    options |= {"--compare", "-c", "--refresh", "--refresh-interval", "-i", "--state", "--min-resources"}
    assert options - set(WHERE) == set()
    assert {one.command for one in EXAMPLES} - set(WHERE) == set()


def test_the_links_of_the_pages_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
            if "://" not in target:
                assert Path(page.parent, target).exists(), f"{page.name}: {target}"
