"""A diff never lies: what is called removed, added or changed surely is, and what nobody can know is called unknown."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.diff.changes import Change, Kind
from scanner.diff.result import Diff, diff
from scanner.diff.sources import open_source
from scanner.diff.values import differences
from scanner.errors import ProfileError
from scanner.store.shards import sort_key
from scanner.store.snapshots import Snapshot
from tests.builders import ACCOUNT, OTHER_ACCOUNT, account, cell, record, selection, write_snapshot

ONE, TWO = (record(resource_id=f"i-{number}") for number in (1, 2))


def snapshot(folder: Path, records: Iterable[dict[str, Any]], ledger: list[dict[str, Any]], **more: Any) -> Snapshot:
    """A snapshot with its records in order and a selection of what the ledger has."""
    chosen = more.pop("selected", {})
    accounts = more.pop("accounts", [account()])
    said = {**selection(ledger, accounts), **chosen}
    return write_snapshot(folder, sorted(records, key=sort_key), ledger, accounts, selection=said, **more)


def changes_of(found: Diff) -> list[Change]:
    return [change for kind in Kind for change in found.changes(kind)]


def compared(old: Snapshot | Path, new: Snapshot | Path) -> list[Change]:
    paths = [one.path if isinstance(one, Snapshot) else one for one in (old, new)]
    with diff(*(open_source(path) for path in paths)) as found:
        return changes_of(found)


def verdicts(changes: Iterable[Change]) -> list[tuple[str, str | None, list[str]]]:
    return [(str(one.kind), one.subject.resource_id, [reason.why for reason in one.reasons]) for one in changes]


def two(
    tmp_path: Path, old: tuple[list[dict[str, Any]], list[dict[str, Any]]], new: tuple[Any, Any], **both: Any
) -> list[Change]:
    return compared(snapshot(tmp_path / "old", *old, **both), snapshot(tmp_path / "new", *new, **both))


# One resource in one snapshot only


def test_a_resource_is_removed_or_added_where_its_type_was_listed_in_both(tmp_path: Path) -> None:
    found = two(tmp_path, ([ONE], [cell()]), ([TWO], [cell()]))
    assert verdicts(found) == [("removed", "i-1", []), ("added", "i-2", [])]


@pytest.mark.parametrize("answers", [("ok", "empty"), ("cached", "empty"), ("ok", "cached")])
def test_an_empty_and_a_cached_answer_are_answers(tmp_path: Path, answers: tuple[str, str]) -> None:
    found = two(tmp_path, ([ONE], [cell(outcome=answers[0])]), ([], [cell(outcome=answers[1])]))
    assert verdicts(found) == [("removed", "i-1", [])]


@pytest.mark.parametrize(
    "outcome",
    ["skipped", "not_available", "not_enabled", "region_disabled", "denied", "truncated", "interrupted", "lost"],
)
@pytest.mark.parametrize("gap_in", ["old", "new"])
def test_without_an_answer_in_either_scan_it_is_unknown_and_the_reason_is_named(
    tmp_path: Path, outcome: str, gap_in: str
) -> None:
    gap, answer = cell(outcome=outcome, code="Refused", message="by a test"), cell()
    ledgers = ([gap], [answer]) if gap_in == "old" else ([answer], [gap])
    found = two(tmp_path, ([ONE], ledgers[0]), ([TWO], ledgers[1]))
    assert verdicts(found) == [("unknown", "i-1", [outcome]), ("unknown", "i-2", [outcome])]
    assert {(reason.snapshot, reason.text) for one in found for reason in one.reasons} == {
        (gap_in, f"{ACCOUNT} eu-west-1 ec2:instance describe_instances: Refused: by a test")
    }


def test_an_expected_gap_is_still_no_proof(tmp_path: Path) -> None:
    found = two(tmp_path, ([ONE], [cell()]), ([], [cell(outcome="denied", expected=True)]))
    assert verdicts(found) == [("unknown", "i-1", ["denied"])]


def test_what_was_not_asked_is_unknown_by_account_region_and_type(tmp_path: Path) -> None:
    records = [
        record(resource_id="i-1"),
        record(resource_id="i-2", region="us-east-1"),
        record("sqs:queue", "q"),
        record(resource_id="i-3", account_id=OTHER_ACCOUNT),
    ]
    queue = {"call": "list_queues"}
    cells = [
        cell(),
        cell(region="us-east-1"),
        cell("sqs:queue", **queue),
        cell(account_id=OTHER_ACCOUNT),
    ]
    accounts = [account(), account(OTHER_ACCOUNT, "other")]
    old = snapshot(tmp_path / "old", records, cells, accounts=accounts)
    new = snapshot(tmp_path / "new", [], [cell()])
    texts = {one.subject.resource_id: [reason.text for reason in one.reasons] for one in compared(old, new)}
    assert texts == {
        "i-1": [],
        "i-2": [f"us-east-1 of account {ACCOUNT} was not scanned"],
        "q": [f"eu-west-1 of account {ACCOUNT} was not asked for sqs:queue"],
        "i-3": [f"account {OTHER_ACCOUNT} was not scanned"],
    }


def test_an_account_without_credentials_is_the_reason_itself(tmp_path: Path) -> None:
    old = snapshot(tmp_path / "old", [ONE], [cell()])
    shut = account(outcome="credentials", message="AccessDenied: no")
    door = cell("*", "credentials", region="*", service="sts", call="assume_role")
    new = snapshot(tmp_path / "new", [], [door], accounts=[shut], selected={"accounts": []})
    with diff(open_source(old.path), open_source(new.path)) as found:
        assert verdicts(changes_of(found)) == [("unknown", "i-1", ["credentials"])]
        assert f"account {ACCOUNT} was not scanned: AccessDenied: no" in [blind.text for blind in found.cells]


def test_a_parent_that_was_only_listed_for_its_children_proves_nothing_of_itself(tmp_path: Path) -> None:
    # The ledger of a scan of ecs:service has cells of ecs:cluster, but no record of a cluster is written.
    clusters = [cell("ecs:cluster", call="list_clusters"), cell("ecs:cluster", call="describe_clusters")]
    services = [cell("ecs:service", call="list_services"), cell("ecs:service", call="describe_services")]
    old = snapshot(tmp_path / "old", [record("ecs:cluster", "c")], clusters + services)
    only = {"types": {"ecs:service": selection(services)["types"]["ecs:service"]}}
    new = snapshot(tmp_path / "new", [], clusters + services, selected=only)
    assert verdicts(compared(old, new)) == [("unknown", "c", ["not_asked"])]


def test_a_gap_above_is_a_gap_of_the_children(tmp_path: Path) -> None:
    services = [cell("ecs:service", call="list_services"), cell("ecs:service", call="describe_services")]
    clusters = [cell("ecs:cluster", call="list_clusters"), cell("ecs:cluster", call="describe_clusters")]
    gap = cell("ecs:cluster", "truncated", call="describe_clusters")
    found = two(tmp_path, ([record("ecs:service", "s")], services + clusters), ([], [*services, clusters[0], gap]))
    assert verdicts(found) == [("unknown", "s", ["truncated"])]


def test_a_lost_describe_call_may_hide_a_resource_but_a_lost_extra_does_not(tmp_path: Path) -> None:
    listed = cell("ecs:cluster", call="list_clusters")
    described = [cell("ecs:cluster", outcome, call="describe_clusters") for outcome in ("ok", "denied")]
    one = record("ecs:cluster", "c")
    hidden = two(tmp_path / "1", ([one], [listed, described[0]]), ([], [listed, described[1]]))
    assert verdicts(hidden) == [("unknown", "c", ["denied"])]
    buckets = [cell("s3:bucket", call="list_buckets"), cell("s3:bucket", "denied", call="get_bucket_policy")]
    seen = two(tmp_path / "2", ([record("s3:bucket", "b")], buckets), ([], buckets))
    assert verdicts(seen) == [("removed", "b", [])]


def test_under_a_tag_filter_unread_tags_may_hide_a_resource(tmp_path: Path) -> None:
    buckets = [cell("s3:bucket", call="list_buckets"), cell("s3:bucket", "denied", call="get_bucket_tagging")]
    tags = {"selected": {"tags": [{"keys": ["Team"], "values": []}]}}
    found = two(tmp_path, ([record("s3:bucket", "b")], buckets), ([], buckets), **tags)
    assert verdicts(found) == [("unknown", "b", ["denied", "denied"])]


def test_under_a_tag_filter_a_removal_says_that_it_may_be_the_tags(tmp_path: Path) -> None:
    tags = {"selected": {"tags": [{"keys": ["Team"], "values": []}]}}
    found = two(tmp_path, ([ONE], [cell()]), ([TWO], [cell()]), **tags)
    assert [(one.kind, one.note) for one in found] == [
        ("removed", "deleted, or its tags no longer pass the filter"),
        ("added", "created, or its tags pass the filter since then"),
    ]


def test_a_type_whose_catalog_entry_is_another_one_proves_nothing(tmp_path: Path) -> None:
    old = snapshot(tmp_path / "old", [ONE], [cell()], selected={"types": {"ec2:instance": "a" * 12}})
    new = snapshot(tmp_path / "new", [TWO], [cell()])
    assert verdicts(compared(old, new)) == [
        ("unknown", "i-1", ["other_catalog"]),
        ("unknown", "i-2", ["other_catalog"]),
    ]


def test_of_a_type_that_the_catalog_no_longer_has_every_cell_must_be_answered(tmp_path: Path) -> None:
    cells = [cell("old:thing", call="list_things"), cell("old:thing", call="describe_things")]
    gone = [cells[0], cell("old:thing", "denied", call="describe_things")]
    thing = record("old:thing", "t")
    assert verdicts(two(tmp_path / "1", ([thing], cells), ([], cells))) == [("removed", "t", [])]
    assert verdicts(two(tmp_path / "2", ([thing], cells), ([], gone))) == [("unknown", "t", ["denied"])]


def test_a_cached_answer_that_is_older_than_the_other_scans_proves_nothing(tmp_path: Path) -> None:
    younger = cell(seen_at="2026-03-01T10:05:00Z")
    cached = cell(outcome="cached", seen_at="2026-03-01T10:00:00Z")
    found = two(tmp_path, ([ONE], [younger]), ([TWO], [cached]))
    assert verdicts(found) == [("unknown", "i-1", ["older_answer"]), ("unknown", "i-2", ["older_answer"])]


def test_an_answer_that_began_before_the_other_scans_end_may_be_the_older_one(tmp_path: Path) -> None:
    def at(folder: str, seen_at: str, found: dict[str, Any]) -> Snapshot:
        return snapshot(tmp_path / folder, [found], [cell(seen_at=f"2026-03-01T10:{seen_at}Z")])

    old = at("old", "00:00", ONE)  # the builder's scans end at 10:01:05
    assert verdicts(compared(old, at("within", "01:00", TWO)))[0] == ("unknown", "i-1", ["older_answer"])
    assert verdicts(compared(old, at("after", "01:05", TWO)))[0] == ("removed", "i-1", [])
    assert verdicts(compared(old, at("same", "00:00", TWO)))[0] == ("removed", "i-1", [])


def test_the_earlier_snapshot_may_stand_second_if_the_diff_says_so(tmp_path: Path) -> None:
    first = snapshot(tmp_path / "a", [ONE], [cell(seen_at="2026-03-01T10:00:00Z")], started_at="2026-03-01T10:00:00Z")
    later = snapshot(tmp_path / "b", [], [cell(seen_at="2026-03-01T11:00:00Z")], started_at="2026-03-01T11:00:00Z")
    with diff(open_source(later.path), open_source(first.path)) as found:
        assert verdicts(changes_of(found)) == [("added", "i-1", [])]
        assert [note.partition(": ")[2] for note in found.notes] == ["what is called added is in the earlier one"]


# The tagging API

TAGGED = {"sources": ["tagging"], "tags": {"Team": "a"}, "configuration": None, "ownership": None}


def swept(region: str = "eu-west-1", outcome: str = "ok", **more: Any) -> dict[str, Any]:
    return cell("*", outcome, region=region, service="resourcegroupstaggingapi", call="get_resources", **more)


def test_a_tagged_resource_that_the_tagging_api_no_longer_lists_is_gone_or_untagged(tmp_path: Path) -> None:
    thing = record("mq:broker", "b", **TAGGED)
    gone = two(tmp_path / "1", ([thing], [swept()]), ([], [swept()]))
    assert [(one.kind, one.note) for one in gone] == [("removed", "deleted, or its last tag was taken away")]
    come = two(tmp_path / "2", ([], [swept()]), ([thing], [swept()]))
    assert [(one.kind, one.note) for one in come] == [("added", "created, or tagged for the first time")]


def test_an_untagged_resource_that_the_tagging_api_no_longer_lists_is_unknown(tmp_path: Path) -> None:
    thing = record("mq:broker", "b", **{**TAGGED, "tags": {}})
    assert verdicts(two(tmp_path, ([thing], [swept()]), ([], [swept()]))) == [("unknown", "b", ["untagged"])]


def test_a_global_resource_is_proved_gone_only_by_every_region_that_might_tell_of_it(tmp_path: Path) -> None:
    thing = record("cloudfront:distribution", "d", region="global", **TAGGED)
    home = swept("us-east-1")
    assert verdicts(two(tmp_path / "1", ([thing], [home, swept()]), ([], [home, swept()]))) == [("removed", "d", [])]
    found = two(tmp_path / "2", ([thing], [home, swept()]), ([], [swept()]))
    assert verdicts(found) == [("unknown", "d", ["not_asked"])]
    found = two(tmp_path / "3", ([thing], [home, swept()]), ([], [swept("us-east-1", "throttled"), swept()]))
    assert verdicts(found) == [("unknown", "d", ["throttled"])]


def test_the_tagging_api_asked_for_other_services_proves_nothing(tmp_path: Path) -> None:
    old = snapshot(tmp_path / "old", [record("mq:broker", "b", **TAGGED)], [swept()])
    new = snapshot(tmp_path / "new", [], [swept()], selected={"services": ["ec2"]})
    assert verdicts(compared(old, new)) == [("unknown", "b", ["other_services"])]


def test_a_catalog_that_gives_other_types_to_arns_proves_nothing_of_the_tagging_api(tmp_path: Path) -> None:
    old = snapshot(
        tmp_path / "old", [record("mq:broker", "b", **TAGGED)], [swept()], selected={"types": {"*": "a" * 12}}
    )
    new = snapshot(tmp_path / "new", [record("mq:server", "b", **TAGGED)], [swept()])
    found = compared(old, new)
    assert verdicts(found) == [("unknown", "b", ["other_catalog"]), ("unknown", "b", ["other_catalog"])]


def test_one_collector_does_not_prove_what_the_other_saw(tmp_path: Path) -> None:
    by_service, by_tags = record(resource_id="i-1"), record(resource_id="i-1", **TAGGED)
    found = two(tmp_path / "1", ([by_service], [cell()]), ([], [swept()]))
    assert verdicts(found) == [("unknown", "i-1", ["not_asked"])]
    found = two(tmp_path / "2", ([by_tags], [swept()]), ([], [cell()]))
    assert verdicts(found) == [("unknown", "i-1", ["not_asked"])]


def test_a_resource_of_the_tagging_api_that_its_own_service_does_not_list_is_unknown(tmp_path: Path) -> None:
    ledger = [cell(), swept()]
    found = two(tmp_path, ([record(resource_id="i-1", **TAGGED)], ledger), ([], ledger))
    assert verdicts(found) == [("unknown", "i-1", ["tagging_alone"])]


def test_the_service_decides_where_both_collectors_were_asked(tmp_path: Path) -> None:
    one = record(resource_id="i-1", sources=["services", "tagging"], tags={"Team": "a"})
    found = two(tmp_path, ([one], [cell(), swept()]), ([], [cell(outcome="denied"), swept()]))
    assert verdicts(found) == [("unknown", "i-1", ["denied"])]


def test_the_same_arn_is_the_same_resource_whichever_region_a_collector_names(tmp_path: Path) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:role/r"
    one = record("iam:role", "r", resource_arn=arn, region="global", tags={"Team": "a"})
    other = {**one, **TAGGED, "region": "us-east-1"}
    found = two(
        tmp_path, ([one], [cell("iam:role", region="global", call="list_roles")]), ([other], [swept("us-east-1")])
    )
    assert verdicts(found) == [("unknown", "r", ["not_asked"])]
    assert [field.path for field in found[0].fields] == ["configuration"]


# One resource in both snapshots


def changed_fields(changes: Iterable[Change]) -> list[tuple[str, str, str | None, str | None]]:
    return [(str(one.kind), field.path, field.old, field.new) for one in changes for field in one.fields]


def test_a_changed_resource_names_its_fields_with_both_values(tmp_path: Path) -> None:
    old = record(
        state="running", tags={"Team": "a", "k8s.io/x": "1"}, configuration={"Type": "t3", "Net": [{"Port": 1}]}
    )
    new = record(state="stopped", tags={"Team": "b"}, configuration={"Type": "t3", "Net": [{"Port": 2}], "Key": None})
    assert changed_fields(two(tmp_path, ([old], [cell()]), ([new], [cell()]))) == [
        ("changed", "tags.Team", "a", "b"),
        ("changed", 'tags["k8s.io/x"]', "1", None),
        ("changed", "state", "running", "stopped"),
        ("changed", "configuration.Key", None, "null"),
        ("changed", "configuration.Net[0].Port", "1", "2"),
    ]


def test_a_bucket_of_the_same_name_in_another_region_is_a_change(tmp_path: Path) -> None:
    arn = "arn:aws:s3:::b"
    cells = [cell("s3:bucket", call="list_buckets", region=region) for region in ("eu-west-1", "us-east-1")]
    old, new = (
        record("s3:bucket", "b", resource_arn=arn, region=region, resource_name="b")
        for region in ("eu-west-1", "us-east-1")
    )
    found = two(tmp_path, ([old], cells), ([new], cells))
    assert changed_fields(found) == [("changed", "region", "eu-west-1", "us-east-1")]


def test_what_a_scan_says_of_itself_is_no_change(tmp_path: Path) -> None:
    one = record()
    other = {**one, "account_name": "renamed", "sources": ["services", "tagging"], "fingerprint": "f" * 64}
    assert two(tmp_path, ([one], [cell()]), ([other], [cell()])) == []


def test_a_tag_is_told_once_though_it_stands_in_three_places(tmp_path: Path) -> None:
    old, new = (
        record(resource_name=name, tags={"Name": name}, configuration={"Tags": [{"Key": "Name", "Value": name}]})
        for name in ("web", "api")
    )
    found = two(tmp_path, ([old], [cell()]), ([new], [cell()]))
    assert changed_fields(found) == [("changed", "tags.Name", "web", "api")]


def _buckets(**outcomes: str) -> list[dict[str, Any]]:
    calls = ("list_buckets", "get_bucket_tagging", "get_bucket_policy")
    return [cell("s3:bucket", outcomes.get(call, "ok"), call=call) for call in calls]


@pytest.mark.parametrize("outcome", ["denied", "skipped"])
def test_an_enrichment_that_was_not_read_is_unknown_and_not_a_change(tmp_path: Path, outcome: str) -> None:
    old = record("s3:bucket", "b", configuration={"Name": "b", "policy": "{}"}, tags={"Team": "a"})
    new = {**old, "configuration": {"Name": "b"}, "tags": None, "resource_name": None}
    gaps = _buckets(get_bucket_policy=outcome, get_bucket_tagging=outcome)
    found = two(tmp_path, ([old], _buckets()), ([new], gaps))
    assert verdicts(found) == [("unknown", "b", [outcome, outcome])]
    assert changed_fields(found) == [
        ("unknown", "tags", '{"Team":"a"}', "null"),
        ("unknown", "configuration.policy", "{}", None),
    ]


def test_what_surely_changed_stands_beside_what_is_unknown(tmp_path: Path) -> None:
    old = record("s3:bucket", "b", configuration={"Name": "b", "policy": "{}", "versioning": None})
    new = {**old, "configuration": {"Name": "b", "versioning": {"Status": "Enabled"}}}
    found = two(tmp_path, ([old], _buckets()), ([new], _buckets(get_bucket_policy="throttled")))
    assert changed_fields(found) == [
        ("unknown", "configuration.policy", "{}", None),
        ("changed", "configuration.versioning", "null", '{"Status":"Enabled"}'),
    ]


def test_a_name_that_comes_from_unread_tags_is_not_gone(tmp_path: Path) -> None:
    old = record("s3:bucket", "b", resource_name="web", tags={"Name": "web"})
    new = {**old, "resource_name": None, "tags": None}
    found = two(tmp_path, ([old], _buckets()), ([new], _buckets(get_bucket_tagging="denied")))
    assert changed_fields(found) == [("unknown", "tags", '{"Name":"web"}', "null")]


def test_a_describe_call_of_its_own_that_failed_makes_the_rest_unknown(tmp_path: Path) -> None:
    cells = [
        [cell("dynamodb:table", call="list_tables"), cell("dynamodb:table", out, call="describe_table")]
        for out in ("ok", "denied")
    ]
    old = record("dynamodb:table", "t", configuration={"item": "t", "Size": 5}, created_at="2026-01-01T00:00:00Z")
    new = {**old, "configuration": {"item": "t"}, "created_at": None}
    found = two(tmp_path, ([old], cells[0]), ([new], cells[1]))
    assert verdicts(found) == [("unknown", "t", ["denied"])]
    assert [field.path for field in found[0].fields] == ["created_at", "configuration.Size"]


def test_a_resource_of_which_only_the_tags_were_read_is_unknown_beyond_them(tmp_path: Path) -> None:
    old = record(sources=["services", "tagging"], tags={"Team": "a"}, configuration={"Type": "t3"}, state="running")
    new = {**old, "sources": ["tagging"], "tags": {"Team": "b"}, "configuration": None, "state": None}
    found = two(tmp_path, ([old], [cell(), swept()]), ([new], [cell(outcome="denied"), swept()]))
    assert verdicts(found) == [("unknown", old["resource_id"], ["denied"]), ("changed", old["resource_id"], [])]
    assert [field.path for one in found for field in one.fields] == ["configuration", "tags.Team"]


def test_a_field_that_only_one_botocore_reads_is_unknown(tmp_path: Path) -> None:
    versions = dict.fromkeys(("aws-scanner", "boto3", "botocore", "python", "catalog"), "1.2.3")
    old = snapshot(tmp_path / "old", [record(configuration={"Type": "t3"})], [cell()])
    new = snapshot(
        tmp_path / "new",
        [record(configuration={"Type": "t4", "New": True})],
        [cell()],
        versions={**versions, "botocore": "1.3.0"},
    )
    assert changed_fields(compared(old, new)) == [
        ("unknown", "configuration.New", None, "true"),
        ("changed", "configuration.Type", "t3", "t4"),
    ]


def test_values_are_shortened_and_fields_are_cut_off_at_50(tmp_path: Path) -> None:
    old, new = (record(configuration={f"f{at:03}": mark * 500 for at in range(60)}) for mark in "ab")
    (change,) = two(tmp_path, ([old], [cell()]), ([new], [cell()]))
    assert (len(change.fields), change.more_fields) == (50, 10)
    assert change.fields[0].old == "a" * 99 + "…"


def test_lists_are_compared_by_place_and_another_order_is_called_that() -> None:
    assert [one.path for one in differences("x", [1, {"a": 2}], [1, {"a": 3}])] == ["x[1].a"]
    assert [(one.path, one.new) for one in differences("x", [1, 2], [2, 1])] == [
        ("x", "the same elements in another order")
    ]
    assert [(one.old, one.new) for one in differences("x", [1], [1, 2])] == [("[1]", "[1,2]")]


# A property: two worlds, scanned with random gaps, and the truth to compare with

TYPES = {
    "ec2:instance": ("describe_instances",),
    "sqs:queue": ("list_queues",),
    "ecs:cluster": ("list_clusters", "describe_clusters"),
    "ecs:service": ("list_services", "describe_services"),
}
REGIONS = ("eu-west-1", "us-east-1")
OUTCOMES = st.sampled_from(["ok", "ok", "ok", "cached", "empty", "denied", "truncated", "interrupted", "not_enabled"])
THINGS = [(name, region, number) for name in TYPES for region in REGIONS for number in range(2)]


@st.composite
def worlds(draw: st.DrawFn) -> dict[tuple[str, str, int], dict[str, str]]:
    """What exists: for each thing its tags (never tagged: None)."""
    there = draw(st.sets(st.sampled_from(THINGS)))
    tags = st.sampled_from([{}, {"Team": "a"}, {"Team": "b"}])
    return {thing: draw(tags) for thing in sorted(there)}


@st.composite
def scans(draw: st.DrawFn) -> dict[str, Any]:
    """How a scan went: what was asked, and how every cell ended."""
    collectors = draw(st.sampled_from([("services",), ("tagging",), ("services", "tagging")]))
    types = draw(st.sets(st.sampled_from(sorted(TYPES)), min_size=1))
    regions = draw(st.sets(st.sampled_from(REGIONS), min_size=1))
    cells = {(name, region, call): draw(OUTCOMES) for name in TYPES for region in REGIONS for call in TYPES[name]}
    sweeps = {region: draw(OUTCOMES) for region in REGIONS}
    lost = draw(st.sets(st.sampled_from(THINGS)))
    return {
        "collectors": collectors,
        "types": types,
        "regions": regions,
        "cells": cells,
        "sweeps": sweeps,
        "lost": lost,
    }


GOOD = ("ok", "cached", "empty")


def scanned(folder: Path, world: dict[tuple[str, str, int], dict[str, str]], scan: dict[str, Any]) -> Snapshot:
    """The snapshot that such a scan of such a world would have left: with a gap, some of what is there is missing."""
    ledger, found = [], {}
    services, listed = "services" in scan["collectors"], set(scan["types"])
    listed |= {"ecs:cluster"} if "ecs:service" in listed else set()
    for name, region, call in scan["cells"] if services else ():
        if name in listed and region in scan["regions"]:
            ledger.append(cell(name, scan["cells"][name, region, call], region=region, call=call))
    whole = {
        (name, region): all(
            one["outcome"] in GOOD for one in ledger if (one["resource_type"], one["region"]) == (name, region)
        )
        for name in TYPES
        for region in REGIONS
    }
    for (name, region, number), tags in world.items():
        if services and name in scan["types"] and region in scan["regions"]:
            above = whole["ecs:cluster", region] if name == "ecs:service" else True
            if (whole[name, region] and above) or (name, region, number) not in scan["lost"]:
                found[name, region, number] = record(name, f"{number}", region=region, tags=tags)
    for region in sorted(scan["regions"]) if "tagging" in scan["collectors"] else ():
        ledger.append(swept(region, scan["sweeps"][region]))
        for (name, where, number), tags in world.items():
            told = scan["sweeps"][region] in GOOD or (name, where, number) not in scan["lost"]
            if where == region and tags and told and (name, where, number) not in found:
                found[name, where, number] = record(name, f"{number}", region=region, **{**TAGGED, "tags": tags})
    asked = {**selection(ledger, [account()])["types"]}
    names = {name: digest for name, digest in asked.items() if name == "*" or name in scan["types"]}
    words = ["*"]
    return snapshot(folder, found.values(), ledger, selected={"types": names, "services": words})


@settings(max_examples=200, deadline=None)
@given(before=worlds(), after=worlds(), first=scans(), second=scans())
def test_no_verdict_is_ever_wrong_whatever_gaps_there_are(
    before: dict[Any, Any], after: dict[Any, Any], first: dict[str, Any], second: dict[str, Any]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        old, new = scanned(Path(folder) / "a", before, first), scanned(Path(folder) / "b", after, second)
        found = compared(old, new)
    for one in found:
        thing = (one.subject.resource_type, one.subject.region, int(one.subject.resource_id or ""))
        if one.kind is Kind.REMOVED:
            assert not after.get(thing), one
            assert _listed(old, one)
            assert _listed(new, one)
        if one.kind is Kind.ADDED:
            assert not before.get(thing), one
            assert _listed(old, one)
            assert _listed(new, one)
        if one.note == "" and one.kind in (Kind.REMOVED, Kind.ADDED):
            assert thing not in (after if one.kind is Kind.REMOVED else before), one
        if one.kind is Kind.CHANGED:
            assert before[thing] != after[thing], one


def _listed(one: Snapshot, change: Change) -> bool:
    """Whether the cell that lists it, by its own service or by the tagging API, was answered."""
    ledger = [line for line in one.manifest["ledger"] if line["region"] == change.subject.region]
    name = change.subject.resource_type
    own = [line for line in ledger if line["resource_type"] == name and line["call"] == TYPES[name][0]]
    own = own if name in one.manifest["selection"]["types"] else []
    cells = own or [line for line in ledger if line["call"] == "get_resources"]
    return bool(cells) and all(line["outcome"] in GOOD for line in cells)


@settings(max_examples=50, deadline=None)
@given(world=worlds(), scan=scans())
def test_a_snapshot_compared_with_itself_has_no_change(world: dict[Any, Any], scan: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        one = scanned(Path(folder) / "a", world, scan)
        with diff(open_source(one.path), open_source(one.path)) as found:
            assert changes_of(found) == []
            assert found.totals.unchanged == one.manifest["totals"]["resources"]
            assert found.has_unknown == any(line["gap"] and not line["expected"] for line in _asked_cells(one))


def _asked_cells(one: Snapshot) -> list[dict[str, Any]]:
    types = one.manifest["selection"]["types"]
    return [line for line in one.manifest["ledger"] if line["resource_type"] in types]


@settings(max_examples=50, deadline=None)
@given(before=worlds(), after=worlds())
def test_where_everything_was_answered_nothing_is_unknown_and_nothing_is_missed(
    before: dict[Any, Any], after: dict[Any, Any]
) -> None:
    everything = {
        "collectors": ("services",),
        "types": set(TYPES),
        "regions": set(REGIONS),
        "cells": {(name, region, call): "ok" for name in TYPES for region in REGIONS for call in TYPES[name]},
        "lost": set(),
    }
    with tempfile.TemporaryDirectory() as folder:
        found = compared(
            scanned(Path(folder) / "a", before, everything), scanned(Path(folder) / "b", after, everything)
        )
    told = {
        (str(one.kind), one.subject.resource_type, one.subject.region, int(one.subject.resource_id or ""))
        for one in found
    }
    assert told == (
        {("removed", *thing) for thing in before.keys() - after.keys()}
        | {("added", *thing) for thing in after.keys() - before.keys()}
        | {("changed", *thing) for thing in before.keys() & after.keys() if before[thing] != after[thing]}
    )


# Cells that cannot be compared


def test_a_cell_that_was_denied_twice_is_unknown_though_nothing_was_seen(tmp_path: Path) -> None:
    cells = [cell(), cell(outcome="denied", region="us-east-1"), cell(outcome="denied", region="us-west-2")]
    old, new = (snapshot(tmp_path / name, [ONE], cells) for name in ("old", "new"))
    with diff(open_source(old.path), open_source(new.path)) as found:
        assert changes_of(found) == []
        assert [(one.snapshot, one.why, one.text, one.cells) for one in found.cells] == [
            (side, "denied", f"{ACCOUNT} us-east-1, us-west-2 ec2:instance describe_instances", 2)
            for side in ("new", "old")
        ]
        assert found.exit_code(fail_on_change=False) == 3


def test_expected_gaps_and_the_same_kind_of_no_answer_twice_can_be_compared(tmp_path: Path) -> None:
    cells = [cell(), cell("ec2:volume", "not_available", call="describe_volumes")]
    cells.append(cell("sqs:queue", "denied", call="list_queues", expected=True))
    old, new = (snapshot(tmp_path / name, [ONE], cells) for name in ("old", "new"))
    with diff(open_source(old.path), open_source(new.path)) as found:
        assert found.cells == ()
        assert found.exit_code(fail_on_change=True) == 0


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (cell("sqs:queue", "denied", call="list_queues", expected=True), []),
        (cell("sqs:queue", "not_enabled", call="list_queues"), ["not_enabled"]),
    ],
)
def test_an_answer_that_is_none_any_more_is_told_unless_the_profile_expects_it(
    tmp_path: Path, now: dict[str, Any], said: list[str]
) -> None:
    old = snapshot(tmp_path / "old", [], [cell("sqs:queue", "empty", call="list_queues")])
    new = snapshot(tmp_path / "new", [], [now])
    with diff(open_source(old.path), open_source(new.path)) as found:
        assert [one.why for one in found.cells] == said


def test_a_region_that_one_scan_did_not_ask_is_told_in_one_line(tmp_path: Path) -> None:
    there = [cell(region="us-east-1"), cell("ec2:volume", region="us-east-1", call="describe_volumes")]
    old = snapshot(tmp_path / "old", [], [cell(), cell("ec2:volume", call="describe_volumes"), *there])
    new = snapshot(tmp_path / "new", [], [cell(), cell("ec2:volume", call="describe_volumes")])
    with diff(open_source(old.path), open_source(new.path)) as found:
        said = [(one.snapshot, one.why, one.text, one.cells) for one in found.cells]
    assert said == [("new", "not_asked", f"us-east-1 of account {ACCOUNT} was not scanned", 2)]


# Filters


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            {},
            {"tags": [{"keys": ["Team"], "values": ["a", "b"]}]},
            "tag filters of account {} were none and are Team=a|b",
        ),
        ({"filters": {"state": ["running"]}}, {}, 'record filters were {{"state":["running"]}} and are none'),
    ],
)
def test_snapshots_of_different_filters_are_refused_with_what_differs(
    tmp_path: Path, old: dict[str, Any], new: dict[str, Any], said: str
) -> None:
    one = snapshot(tmp_path / "old", [ONE], [cell()], selected=old)
    other = snapshot(tmp_path / "new", [ONE], [cell()], selected=new)
    with pytest.raises(ProfileError) as caught:
        compared(one, other)
    assert str(caught.value) == f"{one.path} and {other.path} cannot be compared: {said.format(ACCOUNT)}"


def test_the_filter_that_holds_for_an_account_counts_wherever_it_is_written(tmp_path: Path) -> None:
    tags = [{"keys": ["Team"], "values": []}]
    own = {"id": ACCOUNT, "tags": tags, "services": None, "regions": None, "types": None}
    old = snapshot(tmp_path / "old", [ONE], [cell()], selected={"tags": tags})
    new = snapshot(tmp_path / "new", [ONE], [cell()], selected={"accounts": [own]})
    assert compared(old, new) == []
