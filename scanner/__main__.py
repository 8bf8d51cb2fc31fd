"""The program: `aws-scanner` and `python -m scanner`."""

from __future__ import annotations

import gc


def main() -> None:
    """Run the command line."""
    # Imports make no garbage worth looking for, and a scan keeps its records on disk.
    gc.set_threshold(100_000, 20, 20)
    from scanner.cli.app import run

    try:
        run()
    finally:
        # Python looks through all that is left for garbage, twice, before it lets go of it.
        gc.freeze()


if __name__ == "__main__":
    main()
