"""The command lines that the founding document prints, run as printed against the demo's fleet."""

from __future__ import annotations

import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from scanner.demo import DemoServer
from scanner.demo.fleet import REGIONS
from scanner.store.snapshots import load_snapshot
from tests.conftest import Bench

ALL = ",".join(sorted(REGIONS))
PROGRAM = Path(sys.executable).parent / "aws-scanner"


@dataclass(frozen=True)
class Example:
    """A command line; the regions it scans ("": it scans none), and a file it writes. Every one exits with 0."""

    command: str
    regions: str = ALL
    file: str | None = None
    environment: str = ""
    only: str = ""  # all of what is found has this in its record


EXAMPLES = (
    Example("aws-scanner --help", ""),
    Example("aws-scanner scan --regions us-east-1 --service ec2", "us-east-1", only='"service":"ec2"'),
    Example("aws-scanner scan --tag-key Environment --tag-value Production --all-services", only='"Production"'),
    Example(
        "aws-scanner scan --regions us-east-1,eu-west-1 --service vpc --format json",
        "eu-west-1,us-east-1",
        only='"service":"ec2"',
    ),
    Example("aws-scanner scan --regions us-west-2 --service ec2,s3 --dry-run", ""),
    Example("aws-scanner scan --max-workers 12 --service-workers 8 --no-cache"),
    Example("aws-scanner scan --profile production --regions us-east-1", "us-east-1"),
    Example("aws-scanner scan", environment="AWS_PROFILE=production AWS_REGION=us-east-1"),
    Example("aws-scanner scan --regions us-east-1", "us-east-1"),
    Example("aws-scanner scan --regions us-east-1 --service ec2 --dry-run", ""),
    Example("aws-scanner scan --no-cache --regions us-east-1 --service ec2,s3", "us-east-1"),
    Example("aws-scanner scan --all-services --tag-key Environment --tag-value Production", only='"Production"'),
    Example(
        "aws-scanner scan --regions us-east-1,us-west-2,eu-west-1 --format json --output compliance-report.json",
        "eu-west-1,us-east-1,us-west-2",
        "compliance-report.json",
    ),
    Example(
        "aws-scanner scan --max-workers 12 --service-workers 8 --regions us-east-1,eu-west-1", "eu-west-1,us-east-1"
    ),
    Example(
        "aws-scanner scan --tag-key CostCenter --format md --output cost-center-report.md",
        file="cost-center-report.md",
        only='"CostCenter"',
    ),
    Example("aws-scanner scan --profile default --regions us-east-1", "us-east-1"),
    Example("aws-scanner scan --max-workers 2 --service-workers 1"),
    Example("aws-scanner scan --no-cache"),
    Example("aws-scanner scan --format json --output /tmp/test.json", file="tmp/test.json"),
    Example("aws-scanner scan --regions us-east-1", "us-east-1", environment="AWS_SCANNER_DEBUG=1"),
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, demo_server: DemoServer) -> tuple[Bench, dict[str, str]]:
    """A folder whose AWS configuration and endpoint are the demo's; what is asked once stays in its cache."""
    bench = Bench(tmp_path_factory.mktemp("founding"))
    given = demo_server.environment()
    keys = [f"{name.lower()} = {given.pop(name)}" for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
    lines = [line for name in ("default", "production") for line in (f"[{name}]", *keys)]
    (bench.folder / "credentials").write_text("\n".join(lines) + "\n")
    files = {"AWS_SHARED_CREDENTIALS_FILE": str(bench.folder / "credentials")}
    # The calls per resource have tests of their own; here they would be most of the time.
    more = {"AWS_SCANNER__ENRICH": "none", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    return bench, {**bench.environment(), **given, **files, **more}


def _run(demo: tuple[Bench, dict[str, str]], example: Example) -> subprocess.CompletedProcess[str]:
    bench, environment = demo
    shutil.rmtree(bench.folder / "reports", ignore_errors=True)
    said = shlex.split(example.command.replace(" /tmp/", f" {bench.folder}/tmp/"))
    variables = dict(one.split("=") for one in example.environment.split())
    return subprocess.run(
        [PROGRAM, *said[1:]], cwd=bench.folder, env={**environment, **variables}, capture_output=True, text=True
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: f"{one.environment} {one.command}".strip())
def test_a_command_line_of_the_founding_document_works_as_printed(
    demo: tuple[Bench, dict[str, str]], example: Example
) -> None:
    done = _run(demo, example)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    reports = demo[0].folder / "reports" / "default"
    assert reports.exists() == bool(example.regions)
    if not example.regions:
        assert done.stdout
        return
    snapshot = load_snapshot(reports)
    assert snapshot.manifest["accounts"][0]["regions"] == example.regions.split(",")
    assert snapshot.manifest["totals"]["resources"] > 0
    assert snapshot.manifest["totals"]["gaps"] == 0
    assert all(example.only in orjson.dumps(record).decode() for record in snapshot.records())
    if example.file:
        name = {"md": "report.md", "json": "resources.json"}[example.file.rpartition(".")[2]]
        assert (demo[0].folder / example.file).read_bytes() == (snapshot.path / name).read_bytes()
        assert done.stdout == ""
    elif "json" in example.command:
        assert len(orjson.loads(done.stdout)) == snapshot.manifest["totals"]["resources"]
    else:
        assert "Resource ARN" in done.stdout


def test_the_program_runs_under_the_debugger_as_printed(demo: tuple[Bench, dict[str, str]]) -> None:
    bench, environment = demo
    command = [sys.executable, "-m", "pdb", "-c", "continue", PROGRAM, "scan", "--regions", "us-east-1"]
    done = subprocess.run(
        command, cwd=bench.folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert "The program exited via sys.exit(). Exit status: 0" in done.stdout
    assert "COMPLETE" in done.stderr


def test_the_comparison_of_the_founding_document_works_as_printed(demo: tuple[Bench, dict[str, str]]) -> None:
    example = Example("aws-scanner scan --compare --output daily-scan.json")
    first = _run(demo, example)
    shutil.move(demo[0].folder / "reports", demo[0].folder / "yesterday")
    second = _run(demo, example)  # the file that is to be replaced is all that there is to compare with
    assert (first.returncode, first.stdout) == (0, ""), first.stderr
    assert "not compared: default has no earlier snapshot" in first.stderr
    assert "comparing with daily-scan.json" in second.stderr
    assert "0 removed, 0 added, 0 changed" in second.stdout + second.stderr


@pytest.mark.parametrize(
    "command",
    [
        "aws-scanner scan --refresh --refresh-interval 30 --regions us-east-1",
        "aws-scanner scan --refresh --refresh-interval 300 --format table",
    ],
)
def test_a_refresh_of_the_founding_document_works_as_printed_until_ctrl_c(
    demo: tuple[Bench, dict[str, str]], command: str
) -> None:
    bench, environment = demo
    shutil.rmtree(bench.folder / "reports", ignore_errors=True)
    with subprocess.Popen(
        [PROGRAM, *shlex.split(command)[1:]], cwd=bench.folder, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        said = next(line for line in process.stdout if "pass 1" in line)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    assert "COMPLETE" in said
    assert load_snapshot(bench.folder / "reports" / "default").manifest["totals"]["resources"] > 0
