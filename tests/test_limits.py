"""Budgets: what AWS documents, what a profile makes of it, and that all processes of a user keep to them together."""

from __future__ import annotations

import os
import signal
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import botocore.session
import pytest

from scanner.aws import limits_check
from scanner.aws.limiter import Limiter, Paces
from scanner.aws.limits import PATH, Budget, Budgets, budgets, read
from scanner.aws.pace import Book, State, slot_of, sweep
from scanner.aws.settings import DoorSettings
from scanner.catalog import load_catalog
from scanner.errors import ProfileError
from scanner.fakeaws import FakeAws, Fleet
from scanner.model import Account, Unit
from scanner.profile import load_profile
from tests.conftest import Bench

Start = Callable[..., FakeAws]

ROOT = Path(__file__).parent.parent


def test_each_operation_has_the_budget_that_aws_documents() -> None:
    found = budgets()
    assert found.of("ec2", "describe_vpcs") == Budget(20, 100, "describe_vpcs")
    assert found.of("elbv2", "describe_rules") == found.of("elbv2", "describe_tags") == Budget(10, 40, "")
    assert (
        found.of("ecs", "list_clusters") == found.of("ecs", "describe_clusters") == Budget(20, 50, "describe_clusters")
    )
    assert found.of("ecs", "list_services") == found.of("iam", "list_users") == Budget(20, 100, "")
    assert found.of("lambda", "get_policy") == Budget(15, 100, "get_policy")


def test_operations_of_one_bucket_wait_for_the_same_tokens(tmp_path: Path) -> None:
    session = botocore.session.Session()
    client = session.create_client("ecs", "us-east-1", aws_access_key_id="AKIA", aws_secret_access_key="none")
    unit = Unit(Account("111122223333", "aws", ""), "us-east-1", "us-east-1", "services", "ecs", ("cluster",))
    paces = Paces(DoorSettings(budgets=budgets(), paces=str(tmp_path)), client, unit)
    with ThreadPoolExecutor(8) as threads:
        made = set(threads.map(paces.of, ["list_clusters", "describe_clusters"] * 32))
    assert len(made) == 1
    assert paces.of("list_services") is paces.of("describe_services") is not paces.of("list_clusters")


def test_a_profile_changes_budgets_and_leaves_a_share_of_them_to_others() -> None:
    all_slow = budgets().under({"": (5, None), "ec2": (7, 9)}, share=0.5)
    assert all_slow.of("ec2", "describe_vpcs") == Budget(3.5, 4, "describe_vpcs")
    assert all_slow.of("lambda", "get_policy") == Budget(2.5, 50, "get_policy")
    assert all_slow.of("iam", "list_users") == Budget(2.5, 50, "")
    one = budgets().under({"": (None, None), "iam": (None, 1)}, share=1)
    assert (one.of("iam", "list_users"), one.of("rds", "x")) == (Budget(20, 1, ""), Budget(20, 100, ""))
    assert one.of("elb", "describe_tags") == Budget(10, 40, "")


def test_budgets_in_the_cache_are_those_of_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = budgets()
    assert [path.name.split("-")[0] for path in (tmp_path / "aws-scanner").iterdir()] == ["limits"]
    assert budgets() == first == Budgets(first.default, first.by_name)
    for path in (tmp_path / "aws-scanner").iterdir():
        path.write_text('{"by_name": []}')
    assert budgets() == first


