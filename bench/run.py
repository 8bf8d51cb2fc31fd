"""`make bench`: this scanner beside aws-resource-inventory, on the same fake AWS with 60 ms added to each answer.

Prints, for 4 and 16 regions, medians of wall and CPU seconds, peak memory of all processes, requests and resources; for
this scanner with the calls per resource that the other does not make (policies, encryption ...), and without them.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PEER = ROOT / "bench" / ".venv-peer"
ROUNDS = 3
ITEMS, LATENCY_MS = 10, 60
REGIONS = [
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1"),
    *("eu-north-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "ap-northeast-2"),
    *("sa-east-1", "ca-central-1"),
]
SERVICES = "ec2,s3,ecs,efs,elb,rds,autoscaling"  # what the peer scans by default, its `vpc` being a part of ec2 here
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Run:
    """One measured run of a whole command, all of its processes counted."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    requests: int
    resources: int
    exit_code: int


def measure(command: list[str], environment: dict[str, str], url: str) -> tuple[float, float, float, int, int]:
    """Wall, CPU, peak memory and requests of a command with all its descendants, sampled from /proc every 20 ms."""
    before, started = requests(url), time.perf_counter()
    process = subprocess.Popen(
        command, env=environment, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    cpu: dict[int, float] = {}
    peak = 0.0
    while process.poll() is None:
        memory = 0.0
        for pid in session(process.pid):
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                memory += pss_mb(pid)
            except OSError:
                continue
            cpu[pid] = (int(fields[11]) + int(fields[12])) / _TICK
        peak = max(peak, memory)
        time.sleep(0.02)
    wall = time.perf_counter() - started
    return wall, sum(cpu.values()), peak, requests(url) - before, process.returncode


def session(leader: int) -> list[int]:
    """The processes of a session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.getsid(int(entry.name)) == leader:
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def pss_mb(pid: int) -> float:
    """Proportional memory: pages shared by forked workers count once."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def requests(url: str) -> int:
    """Requests that the fake AWS has had."""
    with urllib.request.urlopen(f"{url}/_fake-aws/counts") as answer:
        return sum(row[-1] for row in json.load(answer)["calls"])


def ours(folder: Path, url: str, regions: list[str], environment: dict[str, str], enrich: str = "all") -> Run:
    """One run of this scanner, cache off."""
    profile = folder / "bench.yaml"
    profile.write_text(f"endpoint_url: {url}\nregions: [{', '.join(regions)}]\nservices: [{SERVICES}]\n")
    command = [str(ROOT / ".venv/bin/aws-scanner"), "scan", str(profile), "--no-cache", "--quiet"]
    command += ["--enrich", enrich, "--set", f"reports.dir={folder}/reports"]
    *figures, code = measure(command, environment, url)
    latest = folder / "reports" / "bench" / (folder / "reports/bench/latest").read_text().strip()
    found = json.loads((latest / "manifest.json").read_text())["totals"]["resources"]
    return Run(*figures, resources=found, exit_code=code)  # type: ignore[misc]


def peers(folder: Path, url: str, regions: list[str], environment: dict[str, str]) -> Run:
    """One run of aws-resource-inventory, as it comes, cache off."""
    output = folder / "peer.json"
    command = [str(PEER / "bin/aws-inventory"), "scan", "--no-cache", "-r", ",".join(regions), "-o", str(output)]
    *figures, code = measure(command, environment, url)
    found = len(json.loads(output.read_text())["resources"]) if output.exists() else 0
    return Run(*figures, resources=found, exit_code=code)  # type: ignore[misc]


def main() -> None:
    """Run both in turn, and print a table of medians."""
    set_up_peer()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server, url = start_server()
        try:
            environment = environment_of(folder, url)
            ours(folder, url, REGIONS[:1], environment)  # not counted: the first start compiles catalog and models
            for regions in (REGIONS[:4], REGIONS):
                rounds = [
                    (
                        ours(folder, url, regions, environment),
                        ours(folder, url, regions, environment, "none"),
                        peers(folder, url, regions, environment),
                    )
                    for _ in range(ROUNDS)
                ]
                show(len(regions), *(list(runs) for runs in zip(*rounds, strict=True)))
        finally:
            server.terminate()
            server.wait()


def set_up_peer() -> None:
    """An environment of its own for the peer, with hash-pinned requirements."""
    if not (PEER / "bin/aws-inventory").exists():
        subprocess.run([sys.executable, "-m", "venv", str(PEER)], check=True)
        wanted = ["--quiet", "--require-hashes", "-r", str(ROOT / "bench/peer-requirements.txt")]
        subprocess.run([str(PEER / "bin/pip"), "install", *wanted], check=True)


def start_server() -> tuple[subprocess.Popen[str], str]:
    """The fake AWS as a process of its own."""
    command = [str(ROOT / ".venv/bin/aws-scanner"), "fake-aws", "--items", str(ITEMS), "--latency-ms", str(LATENCY_MS)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout
    return server, server.stdout.readline().strip().partition("=")[2]


def environment_of(folder: Path, url: str) -> dict[str, str]:
    """Nobody's home, keys of the fake, no configuration of the user's."""
    credentials = folder / "credentials"
    credentials.write_text("[default]\naws_access_key_id=AKIA111122223333\naws_secret_access_key=fake\n")
    # Both as they are where they are installed: with their bytecode kept (some containers switch that off).
    dropped = ("AWS_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    files = {"AWS_CONFIG_FILE": str(credentials), "AWS_SHARED_CREDENTIALS_FILE": str(credentials)}
    return {**kept, **files, "HOME": str(folder), "AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": "us-east-1"}


def show(regions: int, mine: list[Run], plain: list[Run], other: list[Run]) -> None:
    """Medians of all three, and what ours is of the other's."""
    print(
        f"\n{regions} regions, {ITEMS} resources of each type, {LATENCY_MS} ms per request, {len(mine)} rounds, medians"
    )
    print(f"{'':12}{'aws-scanner':>14}{'ratio':>8}{'enrich: none':>16}{'ratio':>8}{'peer':>12}")
    for name in ("wall_s", "cpu_s", "peak_mb", "requests", "resources", "exit_code"):
        one, two, three = (statistics.median(getattr(run, name) for run in runs) for runs in (mine, plain, other))
        ratios = [f"{value / three:8.2f}" if three else f"{'':8}" for value in (one, two)]
        print(f"{name:12}{one:14.2f}{ratios[0]}{two:16.2f}{ratios[1]}{three:12.2f}")


if __name__ == "__main__":
    main()
