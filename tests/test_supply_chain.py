"""What is installed: pinned, with hashes, and what looks it up or lists it is pinned too."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_every_requirement_is_one_version_with_hashes_and_names_no_registry(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    entries = [one for one in re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE) if one]
    assert entries
    assert [one for one in entries if not re.match(r"[\w.-]+==[\w.]+\b", one) or "--hash=sha256:" not in one] == []
    assert re.search(r"https?://|--index-url|--find-links", text) is None


def test_what_is_installed_to_run_is_what_is_installed_to_develop() -> None:
    run, dev = (
        set(re.findall(r"^[\w.-]+==\S+", (ROOT / "requirements" / name).read_text(), re.MULTILINE))
        for name in ("run.txt", "dev.txt")
    )
    assert run <= dev


def test_audit_and_sbom_use_pinned_tools_and_ci_needs_neither() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["audit"]
    names = {re.split(r"[><=]", one)[0] for one in wanted}
    pinned = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements" / "audit.txt").read_text(), re.MULTILINE))
    assert names == {"pip-audit", "cyclonedx-bom"}
    assert names <= pinned
    makefile = (ROOT / "Makefile").read_text()
    assert "pip-audit --strict" in makefile  # without it, what cannot be looked up would pass
    assert not {"audit", "sbom"} & set((ROOT / ".ci" / "run").read_text().split())