def test_each_service_of_the_catalog_has_a_budget_or_is_said_to_have_none() -> None:
    said = read(PATH.read_text())
    called = {service for service, _ in load_catalog().operations()}
    assert called == set(said["services"]) | set(said["none"])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  sts:\n", "  stss:\n", "services.stss: botocore has no such service"),
        ("list_topics", "list_topic", "services.sns.buckets[0]: sns has no operation 'list_topic'"),
        ("rate_per_s: 30", "rate_per_s: many", "rate_per_s: 'many' is no number"),
        ("burst: 50", "burst: 0", "services.ecs.buckets[0]: burst: 0 is no number from 1 to 10,000"),
        ("    per: operation", "    per: call", "services.ec2: per: 'call' is none of service, operation"),
        ("source: https://docs.aws.amazon.com/sns", "source: http://example.com", "services.sns: source: a page under"),
        ("note: 600", "nota: 600", "services.sts: unknown key 'nota'"),
        ("none: [", "none: [ec2, ", "none: ec2 has a budget above"),
        ("services:\n", "services:\nservices:\n", "duplicate key 'services'"),
    ],
)
def test_the_check_finds_what_is_wrong_with_limits(old: str, new: str, said: str) -> None:
    text = PATH.read_text()
    assert limits_check.problems() == []
    assert old in text
    found = limits_check.problems(text.replace(old, new, 1))
    assert any(said in one for one in found), found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "limits: {services: {ec3: {rate_per_s: 5}}}\n",
            "p.yaml:1:26: limits.services.ec3: unknown service 'ec3'; did",
        ),
        ("limits: {share: 0}\n", "limits.share"),
        ("limits: {share: 1.5}\n", "limits.share"),
        ("limits: {rate_per_s: 0}\n", "limits.rate_per_s"),
        ("limits: {services: {ec2: {rate: 5}}}\n", "unknown key 'rate'"),
        ("limits: {services: {ec2: {burst: 0}}}\n", "limits.services.ec2.burst"),
        ("retry: {cell_deadline_s: 0}\n", "retry.cell_deadline_s"),
    ],
)
def test_limits_of_a_profile_that_cannot_be_are_refused_with_their_place(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(text)
    with pytest.raises(ProfileError) as caught:
        load_profile(path)
    assert said in str(caught.value)


_TAKES = """
import sys, time
from scanner.aws.limiter import Limiter
from scanner.aws.limits import Budget
from scanner.aws.pace import slot_of
limiter = Limiter(Budget(50, 10), slot_of(sys.argv[1], "1", "a"))
print(time.monotonic(), flush=True)
for _ in range(20):
    limiter.acquire()
print(time.monotonic())
"""


def _python(code: str, *args: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, args)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_processes_that_call_the_same_service_keep_to_one_budget_together(tmp_path: Path) -> None:
    both = [_python(_TAKES, tmp_path), _python(_TAKES, tmp_path)]
    times = [float(line) for process in both for line in process.communicate()[0].split()]
    # 40 turns of which 10 are there at once. Each for itself would be done after 10 turns' time.
    assert max(times) - min(times) >= (40 - 10) / 50 * 0.99
    assert slot_of(str(tmp_path), "1", "a").change(lambda state: state.tokens) < 10


def test_a_throttle_seen_by_one_process_slows_the_others_and_answers_speed_them_up(tmp_path: Path) -> None:
    code = "import sys\nfrom scanner.aws.limiter import Limiter\nfrom scanner.aws.limits import Budget\n"
    code += "from scanner.aws.pace import slot_of\n"
    code += "limiter = Limiter(Budget(1000, 10), slot_of(sys.argv[1], '1', 'a'))\n" + 2 * "limiter.throttled()\n"
    assert _python(code, tmp_path).wait() == 0
    slot = slot_of(str(tmp_path), "1", "a")
    limiter = Limiter(Budget(1000, 10), slot)
    assert slot.change(lambda state: state.factor) == pytest.approx(0.49)
    assert limiter.acquire()
    limiter.succeeded()
    assert slot.change(lambda state: state.factor) == pytest.approx(0.51)
    for _ in range(40):
        limiter.succeeded()
    assert slot.change(lambda state: state.factor) == 1.0


def test_a_throttle_never_stops_a_budget_altogether(tmp_path: Path) -> None:
    slot = slot_of(str(tmp_path), "1", "a")
    limiter = Limiter(Budget(20, 10), slot)
    for _ in range(100):
        limiter.throttled()
    assert slot.change(lambda state: 20 * state.factor) == pytest.approx(1.0)


def test_a_process_that_is_killed_while_it_holds_the_budget_holds_up_nobody(tmp_path: Path) -> None:
    code = "import sys, time\nfrom scanner.aws.pace import slot_of\n"
    code += (
        "slot = slot_of(sys.argv[1], '1', 'a')\nslot.change(lambda _: print('held', flush=True) or time.sleep(600))\n"
    )
    process = _python(code, tmp_path)
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert Limiter(Budget(1000, 10), slot_of(str(tmp_path), "1", "a")).acquire()


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: os.urandom(len(raw)),
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw[:-24] + struct.pack("<3d", float("nan"), 1.0, 1.0),
        lambda raw: raw[:-24] + struct.pack("<3d", -1e9, time.monotonic() + 1e6, 1e-9),  # before a reboot
        lambda raw: raw[:-24] + struct.pack("<3d", 5.0, 0.0, -3.0),
    ],
)
def test_a_file_that_makes_no_sense_is_a_fresh_budget(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    slot = slot_of(str(tmp_path), "1", "a")
    slot.change(lambda state: setattr(state, "tokens", -50.0) or 0.0)  # type: ignore[func-returns-value]
    path = tmp_path / "1.budgets"
    path.write_bytes(damage(path.read_bytes()))
    assert Limiter(Budget(20, 10), slot).acquire(patience_s=0.0)


def test_a_turn_that_would_come_too_late_is_not_waited_for_and_not_taken(tmp_path: Path) -> None:
    slot = slot_of(str(tmp_path), "1", "a")
    limiter = Limiter(Budget(0.001, 1), slot)
    assert [limiter.acquire(patience_s=1.0) for _ in range(3)] == [True, False, False]
    assert -0.1 < slot.change(lambda state: state.tokens) < 0.1


def test_links_and_foreign_things_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"precious")
    (tmp_path / "1.budgets").symlink_to(tmp_path / "target")
    os.mkfifo(tmp_path / "2.budgets")
    for account in ("1", "2"):
        assert Limiter(Budget(20, 10), slot_of(str(tmp_path), account, "a")).acquire()
        with pytest.raises(OSError, match=r"budgets"):
            Book(tmp_path / f"{account}.budgets")
    assert (tmp_path / "target").read_bytes() == b"precious"


