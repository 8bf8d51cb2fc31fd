"""The program: `aws-scanner` and `python -m scanner`."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from scanner.cli.app import run

    run()


if __name__ == "__main__":
    main()
