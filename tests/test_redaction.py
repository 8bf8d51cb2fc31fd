"""What the catalog redacts: by its own paths, and whatever botocore marks as sensitive besides."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from scanner.catalog import load_catalog
from scanner.catalog.check import compiled
from scanner.catalog.sensitive import marked, uncovered
from scanner.catalog.spec import steps_of
from scanner.collectors.values import scrubber
from tests.conftest import Bench

HIDDEN = "(redacted)"


@pytest.mark.parametrize(
    ("value", "redact", "volatile", "wanted"),
    [
        ({"a": {"b": 1, "c": 2}}, ["a.b"], [], {"a": {"b": HIDDEN, "c": 2}}),
        ({"a": [{"b": 1}, {"b": 2, "c": 3}]}, ["a[].b"], [], {"a": [{"b": HIDDEN}, {"b": HIDDEN, "c": 3}]}),
        ({"a": {"x": "1", "y": "2"}}, ["a.*"], [], {"a": {"x": HIDDEN, "y": HIDDEN}}),
        ({"a": ["x", "y"]}, ["a[]"], [], {"a": [HIDDEN, HIDDEN]}),
        ({"a": [[{"b": 1}]]}, ["a[][].b"], [], {"a": [[{"b": HIDDEN}]]}),
        ({"a": {"b-c": 1, "d": 2}}, ['a."b-c"'], [], {"a": {"b-c": HIDDEN, "d": 2}}),
        ({"a": {"x": {"b": 1, "c": 1}}}, ["a.*.b"], [], {"a": {"x": {"b": HIDDEN, "c": 1}}}),
        ({"a": {"b": 1, "c": 2}}, [], ["a.b"], {"a": {"c": 2}}),
        ({"a": {"b": 1}, "c": 2}, ["a", "a.b"], ["c"], {"a": HIDDEN}),
        ({"a": {"b": 1}, "c": 2}, ["a.b", "a"], [], {"a": HIDDEN, "c": 2}),
        ({"a": {"b": 1}}, ["a.b"], ["a"], {}),
        ({"a": {"b": "x"}}, ["a[].b"], [], {"a": {"b": HIDDEN}}),
        ({"a": "x", "b": None, "c": "", "d": [], "e": {}}, ["b", "c", "d", "e", "f"], [], None),
    ],
)
def test_what_is_at_a_path_is_hidden_and_nothing_else_is_touched(
    value: dict[str, Any], redact: list[str], volatile: list[str], wanted: dict[str, Any] | None
) -> None:
    before = repr(value)
    assert scrubber(redact, volatile)(value) == (value if wanted is None else wanted)
    assert repr(value) == before


def test_a_type_without_secrets_costs_nothing() -> None:
    value = {"a": {"b": 1}}
    assert scrubber((), ())(value) is value


def test_every_member_that_botocore_marks_is_redacted_or_revealed_on_purpose() -> None:
    kinds = {f"{kind.service}:{kind.kind}": kind for kind in load_catalog().types}
    assert [name for name, kind in kinds.items() if uncovered(kind)] == []
    assert {name: marked(kind) for name, kind in kinds.items() if marked(kind)} == {
        "ecs:task-definition": ("containerDefinitions[].environment", "containerDefinitions[].repositoryCredentials"),
        "lambda:function": (
            "Environment.Error.Message",
            "Environment.Variables",
            "Environment.Variables.*",
            "ImageConfigResponse.Error.Message",
            "RuntimeVersionConfig.Error.Message",
        ),
        "rds:cluster": ("PendingModifiedValues.MasterUserPassword",),
        "rds:db": ("PendingModifiedValues.MasterUserPassword",),
        "s3:bucket": ("encryption.Rules[].ApplyServerSideEncryptionByDefault.KMSMasterKeyID",),
    }
    assert {name: kind.reveal for name, kind in kinds.items() if kind.reveal} == {
        "ecs:task-definition": ("containerDefinitions[].repositoryCredentials",),
        "s3:bucket": ("encryption.Rules[].ApplyServerSideEncryptionByDefault.KMSMasterKeyID",),
    }
    assert "PendingModifiedValues.MasterUserPassword" in kinds["rds:db"].redact  # no entry names it


def test_what_redact_names_is_a_path_of_the_same_steps_for_the_check_and_for_records() -> None:
    assert steps_of('a[].b.*."c-d"[]') == ("a", "[]", "b", "*", "c-d", "[]")


_ENTRY = """
service: rds
resources:
  db:
    list: {call: describe_db_instances, page: {size: 100}}
    id: DBInstanceIdentifier
    arn: DBInstanceArn
    shape: arn:{partition}:rds:{region}:{account}:db:{id}
"""


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("redact: [PendingModifiedValues.MasterUserPasword]", "has no member 'MasterUserPasword'; did you mean"),
        ("reveal: [MasterUsername]", "botocore does not mark 'MasterUsername' as sensitive"),
        ("reveal: [PendingModifiedValues.MasterUserPassword]", ""),
        ("reveal: MasterUsername", "a list is wanted"),
        ("state: PendingModifiedValues.MasterUserPassword", "which botocore marks as sensitive"),
        ("name: '{PendingModifiedValues.MasterUserPassword}'", "which botocore marks as sensitive"),
    ],
)
def test_the_check_proves_what_is_redacted_and_what_is_revealed(tmp_path: Path, more: str, said: str) -> None:
    path = tmp_path / "rds.yaml"
    path.write_text(f"{_ENTRY}    {more}\n")
    problems, kinds = compiled([path], is_proved=lambda _: False)
    assert [problem for problem in problems if said not in problem] == []
    assert bool(problems) is bool(said)
    if not said:
        assert kinds[0].redact == ()


def test_a_catalog_of_ones_own_redacts_what_botocore_marks_without_saying_so(bench: Bench) -> None:
    path = bench.folder / "ssm.yaml"
    path.write_text(
        "service: cognito-idp\nresources:\n  userpool:\n    list: {call: list_user_pools, in: {MaxResults: 60}}\n"
        "    get: {call: describe_user_pool, in: {UserPoolId: '{Id}'}, out: UserPool}\n"
        "    id: Id\n    arn: arn:{partition}:cognito-idp:{region}:{account}:userpool/{Id}\n"
    )
    _, (kind,) = compiled([path], is_proved=lambda _: True)
    assert set(kind.redact) == set(marked(kind))


def test_every_test_that_the_page_on_security_names_is_there() -> None:
    root = Path(__file__).parent.parent
    named = set(re.findall(r"`(test_\w+)`", (root / "docs" / "security.md").read_text()))
    there = {
        name for path in (root / "tests").glob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
    }
    assert named - there == set()
    assert len(named) > 15
