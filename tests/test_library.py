"""The library, as its users have it: in processes of their own, and docs/library.md to the letter."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from scanner.fakeaws import FakeAws, Fleet, Rule
from scanner.fakeaws.rules import Asked
from tests.conftest import Bench
from tests.pages import ROOT, Block, blocks, same

Start = Callable[..., FakeAws]
PAGE = ROOT / "docs" / "library.md"
EXAMPLES = [one for one in blocks(PAGE) if one.language == "python"]
OUTPUTS = {one.line: one.text for one in blocks(PAGE) if one.language == "text"}


def _run(bench: Bench, url: str, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=bench.folder,
        env=bench.environment(AWS_ENDPOINT_URL=url),
        input=text,
        capture_output=True,
        text=True,
    )


def _output_of(example: Block) -> str:
    """The `text` block that follows an example."""
    return OUTPUTS[min(line for line in OUTPUTS if line > example.line)]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: f"line-{one.line}")
def test_an_example_of_the_page_prints_what_the_page_says(bench: Bench, fake: Start, example: Block) -> None:
    server = fake(Fleet(items=3), (Rule("deny", "sqs", "list_queue_tags", "eu-west-1"),))
    config = bench.folder / "config"
    config.mkdir()
    bench.profile(server.url).rename(config / "prod.yaml")
    (bench.folder / "example.py").write_text(example.text)
    done = _run(bench, server.url, "example.py")
    assert done.stderr == ""
    assert same(_output_of(example), done.stdout), done.stdout


def test_the_package_imports_nothing_until_a_name_is_used(bench: Bench) -> None:
    code = (
        "import sys, scanner; before = {'boto3', 'botocore', 'pydantic', 'orjson'} & set(sys.modules);"
        "from scanner import scan; print(before, 'pydantic' in sys.modules, 'scan' in dir(scanner))"
    )
    assert _run(bench, "", "-c", code).stdout == "set() True True\n"


def test_a_name_that_is_not_there_is_an_attribute_error(bench: Bench) -> None:
    assert "module 'scanner' has no attribute 'scna'" in _run(bench, "", "-c", "import scanner; scanner.scna").stderr


_SCAN = "scan(regions=['us-east-1', 'eu-west-1'], services=['sqs'])"


def test_a_script_without_a_guard_is_not_run_again_by_its_workers(bench: Bench, fake: Start) -> None:
    script = f"from scanner import scan\nprint('once')\nsnapshot = {_SCAN}\nprint(snapshot.complete)\n"
    (bench.folder / "mine.py").write_text(script)
    done = _run(bench, fake(Fleet(items=2)).url, "mine.py")
    assert (done.stdout, done.stderr) == ("once\nTrue\n", "")


def test_it_works_under_a_guard_with_a_main_module_that_cannot_be_imported_twice(bench: Bench, fake: Start) -> None:
    script = (
        "import pathlib\nfrom scanner import scan\npathlib.Path('started').touch(exist_ok=False)\n"
        f"if __name__ == '__main__':\n    print({_SCAN}.complete)\n"
    )
    (bench.folder / "mine.py").write_text(script)
    done = _run(bench, fake(Fleet(items=2)).url, "mine.py")
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_it_works_in_an_interactive_session(bench: Bench, fake: Start) -> None:
    lines = f"from scanner import scan\nsnapshot = {_SCAN}\nprint(len(list(snapshot.records())), snapshot.complete)\n"
    done = _run(bench, fake(Fleet(items=2)).url, "-i", "-q", text=lines)
    assert "4 True" in done.stdout
    assert "Traceback" not in done.stderr


def test_signal_handlers_and_limits_stay_the_callers(bench: Bench, fake: Start) -> None:
    code = (
        "import contextlib, resource, signal; from scanner import scan\n"
        "def state():\n    heard = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]\n"
        "    return heard, resource.getrlimit(resource.RLIMIT_CORE)\n"
        # Other tests may have taken it from this process; root gets it back.
        "with contextlib.suppress(ValueError, OSError):\n"
        "    resource.setrlimit(resource.RLIMIT_CORE, (1 << 20, 1 << 20))\n"
        f"before = state(); {_SCAN}; print(before == state())"
    )
    assert _run(bench, fake(Fleet(items=1)).url, "-c", code).stdout == "True\n"


def test_a_handler_that_raises_interrupted_gets_the_snapshot_of_what_was_finished(bench: Bench, fake: Start) -> None:
    code = (
        "from scanner import Hooks, Interrupted, scan\n"
        "def stop(shard):\n    raise Interrupted(15)\n"
        "hooks = Hooks(on_shard=stop)\n"
        "snapshot = scan(regions=['us-east-1', 'eu-west-1'], services=['sqs'], hooks=hooks)\n"
        "print(snapshot.exit_code, snapshot.complete, {str(line.outcome) for line in snapshot.gaps})\n"
    )
    over = threading.Event()

    def hold(asked: Asked) -> None:
        if (asked.service, asked.region) == ("sqs", "us-east-1"):
            over.wait(120)  # else it may be finished before anybody hears of the other one

    done = _run(bench, fake(Fleet(items=1), on_call=hold).url, "-c", code)
    over.set()
    assert done.stdout == "143 False {'interrupted'}\n"


def test_no_usable_account_is_an_error_with_its_exit_code(bench: Bench, fake: Start) -> None:
    code = (
        "from scanner import NoCredentialsError, scan\n"
        "try:\n    scan()\nexcept NoCredentialsError as error:\n    print(error.exit_code)\n"
    )
    assert _run(bench, fake(Fleet(), (Rule("invalid_key", "sts"),)).url, "-c", code).stdout == "4\n"


def test_a_profile_object_keeps_its_settings_under_arguments(bench: Bench, fake: Start) -> None:
    code = (
        "from scanner import Profile, ProfileError, scan\n"
        "profile = Profile(regions=['us-east-1'], services=['sqs'], reports={'dir': 'there', 'formats': ['csv']})\n"
        "snapshot = scan(profile, reports={'formats': ['json']}, min_resources=9)\n"
        "print(snapshot.path.parts[0], sorted(p.name for p in snapshot.path.iterdir())[1], snapshot.exit_code)\n"
        "for bad in ({'services': ['ec3']}, {'retry': {'max_attempts': 0}}):\n"
        "    try:\n        scan(profile, **bad)\n    except ProfileError as error:\n        print(error)\n"
    )
    done = _run(bench, fake(Fleet(items=2)).url, "-c", code)
    assert done.stdout.splitlines() == [
        "there resources.json 1",
        "services[0]: unknown service 'ec3'; did you mean 'ecs' or 'ec2'?",
        "retry.max_attempts: input should be greater than or equal to 1",
    ], done.stderr


def test_mypy_sees_the_types_without_any_plugin(tmp_path: Path) -> None:
    (tmp_path / "typed.py").write_text(
        "from scanner import LedgerLine, Outcome, Profile, Snapshot, load_snapshot, scan\n"
        "snapshot: Snapshot = scan(Profile(regions=['us-east-1'], services=['sqs']), min_resources=1)\n"
        "lines: tuple[LedgerLine, ...] = snapshot.ledger + load_snapshot(snapshot.path).gaps\n"
        "outcome: Outcome = lines[0].outcome\n"
        "reveal_type(snapshot.complete)\n"
        "scan(5)\n"
    )
    command = ["-m", "mypy", "--strict", "--config-file=", "--follow-imports=silent", "--cache-dir=cache", "typed.py"]
    done = subprocess.run(
        [sys.executable, *command], cwd=tmp_path, env={"MYPYPATH": str(ROOT)}, capture_output=True, text=True
    )
    revealed, refused, summary = done.stdout.splitlines()
    assert revealed.endswith('note: Revealed type is "bool"')
    assert 'error: Argument 1 to "scan" has incompatible type "int"' in refused
    assert summary.startswith("Found 1 error in 1 file")
