"""Secrets: planted wherever AWS and the user's environment have some, and found nowhere that a scan leaves behind."""

from __future__ import annotations

import logging
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from scanner.collectors.records import fingerprint
from scanner.fakeaws import FakeAws, Fleet
from scanner.fakeaws.server import Asked
from tests.canaries import CANARIES, OF_THE_ENVIRONMENT, SERVICES, TellingAws, accounts, environment, found_canaries
from tests.conftest import Bench, records
from tests.pages import install

FLEET = Fleet(items=2, children=1)
IN_RECORDS = (
    "cluster-password", "db-password", "ecs-command", "ecs-driver-password", "ecs-splunk-token", "ecs-variable",
    "lambda-command", "lambda-error", "lambda-variable", "oidc-secret", "rule-oidc-secret", "user-data",
)  # fmt: skip
ALL_FORMATS = ["json", "jsonl", "markdown", "csv", "table"]
TRACES = ("--debug", "--verbose", "--log-json")


def _profile(bench: Bench, **settings: Any) -> Path:
    """A profile without an endpoint: that comes from the environment, with a password in it."""
    asked = {"regions": ["us-east-1"], "services": SERVICES, "retry": {"initial_wait_s": 0, "max_wait_s": 0}}
    path = bench.folder / "profile" / "test.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump({**asked, **settings}))
    return path


def _places(bench: Bench) -> list[Path]:
    """All that a scan may have written: not the profile, where the user himself keeps an external id."""
    return [bench.folder / name for name in ("reports", "cache", "home", "logs")]


def _found(bench: Bench, *texts: str, names: Any = CANARIES) -> list[str]:
    return [one for place in _places(bench) for one in found_canaries(place, texts, names)]


