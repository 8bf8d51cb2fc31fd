"""The picture in the README: what the demo prints today, from no place but this repository."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scanner.picture import PICTURE, SESSION, run, seen, svg
from tests.test_docs import ROOT, parse

_TEXT = "{http://www.w3.org/2000/svg}text"


def words_of(drawn: str) -> str:
    """All text of a picture without any blank: a terminal breaks lines anywhere."""
    lines = ElementTree.fromstring(drawn).iter(_TEXT)
    return "".join("".join("".join(line.itertext()).split()) for line in lines)


def test_the_picture_loads_nothing_and_is_no_wider_than_its_terminal() -> None:
    drawn = (ROOT / PICTURE).read_text()
    root = ElementTree.fromstring(drawn)
    addresses = set(re.findall(r"\w+://[^\s\"'<)&/]+", drawn))
    assert addresses == {"http://www.w3.org", "http://127.0.0.1:50000"}
    assert not {one.tag.rpartition("}")[2] for one in root.iter()} & {"script", "image", "use", "foreignObject", "a"}
    assert "@import" not in drawn
    assert len(list(root.iter(_TEXT))) > 40
    assert all(len("".join(line.itertext())) <= 120 for line in root.iter(_TEXT))


def test_the_picture_is_of_its_commands_and_of_no_run() -> None:
    words = words_of((ROOT / PICTURE).read_text())
    for command in SESSION:
        assert "".join(command.split()) in words
        parse(command.partition("|")[0].partition(">")[0])
    assert set(re.findall(r"\d{4}-\d\d-\d\dT[\d:.]+Z", words)) == {"2026-03-01T10:00:00.000Z"}
    assert set(re.findall(r"\d{8}T\d{6}Z-[0-9a-f]{8}", words)) == {"20260301T100000Z-0a1b2c3d"}
    assert not re.search(r"/(home|root|tmp|work)\b", words)


def test_what_passes_is_not_in_a_picture() -> None:
    written = (
        "\r 5% 3/60 cells\r 9% 5/60 cells\r              \r\x1b[32m2026-11-25T23:44:47.849Z\x1b[0m told\r\n"
        "12 requests, in 15.0 s\r\nReports: reports/x/20261125T234447Z-11fd14cb\r\nat http://127.0.0.1:40807\r\n"
    )
    assert list(seen(written)) == [
        "\x1b[32m2026-03-01T10:00:00.000Z\x1b[0m told",
        "12 requests, in … s",
        "Reports: reports/x/20260301T100000Z-0a1b2c3d",
        "at http://127.0.0.1:50000",
    ]


def test_a_long_line_is_broken_and_loses_nothing() -> None:
    drawn = svg(["\x1b[31m" + "0123456789" * 25 + "\x1b[0m", "<&>"])
    assert words_of(drawn) == "aws-scanner" + "0123456789" * 25 + "<&>"
    assert drawn == svg(["\x1b[31m" + "0123456789" * 25 + "\x1b[0m", "<&>"])


def test_a_session_that_fails_is_no_picture(tmp_path: Path) -> None:
    written = run("test -t 1 && test -t 2 && aws-scanner version", tmp_path)
    assert "\n".join(seen(written)).startswith("aws-scanner")
    with pytest.raises(subprocess.CalledProcessError):
        run("aws-scanner scan nowhere", tmp_path)
