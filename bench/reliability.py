"""The figures of docs/reliability.md: `make reliability`, or `python -m bench.reliability`.

Each check is a function of a folder of its own that yields figures. `CHECKS` is the menu; `--only NAME` tries one and
leaves the rest of the page alone.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.accounts import REGIONS as ACCOUNT_REGIONS
from bench.accounts import Figures, many_accounts
from scanner.catalog import models
from scanner.fakeaws import FakeAws
from tests import canaries
from tests.conftest import Bench
from tests.faultmatrix import LISTS, MORE_LISTS, ORACLE, REGIONS, Matrix, exit_code_of
from tests.flaky import SHARE, Flaky
from tests.kills import run_kills

PAGE = Path(__file__).parent.parent / "docs" / "reliability.md"
SEEDS = 10
KILLS = 200
KILL_SEED = 1
MANY = 200
CEILING_MB = 256
GROWTH_MB = 32


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the page; `wanted`: the only value that is right (None: it tells how much was tried)."""

    name: str
    value: int
    wanted: int | None = None

    @property
    def is_right(self) -> bool:
        """Whether it is as it must be."""
        return self.wanted is None or self.value == self.wanted


Check = Callable[[Path], Iterator[Figure]]


def matrix(folder: Path) -> Iterator[Figure]:
    """Faults"""
    lists = {**LISTS, **MORE_LISTS}
    cells = wrongly_ok = otherwise = unplanned = codes = 0
    with FakeAws() as server:
        found = Matrix(Bench.in_folder(folder, []), server, lists, patience=2)
        for fault in ORACLE:
            for place in REGIONS:
                scanned, expected = found.run(fault, [place]), found.expected(fault, [place])
                mine = [(scanned.ends[place, service], expected[place, service]) for service in lists]
                cells += len(mine)
                wrongly_ok += sum(end.outcome in ("ok", "empty", "cached") and end != right for end, right in mine)
                otherwise += sum(end != expected[cell] for cell, end in scanned.ends.items())
                unplanned += len(scanned.planned ^ found.undisturbed.planned)
                codes += scanned.exit_code != exit_code_of(expected)
                wrong = [f"{cell}: {end}" for cell, end in scanned.ends.items() if end != expected[cell]]
                _say(f"{fault} {place}: {len(wrong)} cells are wrong {' '.join(wrong)}")
        mutating = server.counts.mutating.total()
    yield Figure("faults tried", len(ORACLE))
    yield Figure("services they were tried on", len(lists))
    yield Figure("protocols of these services", len(_protocols(lists)), 5)
    yield Figure("cells under a fault", cells)
    yield Figure("cells wrongly `ok`", wrongly_ok, 0)
    yield Figure("cells with another outcome, or other resources kept, than is right", otherwise, 0)
    yield Figure("planned cells without an outcome", unplanned, 0)
    yield Figure("scans with a wrong exit code", codes, 0)
    yield Figure("mutating calls", mutating, 0)


def chance(folder: Path) -> Iterator[Figure]:
    """Calls that fail at random"""
    different = asked = 0
    with FakeAws() as server:
        flaky = Flaky(Bench.in_folder(folder, []), server)
        for seed in range(1, SEEDS + 1):
            different += flaky.scan(seed) != flaky.whole
            _say(f"seed {seed}: {different} scans differ so far")
        failed, asked = server.counts.faults.total(), server.counts.calls.total()
        mutating = server.counts.mutating.total()
    yield Figure("calls of a hundred that fail", round(SHARE * 100))
    yield Figure("scans, each with another seed", SEEDS)
    yield Figure("calls in them that failed", failed)
    yield Figure("calls in all, with the scan to compare with", asked)
    yield Figure("scans that differ from the one without failures in any byte", different, 0)
    yield Figure("mutating calls", mutating, 0)


def kills(folder: Path) -> Iterator[Figure]:
    """Kills"""
    found = run_kills(KILLS, KILL_SEED, folder)
    yield Figure("kills (SIGKILL of workers, parents, fork servers at seeded moments)", found.tried.total(), KILLS)
    yield Figure("kills survived: the scan, or the next one, has the same bytes", found.survived, KILLS)
    yield Figure("orphans", len(found.orphans), 0)
    yield Figure("snapshots that cannot be read", len(found.unreadable), 0)
    yield Figure("temporary files left behind (without a plan yet: swept when an hour old)", len(found.strays), 0)


