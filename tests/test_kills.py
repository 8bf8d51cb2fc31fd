"""Scans of which one process is killed at a seeded moment: nothing is unreadable, left behind, lost or different."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Bench
from tests.kills import VICTIMS, Kills, Victims, victims

_EACH = 5  # 20 in all; `make reliability` tries 200 others


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory, derived: list[Path]) -> Iterator[Victims]:
    """A fake AWS and an undisturbed scan of it."""
    with victims(Bench.in_folder(tmp_path_factory.mktemp("kills"), derived)) as found:
        yield found


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_process_that_is_killed_costs_no_snapshot_no_resource_and_leaves_nothing(scans: Victims, victim: str) -> None:
    chance, kills = random.Random(victim), Kills()
    for _ in range(_EACH):
        scans.try_out(scans.choose(victim, chance), kills)
    assert (kills.orphans, kills.unreadable, kills.different, kills.strays) == ([], [], [], [])
    assert (kills.tried[victim], kills.survived) == (_EACH, _EACH)
