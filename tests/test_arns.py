"""ARNs of 90 shapes, with the right service, type and id; hostile text is a ValueError or parts, nothing else."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.catalog import load_catalog
from scanner.catalog.arns import ArnParser, resource_id, type_word
from scanner.catalog.spec import ResourceType

PARSER = ArnParser(load_catalog().types)
ROWS = list(csv.DictReader((Path(__file__).parent / "arns.csv").open()))


def _loosely(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word.lower())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["arn"])
def test_known_shapes_are_parsed(row: dict[str, str]) -> None:
    parts = PARSER.parse(row["arn"])
    assert (parts.service, parts.id, _loosely(type_word(parts))) == (row["service"], row["id"], _loosely(row["type"]))


@pytest.mark.parametrize("kind", load_catalog().types, ids=lambda kind: f"{kind.service}:{kind.kind}")
def test_an_arn_of_a_catalog_type_is_of_that_type(kind: ResourceType) -> None:
    name = "app/web/50dc6c495c0c9188" if kind.service == "elbv2" else "web"
    arn = kind.shape
    for hole, value in (
        ("partition", "aws"),
        ("region", "eu-west-1"),
        ("account", "1" * 12),
        ("uuid", "0-1"),
        ("id", name),
    ):
        arn = arn.replace(f"{{{hole}}}", value)
    parts = PARSER.parse(arn)
    assert (parts.service, parts.kind, parts.id) == (kind.service, kind.kind, name)
    assert parts.resource_type == kind.resource_type


def test_a_namespace_that_nobody_knows_is_not_given_the_name_as_its_type() -> None:
    parts = PARSER.parse("arn:aws:newthing:us-east-1:111122223333:my-name")
    assert (parts.kind, parts.id) == ("resource", "my-name")
    parts = PARSER.parse("arn:aws:newthing:us-east-1:111122223333:widget/my-name/2")
    assert (parts.kind, parts.id) == ("widget", "my-name/2")


@pytest.mark.parametrize("text", ["", "arn", "arn:aws:s3", "arn:::::", "urn:aws:s3:::x", "arn:aws:ec2:us-east-1:1:"])
def test_text_that_is_no_arn_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="no ARN"):
        PARSER.parse(text)


@given(st.text() | st.text(alphabet=":/-.*a0{}\n").map(lambda text: f"arn:aws:rds:{text}"))
def test_hostile_text_is_a_value_error_or_parts(text: str) -> None:
    try:
        parts = PARSER.parse(text)
    except ValueError:
        return
    assert parts.kind


def test_a_resource_id_is_what_follows_the_kind() -> None:
    assert resource_id("arn:aws:ecs:us-east-1:111122223333:service/web/api", "service") == "web/api"
    assert resource_id("arn:aws:rds:us-east-1:111122223333:db:orders", "db") == "orders"
    assert resource_id("arn:aws:sns:us-east-1:111122223333:alerts", "topic") == "alerts"
