"""README.md as a new user has it: its commands are run in its order, on a fake AWS instead of a real one."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
import yaml

from scanner.catalog import load_catalog
from scanner.fakeaws import FakeAws, Fleet, Rule
from scanner.store.snapshots import Snapshot, load_snapshot
from tests.conftest import KEYS, Bench
from tests.test_docs import HELP, ROOT

Start = Callable[..., FakeAws]
TEXT = (ROOT / "README.md").read_text()
PROGRAM = Path(sys.executable).parent / "aws-scanner"


def section(title: str) -> str:
    """What stands below a title, up to the next one of its rank or a higher one."""
    rank = title.count("#")
    found = re.search(rf"^{title}$\n(.*?)(?=^#{{2,{rank}}} |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def blocks(title: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", section(title), re.MULTILINE | re.DOTALL)


@dataclass
class Clone:
    """A folder like the one that the README is read in, with the AWS profiles that it speaks of."""

    bench: Bench
    server: FakeAws | None = None

    def __post_init__(self) -> None:
        program = self.bench.folder / ".venv" / "bin" / "aws-scanner"
        program.parent.mkdir(parents=True)
        program.symlink_to(PROGRAM)
        keys = [f"{name.lower()} = {value}" for name, value in KEYS.items()]
        lines = [line for name in ("production", "audit") for line in (f"[{name}]", *keys)]
        (self.bench.folder / "credentials").write_text("\n".join(lines) + "\n")
        (self.bench.folder / "config").mkdir()
        (self.bench.folder / "config" / "organization.yaml").write_text(
            blocks("## A first profile of your own", "yaml")[0]
        )

    def sh(self, script: str, **more: str) -> subprocess.CompletedProcess[str]:
        folder = self.bench.folder
        known = self.bench.environment(
            AWS_SHARED_CREDENTIALS_FILE=str(folder / "credentials"),
            GITHUB_STEP_SUMMARY=str(folder / "summary.md"),
            # Few types: what is proved here is that the words of the page are right.
            AWS_SCANNER__SERVICES="sqs,rds",
            AWS_SCANNER__ENRICH="none",
        )
        if self.server:
            known["AWS_ENDPOINT_URL"] = self.server.url
        known["PATH"] = f"{folder}/.venv/bin:{known['PATH']}"
        script = script.replace("/srv/aws-scanner", str(folder))
        return subprocess.run(["bash", "-c", script], cwd=folder, env={**known, **more}, capture_output=True, text=True)

    def snapshot(self, profile: str) -> Snapshot:
        return load_snapshot(self.bench.folder / "reports" / profile)


@pytest.fixture
def clone(bench: Bench) -> Clone:
    return Clone(bench)


def test_every_command_is_in_the_table_and_nothing_else() -> None:
    rows = re.findall(r"^\| (`.*?`) \|", section("## Commands"), re.MULTILINE)
    told = {" ".join(re.findall(r"[a-z-]+", name)) for row in rows for name in re.findall(r"`(.*?)`", row)}
    groups = {" ".join(name.split()[1:-1]) for name in HELP}
    assert told == {" ".join(name.split()[1:]) for name in HELP} - groups
    assert len(TEXT.splitlines()) < 200


def test_every_exit_code_is_in_the_table() -> None:
    codes = re.findall(r"^\| ([\d, ]+) \|", section("## Exit codes"), re.MULTILINE)
    assert ", ".join(codes) == "0, 1, 2, 3, 4, 70, 129, 130, 143"


def test_a_first_profile_goes_from_init_to_a_report(clone: Clone, fake: Start) -> None:
    clone.server = fake(Fleet(items=1))
    for line in blocks("## A first profile of your own", "sh")[0].splitlines():
        done = clone.sh(line)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    assert clone.snapshot("mine").complete
    listed = dict(re.findall(r"^\| `([^|]+)` \|(.*)$", section("## What it writes"), re.MULTILINE))
    files = {name for names in listed for name in names.split("`, `")}
    assert files == {path.name for path in clone.snapshot("mine").path.iterdir()} | {"iam-missing.json"}


def test_a_typo_is_refused_in_the_words_of_the_page(clone: Clone) -> None:
    clone.sh(blocks("## A first profile of your own", "sh")[0].splitlines()[0])
    profile = clone.bench.folder / "config" / "mine.yaml"
    profile.write_text(re.sub(r"^services:.*$", "services: [ec2, s33]", profile.read_text(), flags=re.MULTILINE))
    done = clone.sh("aws-scanner plan mine --offline", AWS_SCANNER__SERVICES="")
    assert done.returncode == 2
    for line in done.stderr.splitlines():
        assert f"\n    {line}\n" in TEXT


def test_one_account_now(clone: Clone, fake: Start) -> None:
    clone.server = fake(Fleet(items=2))
    done = clone.sh("set -e\n" + blocks("### One account, now", "sh")[0])
    assert done.returncode == 0, done.stderr
    rows = (clone.bench.folder / "running.csv").read_text().splitlines()
    assert all(row.startswith("ec2:instance,") and ",running," in row for row in rows[1:])
    assert len(rows) > 1


def test_all_production_resources_by_tag(clone: Clone, fake: Start) -> None:
    clone.server = fake(Fleet(items=3))
    done = clone.sh(blocks("### All production resources, by tag", "sh")[0])
    assert done.returncode == 0, done.stderr
    found = orjson.loads((clone.bench.folder / "production.json").read_bytes())
    assert found
    assert {record["tags"]["Environment"] for record in found} == {"Production"}


def test_an_organizations_daily_inventory(clone: Clone, fake: Start) -> None:
    clone.server = fake(Fleet(items=1), (Rule("deny", "rds", "describe_db_cluster_snapshots", "*", "444455556666"),))
    (line,) = blocks("### An organization's daily inventory, by cron", "crontab")[0].splitlines()
    scan = re.sub(r"^(\S+ +){5}", "", line)
    done = clone.sh(scan)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    accounts = clone.snapshot("organization").manifest["accounts"]
    assert [(one["id"], one["name"]) for one in accounts] == [
        ("111122223333", "production"),
        ("444455556666", "sandbox"),
    ]
    assert clone.snapshot("organization").manifest["totals"]["expected_gaps"] > 0
    clone.server = fake(Fleet(items=1), (Rule("deny", "sqs", "list_queues"),))
    assert "inventory: exit code 3" in clone.sh(scan).stdout


def _steps() -> Iterator[str]:
    workflow = yaml.safe_load(blocks("### A CI job that fails on gaps or changes", "yaml")[0])
    (job,) = workflow["jobs"].values()
    yield from (step["run"] for step in job["steps"] if "run" in step and step["run"] != "make setup")


def test_a_ci_job_fails_on_gaps_and_changes(clone: Clone, fake: Start) -> None:
    clone.sh("aws-scanner init mine --regions us-east-1")
    scan, summary = _steps()
    server = clone.server = fake(Fleet(items=1))
    assert clone.sh(scan).returncode == 0
    assert clone.sh(scan).returncode == 0
    server.become(Fleet(items=2))
    assert clone.sh(scan).returncode == 1
    assert clone.sh(summary).returncode == 0
    assert "**COMPLETE:**" in (clone.bench.folder / "summary.md").read_text()
    server.stop()
    clone.server = fake(Fleet(items=2), (Rule("deny", "sqs"),))
    assert clone.sh(scan).returncode == 3


def test_scanning_a_fake_aws(clone: Clone) -> None:
    done = clone.sh(blocks("### Scanning a fake AWS", "sh")[0] + "wait")
    assert "INCOMPLETE" in done.stderr
    assert "describe_db_clusters" in done.stderr
    assert clone.snapshot("default").exit_code == 3


def test_the_library_in_a_line(clone: Clone, fake: Start) -> None:
    clone.server = fake(Fleet(items=2))
    clone.sh("aws-scanner init mine --regions us-east-1")
    (clone.bench.folder / "example.py").write_text(blocks("## As a library", "python")[0])
    done = clone.sh(f"{sys.executable} example.py")
    assert (done.stdout, done.stderr) == ("True 2 []\n", "")


def test_the_scope_of_the_catalog_is_as_the_page_says() -> None:
    types = load_catalog().types
    said = f"The catalog has {len(types)} resource types of {len({kind.service for kind in types})} services"
    assert said in section("### All production resources, by tag")
