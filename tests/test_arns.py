"""ARNs of 190 shapes and 2,000 documented formats, read right; hostile text is a ValueError or parts, nothing else."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy_sentry.querying.all import get_all_service_prefixes
from policy_sentry.querying.arns import get_arn_types_for_service

from scanner.catalog import load_catalog
from scanner.catalog import yaml_files as service_files
from scanner.catalog.arns import UNKNOWN, ArnParser, resource_id, type_word
from scanner.catalog.spec import ResourceType
from scanner.catalog.strict_yaml import load_marked

HERE = Path(__file__).parent
TYPES = load_catalog().types
PARSER = ArnParser(TYPES)
ROWS = [row for name in ("arns.csv", "arns_more.csv") for row in csv.DictReader((HERE / name).open())]
KNOWN = load_marked((service_files()[0].parent / "arns.yaml").read_text())[0]
NAMES = st.text(alphabet="abcXYZ019._-", min_size=1, max_size=20)


def _loosely(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word.lower())


def _arn_of(kind: ResourceType, name: str) -> str:
    values = {"partition": "aws-cn", "region": "cn-north-1", "account": "1" * 12, "uuid": "0-1", "id": name}
    return re.sub(r"\{(\w+)\}", lambda hole: values[hole[1]], kind.shape)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["arn"])
def test_known_shapes_are_parsed(row: dict[str, str]) -> None:
    parts = PARSER.parse(row["arn"])
    assert (parts.service, parts.id, _loosely(type_word(parts))) == (row["service"], row["id"], _loosely(row["type"]))


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: f"{kind.service}:{kind.kind}")
@given(name=NAMES)
def test_an_arn_of_a_catalog_type_is_of_that_type(kind: ResourceType, name: str) -> None:
    # An elbv2 ARN is told from a classic one by its parts, a function's from its versions' by the lack of a colon.
    name = f"app/{name}/50dc6c495c0c9188" if kind.service == "elbv2" else name
    arn = _arn_of(kind, name)
    parts = PARSER.parse(arn)
    assert (parts.service, parts.kind, parts.id) == (kind.service, kind.kind, name)
    assert parts.resource_type == kind.resource_type
    assert kind.id is not None or resource_id(arn, kind.kind) == parts.id


def _rows_of_the_data() -> Iterator[tuple[str, str]]:
    for namespace, rows in KNOWN["shapes"].items():
        for row in rows:
            yield namespace, row


@pytest.mark.parametrize(("namespace", "row"), list(_rows_of_the_data()))
def test_no_row_of_the_data_is_hidden_by_another(namespace: str, row: str) -> None:
    pattern, kind, client = [*row.split(), "", ""][:3]
    texts = {"{*}": "x1", "{/*}": "/x1/x2", "{#}": "7", "{kind}": "thing", "{kinds}": "things", "{account}": ""}
    resource = re.sub(r"\{[^}]*\}", lambda hole: texts.get(hole[0], "x0"), pattern.removeprefix("{account}:"))
    parts = PARSER.parse(f"arn:aws:{namespace}:us-east-1:111122223333:{resource}")
    last = [word for word in re.split("[/:]", pattern) if re.fullmatch(r"[\w-]+|\{kinds?\}", word)][-1:]
    expected = kind or last[0]
    assert parts.kind == {"{kind}": "thing", "{kinds}": "thing"}.get(expected, expected)
    assert parts.service == (client or KNOWN["services"].get(namespace, namespace))


def test_every_client_in_the_data_is_one_of_botocore() -> None:
    clients = set(botocore.session.get_session().get_available_services())
    named = {row.split()[2] for _, row in _rows_of_the_data() if len(row.split()) == 3}
    assert (named | set(KNOWN["services"].values())) - clients == set()


def test_the_formats_that_iam_documents_are_parsed_but_for_a_few() -> None:
    # The rest are collections ("/apis/x/routes"), and names that say more than the ARN ("rule-on-custom-event-bus").
    found = [(name, arn) for prefix in get_all_service_prefixes() for name, arn in _formats(prefix)]
    read = [(name, *_sample(arn)) for name, arn in dict.fromkeys(found)]
    parts = [(name, expected, PARSER.parse(arn)) for name, arn, expected in read]
    assert len(parts) > 2000
    assert sum(one.id == expected for _, expected, one in parts) / len(parts) > 0.965
    assert sum(_is_called(name, one.kind, type_word(one)) for name, _, one in parts) / len(parts) > 0.91


def _formats(prefix: str) -> Iterator[tuple[str, str]]:
    for name, arn in get_arn_types_for_service(prefix).items():
        if "${Vendor}" not in arn and re.search(r"[$*]", arn.split(":", 5)[5]):
            yield name, arn


def _is_called(name: str, *kinds: str) -> bool:
    called = _loosely(name)
    return any(_loosely(kind) in (called, called.removesuffix("s"), called.removesuffix("resource")) for kind in kinds)


def _sample(documented: str) -> tuple[str, str]:
    """An ARN of a documented format, and the id in it: the holes, each from the separator before it on."""
    _, _, namespace, region, account, resource = documented.split(":", 5)
    pieces = re.split(r"(\$\{[^}]*\}|\*)", resource)
    text = name = ""
    for place, (before, hole) in enumerate(zip(pieces[::2], pieces[1::2], strict=False)):
        value = f"{7 if 'Version' in hole and namespace in ('lambda', 'states') else 'n'}{place}"
        tail = re.sub(r".*(?=[/:])", "", before)
        text += before + value
        name += (tail if name else tail.lstrip("/:")) + value
    where = ("us-east-1" if region else "", "111122223333" if account else "")
    return ":".join(("arn", "aws", namespace, *where, text + pieces[-1])), name


def test_a_namespace_that_nobody_knows_is_not_given_the_name_as_its_type() -> None:
    def read(resource: str) -> tuple[str, str]:
        parts = PARSER.parse(f"arn:aws:newthing:us-east-1:111122223333:{resource}")
        return parts.kind, parts.id

    assert read("my-name") == (UNKNOWN, "my-name")
    assert read("widget/my-name/2") == ("widget", "my-name/2")
    assert read("widget:my-name:2") == ("widget", "my-name:2")
    assert read("/widgets/a/policies/b") == ("policy", "a/b")
    assert read("www.example.com/a") == (UNKNOWN, "www.example.com/a")
    assert read("web-20260101/a") == (UNKNOWN, "web-20260101/a")
    assert read("widget/") == (UNKNOWN, "widget/")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "arn",
        "arn:aws:s3",
        "arn:::::",
        "urn:aws:s3:::x",
        "arn:aws:ec2:us-east-1:1:",
        "arn:aws:ec2:us east:1:vpc/v",
        "arn:a\x1b:ec2:us-east-1:1:vpc/v",
        "arn:aws:\u00e9c2:us-east-1:1:vpc/v",
    ],
)
def test_text_that_is_no_arn_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="no ARN"):
        PARSER.parse(text)


@given(
    st.text()
    | st.tuples(st.sampled_from(sorted(KNOWN["shapes"])), st.text(alphabet=":/-.*a0{}\n\x00\x1b\ud7ff")).map(
        lambda pair: f"arn:aws:{pair[0]}:us-east-1:111122223333:{pair[1]}"
    )
)
def test_hostile_text_is_a_value_error_or_parts(text: str) -> None:
    try:
        parts = PARSER.parse(text)
    except ValueError:
        return
    assert parts.kind
    assert parts.id


@pytest.mark.parametrize("namespace", sorted(KNOWN["shapes"]))
def test_a_hundred_thousand_separators_are_read_in_one_pass(namespace: str) -> None:
    # With a pattern that tries again from every separator, this test does not end.
    for piece in (":", "/", "a:", "a/", "/a", ":7", "x/virtualRouter/", ":log-stream:"):
        for start in ("", *{row.split("{")[0] for row in KNOWN["shapes"][namespace]}):
            parts = PARSER.parse(f"arn:aws:{namespace}:us-east-1:111122223333:{start}{piece * 100_000}\n")
            assert len(parts.id) > 50_000


def test_a_resource_id_is_what_follows_the_kind() -> None:
    assert resource_id("arn:aws:ecs:us-east-1:111122223333:service/web/api", "service") == "web/api"
    assert resource_id("arn:aws:rds:us-east-1:111122223333:db:orders", "db") == "orders"
    assert resource_id("arn:aws:sns:us-east-1:111122223333:alerts", "topic") == "alerts"
