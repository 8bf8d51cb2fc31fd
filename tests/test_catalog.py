"""The catalog: complete, proved against botocore's models, closed, and quick to load."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scanner.catalog import load_catalog, yaml_files
from scanner.catalog.check import check
from scanner.catalog.compile import compile_source
from scanner.catalog.source import read_source
from scanner.errors import CatalogError
from scanner.fakeaws import FakeAws, Fleet
from tests.conftest import Bench, records


def test_every_entry_fits_botocores_models() -> None:
    result = check()
    assert result.problems == []
    assert result.notes == []
    assert result.entries == len(load_catalog().types) == 49


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("ec2:instance", ["ec2:instance"]),
        ("AWS::EC2::Instance", ["ec2:instance"]),
        ("elbv2:loadbalancer", ["elbv2:loadbalancer"]),
        ("elasticloadbalancing:loadbalancer", ["elb:loadbalancer", "elbv2:loadbalancer"]),
        ("rds:*snapshot", ["rds:cluster-snapshot", "rds:snapshot"]),
        ("efs", ["efs:file-system"]),
        ("elasticfilesystem", ["efs:file-system"]),
        ("nothing", []),
    ],
)
def test_a_type_is_found_by_each_of_its_names(word: str, found: list[str]) -> None:
    assert [f"{kind.service}:{kind.kind}" for kind in load_catalog().find(word)] == found


def test_the_aliases_of_the_founding_document_mean_what_they_did() -> None:
    assert {kind.service for kind in load_catalog().find("elb")} == {"elb", "elbv2"}
    assert {"vpc", "subnet", "route-table"} <= {kind.kind for kind in load_catalog().find("vpc")}


def test_the_allow_list_only_reads() -> None:
    reads = re.compile(r"(list|describe|get)_|assume_role$")
    assert [one for one in load_catalog().operations() if not reads.match(one[1])] == []


def test_parents_permissions_are_part_of_a_childs() -> None:
    catalog = load_catalog()
    assert {"ecs:ListClusters", "ecs:ListServices"} <= set(catalog.iam_actions(catalog.find("ecs:service")))
    assert "s3:GetBucketPolicy" not in catalog.iam_actions(catalog.find("s3"), enrich=False)
    assert "s3:GetEncryptionConfiguration" in catalog.iam_actions(catalog.find("s3"))


def _broken(folder: Path, old: str, new: str) -> list[str]:
    source = next(path for path in yaml_files() if path.name == "ecs.yaml")
    path = folder / "ecs.yaml"
    text = source.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(CatalogError) as caught:
        compile_source(read_source(path))
    return caught.value.problems


def test_an_unknown_key_is_refused_with_its_place(tmp_path: Path) -> None:
    problems = _broken(tmp_path, "    name: clusterName", "    nmae: clusterName")
    assert problems[0].startswith("ecs.yaml:8:5: resources.cluster.nmae: unknown key 'nmae'; did you mean 'name'?") or (
        "unknown key 'nmae'; did you mean 'name'?" in problems[0]
    )


def test_an_unknown_operation_is_refused_with_the_nearest(tmp_path: Path) -> None:
    assert "did you mean 'list_clusters'?" in _broken(tmp_path, "call: list_clusters", "call: list_cluster")[0]


def test_a_compiled_catalog_is_the_same_as_a_fresh_one_and_needs_no_botocore(tmp_path: Path) -> None:
    code = (
        "import sys; from scanner.catalog import load_catalog; c = load_catalog();"
        "print(hash(str(c.types)), 'botocore' in sys.modules)"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "PYTHONHASHSEED": "1"}
    said = [
        subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert said[0].split()[0] == said[1].split()[0]
    assert (said[0].split()[1], said[1].split()[1]) == ("True", "False")


def test_a_corrupt_compiled_catalog_is_compiled_again(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "scanner", "types", "sqs"]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    for path in (tmp_path / "aws-scanner").glob("catalog-*.json"):
        path.write_bytes(b'{"version": 1')
    assert "sqs:queue" in subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


OWN = """\
service: ivs
resources:
  channel: {list: list_channels, arn: arn, shape: 'arn:{partition}:ivs:{region}:{account}:channel/{id}', TAGS}
"""


def _own(folder: Path, tags: str) -> Path:
    (folder / "catalogs").mkdir()
    (folder / "catalogs" / "ivs.yaml").write_text(OWN.replace(", TAGS", tags))
    return folder / "catalogs"


def test_a_type_that_has_tags_is_not_said_to_have_none(bench: Bench) -> None:
    done = bench.here("check", "--catalog-dir", _own(bench.folder, ", tags: {}"))
    assert done.returncode == 2
    said = "resources.channel.tags: {} says that AWS has no tags for it, but there is 'tags'"
    assert said in done.stdout + done.stderr


@pytest.mark.parametrize("collector", ["auto", "services"])
def test_under_a_tag_filter_tags_that_nobody_reads_are_a_gap_and_types_without_tags_are_none(
    bench: Bench, fake: Callable[..., FakeAws], collector: str
) -> None:
    folder = _own(bench.folder, ", tagging: false")
    server = fake(Fleet(items=2), catalog_dirs=(folder,))
    asked = {"services": ["ivs", "autoscaling"], "regions": ["us-east-1"], "catalog_dirs": [str(folder)]}
    whole = bench.profile(server.url, **asked)
    assert bench.here("scan", whole, "-q", "--no-cache").returncode == 0
    tags = {record["resource_type"]: record["tags"] for record in records(bench.snapshot())}
    assert (tags["ivs:channel"], tags["autoscaling:scalingPolicy"]) == (None, {})
    assert bench.here("scan", whole, "-q", "--no-cache", "--tag-key", "Name", "--collector", collector).returncode == 3
    assert bench.gaps() == [("us-east-1", "ivs:channel", "list_channels", "truncated")]
