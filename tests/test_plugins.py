"""Plug-ins of other packages, and catalog folders of users: what they add, and what becomes of broken ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scanner.catalog.check import compiled
from scanner.fakeaws import FakeAws, Fleet
from tests.conftest import Bench, records
from tests.pages import install

Start = Callable[..., FakeAws]
_SERIAL: dict[str, Any] = {"execution": {"executor": "serial"}}  # quicker to start

_FORMAT = (
    'NAMES = ("ids",)\nSUFFIX = FILE = "ids.txt"\ndef write(snapshot, out, *, limit=None):\n    out.write(b"ids\\n")\n'
)
_FILTER = """
NAME, HELP = "even", "Only even ones."
def words(given):
    return given
def blind(kind):
    return ""
def judge(words):
    return lambda record: int(record["resource_id"][-1]) % 2 == 0
"""
_EXECUTOR = """
NAME = "mine"
from dataclasses import replace
from scanner.model import Shard
def run(jobs, make_worker, *, slots, tell):
    for job in jobs:
        done, mine = [], replace(job, units=job.units[:KEPT])
        if mine.units:
            make_worker().do(mine, lambda said: done.append(said) if isinstance(said, Shard) else tell(said))
        yield from done
"""
_YAML = """
service: ivs
resources:
  channel:
    list: list_channels
    arn: arn
    shape: arn:{partition}:ivs:{region}:{account}:channel/{id}
    name: name