def secrets(folder: Path) -> Iterator[Figure]:
    """Secrets"""
    bench = Bench.in_folder(folder, [])
    with canaries.TellingAws() as server:
        profile = bench.profile(server.url, accounts=canaries.accounts(), services=canaries.SERVICES)
        done = bench.run("scan", profile, "--debug", "--log-file", "log", **canaries.environment(server.url))
        mutating = server.counts.mutating.total()
    profile.unlink()  # where the user himself keeps an external id
    found = canaries.found_canaries(folder, [done.stdout, done.stderr])
    yield Figure("secrets planted", len(canaries.CANARIES))
    yield Figure("secrets found in files, logs and output of a scan with `--debug`", len(found), 0)
    yield Figure("mutating calls", mutating, 0)


def accounts(folder: Path) -> Iterator[Figure]:
    """Many accounts"""
    few, many = (many_accounts(count, folder / str(count)) for count in (MANY // 10, MANY))
    _say(f"{few}\n{many}")
    yield Figure("accounts", MANY)
    yield Figure("regions of each", len(ACCOUNT_REGIONS))
    yield Figure("cells", many.cells)
    yield Figure("cells without an answer", many.cells - many.answered, 0)
    yield Figure(f"processes that took over {CEILING_MB} MB", sum(mb > CEILING_MB for mb in _memory(many)), 0)
    grown = sum(large - small > GROWTH_MB for small, large in zip(_memory(few), _memory(many), strict=True))
    yield Figure(f"processes that took {GROWTH_MB} MB more than for {MANY // 10} accounts", grown, 0)


def _memory(figures: Figures) -> tuple[float, float]:
    return figures.parent_mb, figures.workers_mb


CHECKS: dict[str, Check] = {check.__name__: check for check in (matrix, chance, kills, secrets, accounts)}


def page(found: dict[str, list[Figure]], before: str) -> str:
    """docs/reliability.md without machine and time, so that runs compare; what was not tried stays as `before`."""
    lines = [
        "# Reliability",
        "",
        "Made by `make reliability`; `make test` has all of it at a smaller size. The fake AWS is that of",
        "[fake-aws.md](fake-aws.md). The figures are the same at each run: what is random is seeded.",
    ]
    for name, check in CHECKS.items():
        title = f"## {check.__doc__}"
        lines += ["", title, "", *(_rows(found[name]) if name in found else _section(before, title))]
    return "\n".join([*lines, "", *_oracle(), ""])


def _rows(figures: list[Figure]) -> Iterator[str]:
    yield "| figure | value | wanted |"
    yield "|---|---|---|"
    for one in figures:
        yield f"| {one.name} | {one.value} | {'' if one.wanted is None else one.wanted} |"


def _section(text: str, title: str) -> list[str]:
    return [line for line in text.partition(f"{title}\n")[2].partition("\n## ")[0].splitlines() if line]


def _oracle() -> Iterator[str]:
    yield "## What a fault costs"
    yield ""
    yield "Every list has three pages. This is how its cell ends, and how many of the pages are in the inventory. Where"
    yield "anything is not known the exit code is 3."
    yield ""
    yield "| fault | on the first page | on later pages | once, on the first page |"
    yield "|---|---|---|---|"
    for fault, places in ORACLE.items():
        cells = (f"`{outcome}`, {kept} of 3" for outcome, kept in places.values())
        yield f"| `{fault}` | {' | '.join(cells)} |"


def _protocols(services: dict[str, tuple[str, str]]) -> set[str]:
    found = (models.service_model(service) for service in services)
    return {model.resolved_protocol for model in found if model}


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    """Run the checks, write the page, and answer 1 where a figure is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=CHECKS, help="one check; the rest of the page is left alone")
    only = parser.parse_args().only
    found: dict[str, list[Figure]] = {}
    for name, check in CHECKS.items():
        if only in (None, name):
            with tempfile.TemporaryDirectory(prefix="reliability-") as folder:
                found[name] = list(check(Path(folder) / name))
            for one in found[name]:
                print(f"{'  ' if one.is_right else '! '}{one.value:>8}  {one.name}")
    PAGE.write_text(page(found, PAGE.read_text()))
    return 0 if all(one.is_right for figures in found.values() for one in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
