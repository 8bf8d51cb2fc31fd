"""CPU seconds of `--help` of every command, the least of three runs: `python -m bench.help`."""

from __future__ import annotations

import os
import subprocess
import sys

from scanner.docs import help_texts

LIMIT_S = 0.3


def cpu_s(words: list[str]) -> float:
    """User and system time of one run of the program."""
    before = os.times()
    subprocess.run([sys.executable, "-m", "scanner", *words, "--help"], stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    """Print a line for each command, and one for the slowest."""
    least = {name: min(cpu_s(name.split()[1:]) for _ in range(3)) for name, _ in help_texts()}
    for name, seconds in least.items():
        print(f"{name + ' --help':<32} {seconds:.2f} s of CPU")
    slowest = max(least, key=lambda name: least[name])
    print(f"slowest: {slowest} with {least[slowest]:.2f} s of CPU; the aim is {LIMIT_S} s")


if __name__ == "__main__":
    main()