def test_a_full_file_gives_each_process_its_own_budget(tmp_path: Path) -> None:
    (tmp_path / "1.budgets").write_bytes(b"\1" * 40 * 4096)
    assert Limiter(Budget(20, 10), slot_of(str(tmp_path), "1", "a")).acquire()
    assert (tmp_path / "1.budgets").read_bytes() == b"\1" * 40 * 4096


def test_files_that_nobody_used_for_a_day_are_swept(tmp_path: Path) -> None:
    for name in ("1", "2"):
        slot_of(str(tmp_path), name, "a")
    os.utime(tmp_path / "1.budgets", (1, 1))
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["2.budgets"]


def test_state_is_small() -> None:
    assert not hasattr(State(1.0, 0.0, 1.0), "__dict__")


def test_a_scan_keeps_its_budgets_in_a_private_file_per_account(bench: Bench, fake: Start) -> None:
    profile = bench.profile(fake(Fleet(items=2)).url, services=["ec2:volume"], execution={"executor": "serial"})
    assert bench.here("scan", profile, "--no-cache").returncode == 0
    folder = bench.folder / "cache" / "aws-scanner" / "paces"
    assert [path.name for path in folder.iterdir()] == ["111122223333.budgets"]
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "111122223333.budgets")]
    assert modes == [0o700, 0o600]


def test_a_folder_that_cannot_be_used_costs_one_warning(bench: Bench, fake: Start) -> None:
    (bench.folder / "cache" / "aws-scanner" / "paces").write_text("no folder")
    profile = bench.profile(fake(Fleet(items=2)).url, services=["ec2:volume"], execution={"executor": "serial"})
    done = bench.here("scan", profile, "--no-cache")
    assert done.returncode == 0
    assert done.stderr.count("each process keeps to the budgets by itself") == 1


def test_a_scan_goes_at_the_pace_that_its_profile_says(bench: Bench, fake: Start) -> None:
    asked: list[float] = []
    server = fake(Fleet(items=9, page_size=1), on_call=lambda _: asked.append(time.monotonic()))
    limits = {"services": {"ec2": {"rate_per_s": 20, "burst": 2}}, "share": 0.5}
    settings = {"services": ["ec2:volume"], "regions": ["us-east-1"], "execution": {"executor": "serial"}}
    assert bench.here("scan", bench.profile(server.url, limits=limits, **settings), "--no-cache").returncode == 0
    pages = asked[-9:]
    # The first may be late, and one token be saved meanwhile.
    assert pages[-1] - pages[0] >= (9 - 2) / 10 * 0.99