"""


def _plugin(bench: Bench, kind: str, name: str, code: str, module: str = "acme_plugin") -> dict[str, str]:
    """A distribution with one module as a plug-in of this kind, and the environment that has it installed."""
    folder = bench.folder / "installed"
    install(folder, "acme", {f"aws_scanner.{kind}": {name: module}})
    (folder / f"{module}.py").write_text(code)
    return {"PYTHONPATH": str(folder)}


def _catalog(bench: Bench, text: str, folder: str = "catalogs") -> Path:
    path = bench.folder / folder / "ivs.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_a_format_of_another_package_is_written_by_scans_and_reports(bench: Bench, fake: Start) -> None:
    installed = _plugin(bench, "formats", "ids", _FORMAT)
    profile = bench.profile(fake(Fleet(items=1)).url, services=["sqs"], reports={"formats": ["json", "ids"]}, **_SERIAL)
    assert bench.run("scan", profile, **installed).returncode == 0
    assert (bench.snapshot().path / "ids.txt").read_text() == "ids\n"
    assert bench.run("report", "reports/test", "--format", "ids", **installed).stdout == "ids\n"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import no_such_module", "cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'"),
        ("1 / 0", "cannot be loaded: ZeroDivisionError: division by zero"),
        ("def", "cannot be loaded: SyntaxError: "),
        ("NAMES = ('ids',)", "has no SUFFIX, FILE, write; it needs NAMES, SUFFIX, FILE, write"),
    ],
)
def test_a_broken_format_is_told_by_its_package(bench: Bench, code: str, said: str) -> None:
    installed = _plugin(bench, "formats", "ids", code)
    done = bench.run("plan", "--offline", "--set", "reports.formats=json,ids", **installed)
    assert done.returncode == 2
    assert f"report format 'ids' of acme 1.0 (ids = acme_plugin) {said}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broken_format_costs_only_itself(bench: Bench, fake: Start) -> None:
    installed = _plugin(bench, "formats", "ids", "1 / 0")
    profile = bench.profile(fake(Fleet(items=1)).url, services=["sqs"], **_SERIAL)
    assert bench.run("scan", profile, **installed).returncode == 0
    assert bench.run("report", "reports/test", "--format", "csv", **installed).returncode == 0


def test_a_name_that_two_define_is_refused_and_both_are_named(bench: Bench, fake: Start) -> None:
    installed = _plugin(bench, "formats", "csv", _FORMAT)
    profile = bench.profile(fake(Fleet(items=1)).url, services=["sqs"], **_SERIAL)
    assert bench.run("scan", profile, **installed).returncode == 0
    done = bench.run("report", "reports/test", "--format", "csv", **installed)
    assert done.returncode == 2
    assert "scanner/formats/csv.py and by acme 1.0 (csv = acme_plugin): remove one" in done.stderr


def test_a_filter_of_another_package_is_an_option_and_works_in_the_workers(bench: Bench, fake: Start) -> None:
    installed = _plugin(bench, "filters", "even", _FILTER)
    profile = bench.profile(fake(Fleet(items=5)).url, services=["sqs"], regions=["us-east-1"])  # in processes
    assert "--even WORDS" in bench.run("scan", "--help", **installed).stdout
    assert bench.run("scan", profile, "--even", "yes", **installed).returncode == 0
    assert [record["resource_id"] for record in records(bench.snapshot())] == [f"queue-0000{at}" for at in (0, 2, 4)]
    # Another version of the filter is not answered from what this one let through.
    installed = _plugin(bench, "filters", "even", _FILTER.replace("== 0", "== 1"))
    assert bench.run("scan", profile, "--even", "yes", **installed).returncode == 0
    assert [record["resource_id"] for record in records(bench.snapshot())] == [f"queue-0000{at}" for at in (1, 3)]


def test_a_filter_that_fails_on_a_record_is_a_gap_of_its_type(bench: Bench, fake: Start) -> None:
    installed = _plugin(bench, "filters", "even", _FILTER.replace('["resource_id"]', '["nothing"]'))
    profile = bench.profile(fake(Fleet(items=2)).url, services=["sqs"], regions=["us-east-1"], **_SERIAL)
    assert bench.run("scan", profile, "--even", "yes", **installed).returncode == 3
    assert bench.gaps() == [("us-east-1", "sqs:queue", "list_queues", "error")]


def test_a_broken_filter_is_told_in_the_help_and_refused_when_used(bench: Bench, fake: Start) -> None:
    installed = _plugin(bench, "filters", "even", "import no_such_module")
    shown = bench.run("scan", "--help", **installed)
    assert (shown.returncode, "cannot be loaded" in shown.stdout) == (0, True)
    profile = bench.profile(fake(Fleet(items=1)).url, services=["sqs"], **_SERIAL)
    assert bench.run("scan", profile, **installed).returncode == 0
    done = bench.run("scan", profile, "--even", "yes", **installed)
    assert done.returncode == 2
    assert "filter 'even' of acme 1.0 (even = acme_plugin) cannot be loaded" in done.stderr


@pytest.mark.parametrize(("kept", "code"), [("None", 0), ("0", 3)])
def test_an_executor_of_another_package_and_the_units_that_it_loses(
    bench: Bench, fake: Start, kept: str, code: int
) -> None:
    installed = _plugin(bench, "executors", "mine", _EXECUTOR.replace("KEPT", kept))
    profile = bench.profile(fake(Fleet(items=1)).url, services=["sqs"], execution={"executor": "mine"})
    assert bench.run("scan", profile, **installed).returncode == code
    assert {outcome for *_, outcome in bench.gaps()} == ({"interrupted"} if code else set())


def test_a_defect_exits_70_with_its_traceback_never_1_which_means_a_gate(bench: Bench, fake: Start) -> None:
    installed = _plugin(
        bench, "executors", "mine", 'NAME = "mine"\ndef run(*_, **__):\n    raise ZeroDivisionError("oops")\n'
    )
    profile = bench.profile(fake(Fleet(items=1)).url, services=["sqs"], execution={"executor": "mine"})
    done = bench.run("scan", profile, "--min-resources", "1", **installed)
    assert done.returncode == 70
    assert done.stderr.endswith("ZeroDivisionError: oops\n")
    assert "Traceback" in done.stderr


def test_an_executor_that_is_not_there_is_refused_with_its_place(bench: Bench) -> None:
    done = bench.run("scan", bench.profile("http://127.0.0.1:1", execution={"executor": "proceses"}))
    assert done.returncode == 2
    assert "execution.executor: unknown executor 'proceses'; did you mean 'processes'?; there are:" in done.stderr


def test_a_catalog_package_without_catalog_files_stops_every_scan_by_name(bench: Bench) -> None:
    installed = _plugin(bench, "catalogs", "acme", "")
    done = bench.run("plan", "--offline", **installed)
    assert done.returncode == 2
    assert "catalog 'acme' of acme 1.0 (acme = acme_plugin): acme_plugin is no package with *.yaml files" in done.stderr


def test_an_edited_catalog_file_is_not_answered_from_the_cache(bench: Bench, fake: Start) -> None:
    path = _catalog(bench, _YAML)
    server = fake(Fleet(items=1), catalog_dirs=(path.parent,))
    profile = bench.profile(server.url, services=["ivs"], regions=["us-east-1"], catalog_dirs=["catalogs"])
    assert bench.run("scan", profile).returncode == 0
    assert records(bench.snapshot())[0]["resource_name"] == "channel-00000"
    path.write_text(_YAML.replace("name: name", "name: arn"))
    assert bench.run("scan", profile).returncode == 0
    assert records(bench.snapshot())[0]["resource_name"].startswith("arn:aws:ivs:us-east-1")


def test_the_operations_of_a_users_catalog_are_allowed_and_no_others(bench: Bench, fake: Start) -> None:
    path = _catalog(bench, _YAML.replace("list: list_channels", "list: {call: delete_channel, in: {arn: x}}"))
    profile = bench.profile("http://127.0.0.1:1", catalog_dirs=["catalogs"])
    for done in (bench.run("scan", profile), bench.run("check", "--catalog-dir", "catalogs")):
        assert done.returncode == 2
        assert f"{path}:5:" in done.stderr
        assert "delete_channel is no read of an inventory" in done.stderr


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("list: list_channels", "list: list_chanels", "did you mean 'list_channels'?"),
        ("name: name", "name: [name]", "name: ['name'] is not allowed; text is wanted"),
        ("name: name", "redact: name", "redact: 'name' is not allowed; a list is wanted"),
        ("name: name", "name: nmae", "nmae"),
        ("name: name", "name: 'a['", "a["),
        ("name: name", "of: nobody", "no type 'nobody' in this file"),
        ("list: list_channels", "list: {call: list_channels, batch: ten}", "batch: 'ten' is not allowed; a number"),
        ("list: list_channels", "list: 5", "is not allowed; text or a mapping is wanted"),
        ("  channel:", "  5:", "5 is no name of a type"),
        ("resources:", "resuorces:", "did you mean 'resources'?"),
        ("service: ivs", "service: isv", "botocore has no client 'isv'"),
        ("service: ivs", "service: [", "YAML syntax"),
    ],
)
def test_a_catalog_file_that_does_not_fit_is_refused_with_its_place(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    path = tmp_path / "ivs.yaml"
    path.write_text(_YAML.replace(old, new))
    problems, _ = compiled([path], is_proved=lambda _: False)
    assert problems
    assert problems[0].startswith(f"{path}:")
    assert said in problems[0]


def test_two_files_with_the_same_type_are_refused_and_both_are_named(bench: Bench) -> None:
    paths = [_catalog(bench, _YAML, folder) for folder in ("one", "two")]
    done = bench.run("types", "ivs", "--catalog-dir", "one", "--catalog-dir", "two")
    assert done.returncode == 2
    assert done.stderr == f"ivs:channel is defined twice, in {paths[0]} and in {paths[1]}: remove one\n"


@pytest.mark.parametrize(("folder", "said"), [("nowhere", "no such folder"), ("home", "holds no *.yaml")])
def test_a_folder_without_catalog_files_is_refused_with_its_place(bench: Bench, folder: str, said: str) -> None:
    done = bench.run("scan", bench.profile("http://127.0.0.1:1", catalog_dirs=[folder]))
    assert done.returncode == 2
    assert f"catalog_dirs[0]: {folder}: {said}" in done.stderr
    assert bench.run("check", "--catalog-dir", folder).returncode == 2


def test_help_imports_no_plugin_but_the_filters(bench: Bench) -> None:
    installed = _plugin(bench, "formats", "ids", "print('imported')")
    assert "imported" not in bench.run("scan", "--help", **installed).stdout
