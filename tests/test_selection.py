"""What a snapshot says of the selection it was made under."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jsonschema
import orjson

from scanner.catalog import load_catalog
from scanner.catalog.digests import names_digest, type_digest
from scanner.fakeaws import FakeAws, Fleet
from scanner.formats.schema import schema_text
from tests.conftest import Bench

Start = Callable[..., FakeAws]


def _selection(bench: Bench, server: FakeAws, **settings: Any) -> dict[str, Any]:
    done = bench.here("scan", bench.profile(server.url, **settings), "--quiet")
    assert done.returncode == 0, done.stderr
    manifest = orjson.loads((bench.snapshot().path / "manifest.json").read_bytes())
    jsonschema.Draft202012Validator(orjson.loads(schema_text("manifest"))).validate(manifest)
    selection: dict[str, Any] = manifest["selection"]
    return selection


def test_a_manifest_says_which_types_were_asked_for_and_with_a_digest_of_how(bench: Bench, fake: Start) -> None:
    catalog = load_catalog()
    service = catalog.type_of("ecs", "service")
    assert _selection(bench, fake(Fleet(items=1)), services=["ecs:service"], enrich="none") == {
        "tags": [],
        "filters": {},
        "include_sensitive": False,
        "services": ["ecs:service"],
        "regions": ["us-east-1", "eu-west-1"],
        "collector": "auto",
        "all_services": False,
        "enrich": "none",
        "accounts": [{"id": "111122223333", "tags": None, "services": None, "regions": None, "types": None}],
        "types": {"ecs:service": type_digest(catalog, service)},
    }


def test_the_words_of_an_account_and_its_types_stand_beside_those_of_all(bench: Bench, fake: Start) -> None:
    other = {
        "id": "444455556666",
        "role_arn": "arn:aws:iam::444455556666:role/reader",
        "services": ["sns"],
        "regions": ["us-east-1"],
        "tags": {"Team": ["b", "a"]},
        "name": "other",
    }
    settings = {"services": ["sqs", "sns"], "tags": {"Environment": None}, "collector": "services"}
    found = _selection(bench, fake(Fleet(items=1)), accounts=[{"name": "one"}, other], **settings)
    assert found["tags"] == [{"keys": ["Environment"], "values": []}]
    assert list(found["types"]) == ["sns:topic", "sqs:queue"]
    assert found["accounts"] == [
        {"id": "111122223333", "tags": None, "services": None, "regions": None, "types": None},
        {
            "id": "444455556666",
            "tags": [{"keys": ["Team"], "values": ["a", "b"]}],
            "services": ["sns"],
            "regions": ["us-east-1"],
            "types": ["sns:topic"],
        },
    ]


def test_the_tagging_api_is_one_of_the_types(bench: Bench, fake: Start) -> None:
    found = _selection(bench, fake(Fleet(items=1)), services=["sqs", "iam"], tags={"Environment": "Production"})
    assert found["types"].keys() >= {"*", "iam:role"}
    assert "sqs:queue" not in found["types"]
    assert found["types"]["*"] == names_digest(load_catalog())


def test_a_type_has_another_digest_where_its_parent_is_listed_otherwise() -> None:
    catalog = load_catalog()
    changed = tuple(replace(one, where="x") if one.kind == "listener" else one for one in catalog.types)
    other = replace(catalog, version="other", types=changed)
    kinds = [(one, other.type_of(one.service, one.kind)) for one in catalog.types]
    differ = [one.kind for one, same in kinds if type_digest(catalog, one) != type_digest(other, same)]
    assert differ == ["listener", "listener-rule"]
