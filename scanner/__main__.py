"""The program: `aws-scanner` and `python -m scanner`."""

from __future__ import annotations

import gc
import os


def main() -> None:
    """Run the command line."""
    # Imports make no garbage worth looking for, and a scan keeps its records on disk.
    gc.set_threshold(300_000, 20, 20)
    # Whether other packages extend pydantic is looked up in all that is installed; nothing here wants to be extended.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from scanner.cli.app import run

    try:
        run()
    finally:
        # Python looks through all that is left for garbage, twice, before it lets go of it.
        gc.freeze()


if __name__ == "__main__":
    main()
