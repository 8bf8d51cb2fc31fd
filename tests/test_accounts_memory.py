"""A scan of many accounts takes no more memory than one of few."""

from __future__ import annotations

from pathlib import Path

from bench.accounts import Figures, many_accounts

_SERVICES = ("sqs", "sns")
_ALLOWED_MB = 10.0  # for 24 more accounts: less than a client for each of them would take


def _figures(count: int, folder: Path) -> Figures:
    found = many_accounts(count, folder, _SERVICES, workers=1)
    assert (found.exit_code, found.answered, found.resources) == (0, found.cells, count * 4 * 2 * 3)
    return found


def test_what_a_scan_holds_does_not_depend_on_how_many_accounts_it_has(tmp_path: Path) -> None:
    few, many = _figures(16, tmp_path / "few"), _figures(40, tmp_path / "many")
    assert many.workers_mb - few.workers_mb < _ALLOWED_MB
    # Sixteen accounts are entered at once, be they many or few; one left open for each account would be over this.
    assert many.open_files < 110
    assert many.parent_mb - few.parent_mb < _ALLOWED_MB