class _Processes:
    """What the processes of a scan show of themselves to anybody who looks, while AWS is being asked."""

    def __init__(self, home: Path) -> None:
        self._home, self.seen, self.leaks = f"HOME={home}".encode(), 0, set[str]()

    def look(self, asked: Asked) -> None:
        if asked.operation != "describe_db_instances":
            return
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                variables, words = (folder / "environ").read_bytes(), (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if self._home not in variables:
                continue
            self.seen += 1
            self.leaks |= {f"{name} in argv" for name, secret in CANARIES.items() if secret.encode() in words}
            inherited = [name for name in CANARIES if name not in OF_THE_ENVIRONMENT]
            self.leaks |= {f"{name} in environ" for name in inherited if CANARIES[name].encode() in variables}
            if (folder / "limits").read_text().partition("Max core file size")[2].split()[:2] != ["0", "0"]:
                self.leaks.add("a crash would leave a core file")


def test_no_secret_is_in_any_file_log_line_or_process_of_a_scan(bench: Bench) -> None:
    processes = _Processes(bench.folder / "home")
    with TellingAws(FLEET, on_call=processes.look) as server:
        path = _profile(bench, accounts=accounts(), reports={"formats": ALL_FORMATS})
        log = bench.folder / "logs" / "scan.log"
        there = environment(server.url)
        done = bench.run("scan", path, *TRACES, "--log-file", log, "-o", "logs/out.csv", **there)
        told = bench.here("whoami", path, "--debug", "--verbose", "--probe", **there)
        planned = bench.here("plan", path, **there)
    assert (done.returncode, told.returncode, planned.returncode) == (3, 0, 0), done.stderr + told.stderr
    assert _found(bench, done.stdout, done.stderr, told.stdout, told.stderr, planned.stdout, planned.stderr) == []
    assert (processes.seen >= 2, processes.leaks) == (True, set())
    snapshot = bench.snapshot()
    assert snapshot.manifest["endpoint_url"].startswith("http://***@127.0.0.1:")
    told_of = [line["message"] for line in snapshot.manifest["ledger"]]
    assert any("X-Amz-Security-Token=***&X-Amz-Signature=***" in message for message in told_of)
    by_type = {one["resource_type"]: one for one in records(snapshot)}
    container = by_type["ecs:task-definition"]["configuration"]["containerDefinitions"][0]
    assert container["environment"] == [{"name": "TOKEN", "value": "(redacted)"}]
    assert container["command"] == ["(redacted)"] * 3
    assert container["secrets"][0]["valueFrom"] == "arn:aws:secretsmanager:eu-west-1:111122223333:secret:key"
    assert by_type["lambda:function"]["configuration"]["Environment"]["Variables"] == {"DB_PASSWORD": "(redacted)"}
    assert by_type["rds:db"]["configuration"]["PendingModifiedValues"]["MasterUserPassword"] == "(redacted)"
    # A digest of a short password is as good as the password.
    assert all(one["fingerprint"] == fingerprint(one["configuration"], one["tags"]) for one in by_type.values())


@pytest.fixture
def telling(bench: Bench) -> Any:
    with TellingAws(FLEET) as server:
        yield server


def test_secrets_are_written_where_they_are_asked_for_and_every_report_says_so(bench: Bench, telling: FakeAws) -> None:
    path = _profile(bench, reports={"formats": ALL_FORMATS}, execution={"executor": "serial"})
    there = {"AWS_ENDPOINT_URL": telling.url}
    redacted = bench.here("scan", path, "-q", **there)
    old = bench.snapshot().path
    done = bench.here("scan", path, "--include-sensitive", **there)
    assert (redacted.returncode, done.returncode) == (3, 3)
    snapshot = bench.snapshot()
    assert sorted({one.split()[0] for one in found_canaries(snapshot.path)}) == list(IN_RECORDS)
    assert found_canaries(bench.folder / "cache") == []
    assert snapshot.manifest["selection"]["include_sensitive"] is True
    for name in ("report.md", "report.txt"):
        assert "Sensitive values are inside" in "".join((snapshot.path / name).read_text().splitlines(True)[:3])
    assert "Sensitive values are inside" in done.stdout.splitlines()[0]
    assert "Sensitive values are inside" in done.stderr
    compared = bench.here("diff", old, snapshot.path)
    assert compared.returncode == 2
    assert "secrets were redacted and are shown (include_sensitive)" in compared.stderr
    again = bench.here("scan", path, "--compare", "-q", **there)
    assert (again.returncode, _found(bench, again.stdout, again.stderr, names=())) == (3, [])
    assert found_canaries(bench.snapshot().path, [again.stdout, again.stderr]) == []
    # A bare file has no ledger that could refuse: what one side hides is not shown of the other.
    for one, other in ((old, snapshot.path), (snapshot.path, old)):
        bare = bench.folder / "bare.json"
        bare.write_bytes((one / "resources.json").read_bytes())
        said = bench.here("diff", bare, other)
        assert (said.returncode, found_canaries(bench.folder / "home", [said.stdout])) == (3, [])
        assert " 0 changed, " in said.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "variables", "settings", "is_refused"),
    [
        (["--include-sensitive"], {}, {}, True),
        (["--set", "include_sensitive=true"], {}, {}, True),
        ([], {"AWS_SCANNER__INCLUDE_SENSITIVE": "true"}, {}, True),
        (["--include-sensitive"], {}, {"include_sensitive": True}, False),
        ([], {}, {"include_sensitive": True}, False),
    ],
)
def test_in_ci_only_the_profile_itself_may_ask_for_secrets(
    bench: Bench, words: list[str], variables: dict[str, str], settings: dict[str, Any], is_refused: bool
) -> None:
    path = _profile(bench, **settings)
    done = bench.here("plan", path, "--offline", *words, CI="true", **variables)
    assert done.returncode == (2 if is_refused else 0)
    assert ("unless the profile itself says `include_sensitive: true`" in done.stderr) is is_refused
    assert bench.here("plan", path, "--offline", *words, **variables).returncode == 0


def test_a_defect_shows_its_traceback_without_a_secret(bench: Bench, telling: FakeAws) -> None:
    install(bench.folder / "installed", "acme", {"aws_scanner.executors": {"mine": "acme_executor"}})
    (bench.folder / "installed" / "acme_executor.py").write_text(
        "NAME = 'mine'\n"
        "def run(jobs, make_worker, *, slots, tell):\n"
        "    keys = [job.keys for job in jobs]\n"
        "    raise RuntimeError(f'{keys} are with us')\n"
        "    yield\n"
    )
    path = _profile(bench, accounts=accounts(), execution={"executor": "mine"})
    there = {**environment(telling.url), "PYTHONPATH": str(bench.folder / "installed")}
    done = bench.run("scan", path, *TRACES, "--log-file", bench.folder / "logs" / "scan.log", **there)
    assert done.returncode == 70
    assert re.search(r"RuntimeError: \[Keys\(.*\), Keys\(.*\)\] are with us", done.stderr)
    assert _found(bench, done.stdout, done.stderr) == []


