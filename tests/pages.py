"""Pages of docs/ as tests: their files are written, their commands are run, and what they print is compared."""

from __future__ import annotations

import doctest
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import Bench

ROOT = Path(__file__).parent.parent
_BLOCK = re.compile(
    r"(?:^`(?P<file>[\w./-]+)`:\n\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_COMMAND = re.compile(r"^\$ (?P<command>.*)\n(?P<output>(?:(?!\$ ).*\n)*)", re.MULTILINE)
_OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """A fenced block; `file` is the path that the line before it names."""

    language: str
    text: str
    file: str
    line: int


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start("text"))
        yield Block(found["language"], found["text"], found["file"] or "", line)


def same(expected: str, got: str) -> bool:
    """Whether output is as a page says: `...` stands for anything, runs of white space are one."""
    return doctest.OutputChecker().check_output(expected, got, _OPTIONS)


@dataclass
class Shell:
    """A folder in which a page is followed: a copy of the package, the program by its name, a fake AWS."""

    bench: Bench
    environment: dict[str, str] = field(default_factory=dict)
    servers: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        folder = self.bench.folder
        shutil.copytree(ROOT / "scanner", folder / "scanner", ignore=shutil.ignore_patterns("__pycache__"))
        program = folder / "bin" / "aws-scanner"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m scanner "$@"\n')
        program.chmod(0o700)
        known = self.bench.environment()
        path = f"{program.parent}:{known['PATH']}"
        self.environment = {**known, "PATH": path, "PYTHONPATH": f"{folder}:{folder / 'installed'}", "COLUMNS": "80"}

    def follow(self, page: Path) -> int:
        """Do what the page says; the number of commands that were run."""
        commands = 0
        for block in blocks(page):
            if block.file:
                path = self.bench.folder / block.file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text)
            elif block.language == "console":
                for found in _COMMAND.finditer(block.text):
                    got = self._do(found["command"])
                    where = f"{page.name}:{block.line}"
                    assert same(found["output"], got), (
                        f"{where}: $ {found['command']}\n{got}\nwanted:\n{found['output']}"
                    )
                    commands += 1
        return commands

    def _do(self, command: str) -> str:
        if command.startswith("aws-scanner fake-aws"):
            return self._serve(command)
        if command.startswith("pip install ./"):
            return self._install(self.bench.folder / command.removeprefix("pip install ./"))
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.bench.folder, env=self.environment, capture_output=True, text=True
        )
        assert done.returncode == 0 or "2>&1" in command, f"{command}: exit {done.returncode}\n{done.stderr}"
        return done.stdout

    def _serve(self, command: str) -> str:
        server = subprocess.Popen(
            ["bash", "-c", f"exec {command}"], cwd=self.bench.folder, env=self.environment, text=True,
            stdout=subprocess.PIPE,
        )  # fmt: skip
        self.servers.append(server)
        assert server.stdout
        said = server.stdout.readline() + server.stdout.readline()
        self.environment |= dict(re.findall(r"(AWS_\w+)=(\S+)", said))
        return said

    def _install(self, project: Path) -> str:
        """What pip would leave: the package, and a .dist-info with its entry points."""
        said = tomllib.loads((project / "pyproject.toml").read_text())["project"]
        install(self.bench.folder / "installed", said["name"], said["entry-points"], said["version"])
        for package in (path.parent for path in project.glob("*/__init__.py")):
            shutil.copytree(package, self.bench.folder / "installed" / package.name)
        return ""

    def close(self) -> None:
        for server in self.servers:
            server.terminate()
            server.communicate()


def install(folder: Path, name: str, entry_points: dict[str, dict[str, str]], version: str = "1.0") -> None:
    """A distribution of this name in a folder that is on PYTHONPATH."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    groups = (f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in said.items()) for group, said in entry_points.items())
    (info / "entry_points.txt").write_text("\n".join(groups))
