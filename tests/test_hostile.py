"""Attackers write names, tags, messages, files, folders: nothing of it steers a terminal, leads elsewhere or hangs."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard

from scanner.errors import SnapshotError
from scanner.fakeaws import FakeAws, Fleet
from scanner.fakeaws.server import Answer, Raw
from scanner.store.shards import ShardWriter, read_shard
from scanner.store.sorter import packer
from tests.builders import cell, record, write_snapshot
from tests.conftest import Bench

Start = Callable[..., FakeAws]

EVIL = (
    "\x1b[31mred\x1b]8;;https://evil.test\x07x\x1b]8;;\x07\x9b2J\x00\x7f"
    "\u202egpj\u2066\u200b\ufeff\u2028\r\n2026-01-01 ERROR forged [/x]"
)
SERIAL = {"executor": "serial"}


def assert_harmless(*texts: str, allowed: str = "\n") -> None:
    """No character steers a terminal or hides, and no line was begun by what somebody else wrote."""
    for text in texts:
        odd = {one for one in text if unicodedata.category(one) in {"Cc", "Cf", "Cs", "Zl", "Zp"}} - set(allowed)
        assert odd == set(), text
        assert [line for line in text.split("\n") if line.startswith("2026-01-01")] == []


class EvilAws(FakeAws):
    """Names and tags by an attacker, refusals too; `region` and `arn` as a lying endpoint gives them."""

    region, arn = "eu-west-1", ""

    def handle(self, raw: Raw) -> Answer:
        if "/ecs/" in raw.headers.get("Authorization", ""):
            return 400, "application/json", orjson.dumps({"__type": "AccessDeniedException", "message": EVIL})
        return super().handle(raw)

    def _made(self, request: Any, account: str, operation: str) -> Mapping[str, Any]:
        answer = dict(super()._made(request, account, operation))
        if operation == "list_functions":
            safe = EVIL.replace("\x00", "")
            answer["Functions"] = [{**one, "FunctionName": safe, "Runtime": safe} for one in answer["Functions"]]
        if operation == "list_tags":
            answer["Tags"] = {EVIL.replace("\x00", ""): EVIL.replace("\x00", "")}
        if operation == "list_regions":
            answer["Regions"] = [{"RegionName": self.region, "RegionOptStatus": "ENABLED"}]
        if operation == "describe_regions":
            answer["Regions"] = [{"RegionName": self.region, "OptInStatus": "opted-in"}]
        if operation == "get_caller_identity" and self.arn:
            answer["Arn"] = self.arn
        return answer


@pytest.fixture
def evil(bench: Bench) -> Any:
    with EvilAws(Fleet(items=2)) as server:
        yield server


def test_names_tags_and_refusals_of_an_attacker_are_harmless_wherever_they_are_shown(
    bench: Bench, evil: EvilAws
) -> None:
    path = bench.profile(
        evil.url, services=["lambda", "ecs"], regions=["enabled"], execution=SERIAL,
        description=EVIL.replace("\x00", ""), reports={"formats": ["json", "jsonl", "markdown", "csv", "table"]},
    )  # fmt: skip
    done = bench.here("scan", path, "--debug", "--verbose", "--log-file", "scan.log")
    assert done.returncode == 3
    assert "forged" in done.stdout + done.stderr
    first = bench.snapshot().path
    again = bench.here("scan", path, "--compare", "--log-json", "-f", "json", "-o", "out.json", "--no-cache")
    commands = [
        bench.here("report", first, "--format", "table"),
        bench.here("diff", first, bench.snapshot().path),
        bench.here("diff", first, bench.snapshot().path, "--format", "markdown"),
        *(bench.here(*words, path) for words in (["plan"], ["whoami", "--probe"], ["regions", "--enabled"])),
        *(bench.here(*words, path, "--json") for words in (["whoami", "--probe"], ["regions", "--enabled"])),
        bench.here("iam-policy", path),
        bench.here("cache", "show"),
    ]
    assert_harmless(*(text for one in (done, again, *commands) for text in (one.stdout, one.stderr)), allowed="\n\t")
    made = [bench.folder / name for name in ("scan.log", "out.json")]
    made += [one for one in first.iterdir() if one.is_file() and one.suffix != ".zst" and one.name != "manifest.json"]
    assert len(made) == 8
    for file in made:
        assert_harmless(file.read_bytes().decode(), allowed="\r\n" if file.suffix == ".csv" else "\n")


def test_a_region_and_a_partition_that_lead_elsewhere_become_no_file(bench: Bench, evil: EvilAws) -> None:
    evil.region = "x/../../../../../../../tmp/aws-scanner-evil"
    path = bench.profile(evil.url, services=["lambda"], regions=["enabled"], execution=SERIAL)
    told = bench.here("regions", path, "--enabled")
    assert (told.returncode, "gave no name of a region" in told.stderr) == (0, True)
    evil.become(Fleet(items=2))
    evil.arn = "arn:aws/../../x:iam::111122223333:user/x"
    done = bench.here("scan", path, "-q", "--no-cache")
    assert (done.returncode, "STS answered with no account id" in done.stderr) == (4, True)
    assert sorted(one.name for one in (bench.folder / "reports").rglob("*")) == []


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "a/b", "..", "a\nb", "x" * 65, "\u202ex", "-rf", ""])
def test_a_profiles_name_leads_nowhere(bench: Bench, fake: Start, name: str) -> None:
    server = fake(Fleet(items=1))
    done = bench.here("scan", bench.profile(server.url, name=name), "-q")
    assert done.returncode == 2
    assert "name" in done.stderr
    assert_harmless(done.stderr)
    assert server.calls.total() == 0
    assert not (bench.folder / "reports").exists()


def test_words_of_a_catalog_folder_and_of_file_names_are_harmless(bench: Bench) -> None:
    folder = bench.folder / "cata\x1b[31mlog"
    folder.mkdir()
    (folder / "x\u202ey.yaml").write_text('service: "\\e[31m\\u202e"\nresources: {}\n')
    for words in (["check", "--catalog-dir", folder], ["types", "--catalog-dir", folder], ["types", "\x1b[31m\u202e"]):
        done = bench.here(*words)
        assert done.returncode == 2
        assert_harmless(done.stdout, done.stderr)
    written = bench.here("init", "p", "--output", bench.folder / "\x1b[31m.yaml")
    assert_harmless(written.stdout, written.stderr)
    (bench.folder / "config").mkdir()
    (bench.folder / "config" / "a\x1b[31m.yaml").write_text("description: '\x1b[31m'\n")
    missing = bench.here("plan", "nosuch")
    assert missing.returncode == 2
    assert_harmless(missing.stdout, missing.stderr)


def test_a_forged_entry_of_the_cache_is_harmless(bench: Bench) -> None:
    units = bench.folder / "cache" / "aws-scanner" / "units"
    units.mkdir(mode=0o700)
    key = "0" * 64
    ShardWriter(units / f"{key}.jsonl.zst", "aws.1\x1b[31m.eu\u202e.s3\x9b.services", key).finish((), ())
    (units / "not\x1b[31mours").write_text("")
    for words in (["cache", "show"], ["cache", "show", "--json"], ["cache", "clear"]):
        done = bench.here(*words)
        assert done.returncode == 0
        assert_harmless(done.stdout, done.stderr)


# What is read: bounded, whatever it is

_BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + at)}: &{chr(98 + at)} [{','.join(['*' + chr(97 + at)] * 9)}]\n" for at in range(9)
)
BAD_YAML = {
    "aliases": (_BOMB.encode(), "more than 20000 values"),
    "an alias of itself": (b"a: &a [*a]\n", "nested deeper than 30 levels"),
    "a thousand levels": (b"[" * 1000 + b"]" * 1000, "nested deeper than 30 levels"),
    "half a million levels": (b"- " * 500_000, "nested deeper than 30 levels"),
    "50 MB": (b"#" * (50 << 20), "larger than 1 MiB"),
    "a zero byte": (b"a: \x00\n", "YAML syntax"),
    "no UTF-8": (b"a: \xff\n", "is not UTF-8"),
    "UTF-16": ("\ufeffregions: [us-east-1]\n".encode("utf-16-le"), "is not UTF-8"),
    "a key twice": (b"regions: [us-east-1]\nregions: [us-east-2]\n", "duplicate key"),
    "an object": (b"a: !!python/object/apply:os.system ['touch pwned']\n", "YAML syntax"),
    "a huge scalar": (b"regions: [" + b"x" * 900_000 + b"]\n", "unknown region"),
    "a huge number": (b"min_resources: " + b"9" * 5000 + b"\n", "min_resources"),
    "a list for a key": (b"? [a]\n: 1\n", "a key must be plain text"),
    "merged without end": (b"a: &a {<<: *a}\n", ""),
}


@pytest.mark.parametrize("what", BAD_YAML)
def test_a_profile_that_is_no_profile_is_refused_with_a_message(bench: Bench, what: str) -> None:
    raw, said = BAD_YAML[what]
    path = bench.folder / "bad.yaml"
    path.write_bytes(raw)
    done = bench.here("plan", path, "--offline")
    assert (done.returncode, said in done.stderr) == (2, True)
    assert "Traceback" not in done.stderr
    assert len(done.stderr) < 5_000
    assert_harmless(done.stderr)
    assert not (bench.folder / "pwned").exists()


def test_the_program_survives_what_would_end_it_by_a_signal(bench: Bench) -> None:
    path = bench.folder / "deep.yaml"
    path.write_bytes(b"[" * 1_000_000)
    assert bench.run("plan", path, "--offline").returncode == 2


@pytest.mark.parametrize("what", ["aliases", "a thousand levels", "50 MB", "no UTF-8", "an object", "a key twice"])
def test_a_catalog_file_that_is_none_is_refused_with_a_message(bench: Bench, what: str) -> None:
    raw, said = BAD_YAML[what]
    folder = bench.folder / "catalogs"
    folder.mkdir()
    (folder / "bad.yaml").write_bytes(raw)
    for words in (
        ["check", "--catalog-dir", folder],
        ["plan", bench.profile("https://x.test", catalog_dirs=["catalogs"])],
    ):
        done = bench.here(*words)
        assert (done.returncode, said in done.stderr) == (2, True)
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "variables"),
    [
        (["--set", "retry.max_attempts=" + "9" * 5000], {}),
        (["--set", "accounts=" + "[" * 100_000], {}),
        (["--set", "a." * 5_000 + "b=1"], {}),
        ([], {"AWS_SCANNER__ACCOUNTS": "[" * 100_000}),
        ([], {"AWS_SCANNER__RETRY": '{"a":' * 20_000}),
    ],
)
def test_settings_without_end_are_refused_with_a_message(
    bench: Bench, words: list[str], variables: dict[str, str]
) -> None:
    done = bench.here("plan", bench.profile("https://x.test"), "--offline", *words, **variables)
    assert done.returncode == 2, done.stderr[-300:]
    assert "Traceback" not in done.stderr


def test_snapshots_without_end_are_refused_with_a_message(bench: Bench) -> None:
    ours = write_snapshot(bench.folder / "ours", [record()], [cell()])
    deep, bomb, large = (bench.folder / name for name in ("deep", "bomb", "large"))
    for folder in (deep, bomb, large):
        write_snapshot(folder, [record()], [cell()])
    (deep / "manifest.json").write_bytes(b'{"a":' * 100_000)
    packed = zstandard.ZstdCompressor().compress(b'{"a":"' + b"x" * (66 << 20))
    (bomb / "resources.jsonl.zst").write_bytes(packed)
    (bench.folder / "line.json").write_bytes(b'[\n{"a":"' + b"x" * (66 << 20) + b'"}\n]\n')
    (bench.folder / "deep.json").write_bytes(b"[\n" + b"[" * 100_000 + b"\n]\n")
    (large / "manifest.json").unlink()
    os.truncate(os.open(large / "manifest.json", os.O_CREAT | os.O_RDWR), 600 << 20)
    said = [
        (bench.here("report", deep), "cannot be read"),
        (bench.here("report", bomb), "record 1 is longer than 64 MiB"),
        (bench.here("report", large), "is larger than 512 MiB, which no scan writes"),
        (bench.here("diff", ours.path, bench.folder / "line.json"), "is no JSON object on a line of its own"),
        (bench.here("diff", ours.path, bench.folder / "deep.json"), "is no JSON object on a line of its own"),
    ]
    assert [(one.returncode, words in one.stderr) for one, words in said] == [(2, True)] * 5
    assert all("Traceback" not in one.stderr and len(one.stderr) < 1_000 for one, _ in said)


def test_a_shard_without_end_is_refused_with_a_message(tmp_path: Path) -> None:
    head = b'{"shard":1,"unit":"a","key":"b","written_at":"2026-01-01"}\n'
    path = tmp_path / "a.jsonl.zst"
    path.write_bytes(packer(1).compress(head + b"x" * (66 << 20)))
    with pytest.raises(SnapshotError, match=r"a\.jsonl\.zst: a line is longer than 64 MiB"):
        list(read_shard(path))


# Links


def test_links_that_lie_where_a_scan_writes_are_not_followed(bench: Bench, fake: Start) -> None:
    path = bench.profile(fake(Fleet(items=1)).url, services=["sqs"], execution=SERIAL)
    assert bench.here("scan", path, "-q").returncode == 0
    target = bench.folder / "target"
    target.write_text("mine")
    latest = bench.folder / "reports" / "test" / "latest"
    latest.unlink()
    latest.symlink_to(target)
    refused = bench.here("report", bench.folder / "reports" / "test")
    assert (refused.returncode, "latest: is a symbolic link" in refused.stderr) == (2, True)
    out = bench.folder / "out.json"
    out.symlink_to(target)
    assert bench.here("scan", path, "-q", "-o", out).returncode == 2
    assert bench.here("scan", path, "-q").returncode == 0
    assert not latest.is_symlink()
    units = bench.folder / "cache" / "aws-scanner" / "units"
    units.rename(bench.folder / "moved")
    units.symlink_to(bench.folder / "moved")
    warned = bench.here("scan", path, "--log-file", bench.folder / "scan.log")
    assert warned.returncode == 0
    assert "units: is a symbolic link; a real folder of our own is needed here; scanning without it" in warned.stderr
    assert target.read_text() == "mine"
