"""Writes the generated pages: `python -m scanner.docs`; with --check, fails where one is not current."""

from __future__ import annotations

import sys
from pathlib import Path

from scanner.catalog import load_catalog
from scanner.cli.plan import calls_of
from scanner.formats.schema import schema_text
from scanner.profile.docs import reference_markdown, schema_json


def pages() -> dict[Path, bytes]:
    """Every generated page and what it should hold."""
    return {
        Path("config/profile.schema.json"): schema_json(),
        Path("docs/profile.md"): reference_markdown().encode(),
        Path("docs/record.schema.json"): schema_text("record").encode(),
        Path("docs/manifest.schema.json"): schema_text("manifest").encode(),
        Path("docs/diff.schema.json"): schema_text("diff").encode(),
        Path("docs/types.md"): types_markdown().encode(),
    }


def types_markdown() -> str:
    """docs/types.md: the catalog as a table."""
    lines = [
        "# Resource types\n",
        "Generated from the catalog by `make docs`. `aws-scanner types` prints the same.\n",
        "| type | client | CloudFormation | calls |",
        "|---|---|---|---|",
    ]
    for kind in load_catalog().types:
        lines.append(f"| `{kind.resource_type}` | {kind.service} | {kind.cfn or ''} | {calls_of(kind, True)} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the pages, or name those that are not current."""
    stale = [path for path, text in pages().items() if not path.exists() or path.read_bytes() != text]
    if "--check" in sys.argv:
        for path in stale:
            sys.stderr.write(f"{path} is not current: run `make docs`\n")
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pages()[path])
        sys.stderr.write(f"wrote {path}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