def test_whatever_logging_a_program_has_botocore_tells_it_no_secret(bench: Bench, telling: FakeAws) -> None:
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(self.format(record))

    listener, root = Listener(), logging.getLogger()
    level = root.level
    root.addHandler(listener)
    root.setLevel(logging.DEBUG)
    try:
        path = _profile(bench, accounts=accounts(), execution={"executor": "serial"})
        done = bench.here("scan", path, "-q", **environment(telling.url))
    finally:
        root.removeHandler(listener)
        root.setLevel(level)
    assert done.returncode == 3
    assert said
    assert found_canaries(bench.folder / "home", said) == []


def test_a_refused_profile_is_shown_without_what_is_secret_in_it(bench: Bench) -> None:
    secret = CANARIES["external-id"]
    path = bench.folder / "p.yaml"
    path.write_text(
        f"accounts: [{{role_arn: wrong, external_id: '{secret}'}}]\nendpoint_url: http://me:{CANARIES['user-data']}@x.test\n"
    )
    done = bench.here("plan", path)
    assert done.returncode == 2
    assert "accounts[0].role_arn" in done.stderr
    assert "endpoint_url" in done.stderr
    assert found_canaries(bench.folder / "home", [done.stderr]) == []


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_whatever_the_umask_files_are_0600_and_folders_0700(bench: Bench, telling: FakeAws, umask: int) -> None:
    path = _profile(bench, reports={"formats": ALL_FORMATS}, services=["lambda"], execution={"executor": "serial"})
    words = ["scan", path, "--log-file", "logs/deep/scan.log", "-o", "out/deep/er.csv", "--compare"]
    for folder in ("logs", "out"):
        assert not (bench.folder / folder).exists()
    before = os.umask(umask)
    try:
        done = bench.here(*words, AWS_ENDPOINT_URL=telling.url)
    finally:
        os.umask(before)
    assert done.returncode == 0, done.stderr
    made = [one for name in ("reports", "logs", "out", "cache/aws-scanner/units") for one in _all(bench.folder / name)]
    assert {one.suffix for one in made} >= {"", ".json", ".md", ".csv", ".txt", ".log", ".zst"}
    wanted = {one: 0o700 if one.is_dir() else 0o600 for one in made}
    assert {one: stat.S_IMODE(one.stat().st_mode) for one in made} == wanted


def _all(folder: Path) -> list[Path]:
    return [folder, *folder.rglob("*")]


def test_a_log_file_that_was_readable_by_others_is_narrowed_and_no_link_is_followed(bench: Bench) -> None:
    log, other, link = (bench.folder / name for name in ("old.log", "other", "link.log"))
    log.write_text("before\n")
    log.chmod(0o644)
    link.symlink_to(other)
    assert bench.here("types", "s3", "--log-file", log).returncode == 0
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    done = bench.here("types", "s3", "--log-file", link)
    assert (done.returncode, done.stderr) == (2, f"--log-file {link}: cannot be written: is a symbolic link\n")
    assert not other.exists()


def test_a_profiles_folder_of_reports_that_is_a_link_is_refused_before_aws_is_asked(
    bench: Bench, fake: Callable[..., FakeAws]
) -> None:
    server = fake(FLEET)
    (bench.folder / "reports").mkdir()
    (bench.folder / "elsewhere").mkdir()
    (bench.folder / "reports" / "test").symlink_to(bench.folder / "elsewhere")
    done = bench.here("scan", bench.profile(server.url), "-q")
    assert done.returncode == 2
    assert "reports/test: is a symbolic link; a real folder of our own is needed here" in done.stderr
    assert (server.calls.total(), list((bench.folder / "elsewhere").iterdir())) == (0, [])


def test_the_search_finds_what_is_there_packed_or_spelt_otherwise(tmp_path: Path) -> None:
    from base64 import b64encode
    from urllib.parse import quote

    import zstandard

    name, secret = "user-data", CANARIES["user-data"].encode()
    (tmp_path / "a").write_bytes(b"x" + b64encode(b"#!/bin/sh\n" + secret + b"\nend"))
    (tmp_path / "b.zst").write_bytes(zstandard.ZstdCompressor().compress(bytes(range(256)) * 9 + secret))
    found = found_canaries(tmp_path, ["nothing", quote(secret.decode(), safe="")])
    assert {f"{name} in a", f"{name} in b.zst unpacked", f"{name} in text 1"} <= set(found)
    assert all(one.startswith(f"{name} in ") and "text 0" not in one for one in found)
