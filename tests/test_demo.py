"""The demo: a real moto server, seeded by others than the catalog, and every resource of it found once."""

from __future__ import annotations

import os
import subprocess
from collections import Counter

from scanner.demo import DemoServer
from scanner.demo.truth import Seen
from scanner.store.snapshots import load_snapshot
from tests.conftest import Bench, records
from tests.test_picture import words_of

ROOT = os.path.dirname(os.path.dirname(__file__))


def _scan(
    bench: Bench, server: DemoServer, *more: str
) -> tuple[subprocess.CompletedProcess[str], list[dict[str, object]]]:
    command = [*bench.command("scan", os.path.join(ROOT, "config/demo.yaml")), "--set", f"endpoint_url={server.url}"]
    environment = bench.environment(**{k: v for k, v in server.environment().items() if k != "AWS_ENDPOINT_URL"})
    done = subprocess.run([*command, *more], cwd=bench.folder, env=environment, capture_output=True, text=True)
    return done, records(load_snapshot(bench.folder / "reports" / "demo"))


def _tail(identity: str) -> str:
    return identity.rsplit("/", 1)[-1].rsplit(":", 1)[-1]


def test_every_resource_of_the_fleet_is_found_once(
    bench: Bench, demo_server: DemoServer, demo_fleet: list[Seen]
) -> None:
    before = sum(demo_server.calls().values())
    done, found = _scan(bench, demo_server, "--set", "enrich=none")
    requests = sum(demo_server.calls().values()) - before
    assert done.returncode == 0, done.stderr
    arns = [record["resource_arn"] for record in found]
    assert len(set(arns)) == len(arns)
    counted = Counter((r["account_id"], r["region"], r["service"], r["resource_type"]) for r in found)
    assert counted == Counter((one.account, one.region, one.service, one.resource_type) for one in demo_fleet)
    named = {
        (record["account_id"], record["resource_type"], _tail(str(record[key])))
        for record in found
        for key in ("resource_arn", "resource_name", "resource_id")
    }
    assert {(one.account, one.resource_type, _tail(one.identity)) for one in demo_fleet} <= named
    # Two accounts, four regions: a list call of every type, one more per parent and page.
    assert requests <= 560


def test_the_demo_command_shows_a_gap_and_exits_0(bench: Bench) -> None:
    (bench.folder / "config").symlink_to(os.path.join(ROOT, "config"))
    done = bench.run("demo")
    assert done.returncode == 0, done.stderr
    snapshot = load_snapshot(bench.folder / "reports" / "demo")
    totals = snapshot.manifest["totals"]
    assert (totals["gaps"], totals["expected_gaps"]) == (0, 1)
    assert totals["resources"] >= 1000
    found = records(snapshot)
    production = sum((record["tags"] or {}).get("Environment") == "Production" for record in found)
    assert 0.2 < production / len(found) < 0.45
    assert "describe_db_cluster_snapshots" in done.stdout
    with open(os.path.join(ROOT, "docs/demo.svg")) as picture:
        shown = words_of(picture.read())
    summary = done.stderr[done.stderr.index("COMPLETE") : done.stderr.rindex(", in ")]
    for line in summary.splitlines():
        # Where this fails, the picture is an old one: `make picture`.
        assert "".join(line.split()) in shown
    with open(os.path.join(ROOT, "README.md")) as page:
        excerpt = page.read().partition("From the demo's `report.md`:\n\n")[2].partition("\n\n")[0]
    report = (snapshot.path / "report.md").read_text().splitlines()
    assert excerpt.count("\n") == 4
    assert [line for line in excerpt.splitlines() if line.strip() not in report] == []
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout


def test_a_demo_without_its_profile_is_refused_before_a_fleet_is_seeded(bench: Bench) -> None:
    done = bench.run("demo")
    assert done.returncode == 2
    assert done.stderr == "config/demo.yaml: no such profile; no profile is in config/\n"
