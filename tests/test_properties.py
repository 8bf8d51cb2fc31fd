"""Properties that hold for any text: ARNs, globs, tag filters, paths, and text on its way to a terminal or a file."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import jmespath
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from rich.cells import cell_len

from scanner.aws.outcomes import one_line
from scanner.catalog import load_catalog
from scanner.catalog.arns import ArnParser
from scanner.catalog.strict_yaml import YamlProblem, load_marked
from scanner.collectors.filters import GLOB, matcher, server_side
from scanner.collectors.values import getter, scrubber
from scanner.errors import SnapshotError
from scanner.formats.text import harmless_json, printable
from scanner.model import TagFilter
from scanner.profile import Profile
from scanner.store.snapshots import load_snapshot

same_every_time = settings(max_examples=80, deadline=None, derandomize=True, database=None)

TEXT = st.text(
    st.one_of(
        st.sampled_from("=+-@|<>&\\`\"'/.:*?[]!{}\t\r\n\x00\x1b\x9b\u202e\u200b\ufeff"), st.characters(codec="utf-8")
    )
)
WORD = st.text(st.sampled_from("abcXYZ019._-"), min_size=1, max_size=12)
PARSER = ArnParser(load_catalog().types)
SHAPES = [
    kind
    for kind in load_catalog().types
    if kind.shape.count("{")
    == kind.shape.count("{id}") + sum(kind.shape.count(hole) for hole in ("{partition}", "{region}", "{account}"))
]


# ARNs


@same_every_time
@given(TEXT)
def test_any_text_is_an_arn_of_parts_or_a_value_error(text: str) -> None:
    for arn in (text, f"arn:aws:ec2:eu-west-1:111122223333:{text}", f"arn:{text}"):
        try:
            parts = PARSER.parse(arn)
        except ValueError:
            continue
        assert [parts.partition, parts.namespace, parts.region, parts.account] == arn.split(":", 5)[1:5]
        assert parts.kind
        assert set(parts.id) <= set(arn)


@same_every_time
@given(
    st.sampled_from(SHAPES), WORD, st.sampled_from(["eu-west-1", "us-gov-west-1"]), st.sampled_from(["aws", "aws-cn"])
)
def test_an_arn_made_of_the_catalogs_shape_is_read_back(kind: Any, word: str, region: str, partition: str) -> None:
    filled = {"{partition}": partition, "{region}": region, "{account}": "111122223333", "{id}": f"x{word}"}
    arn = kind.shape
    for hole, value in filled.items():
        arn = arn.replace(hole, value)
    parts = PARSER.parse(arn)
    assert (parts.resource_type, parts.id, parts.partition) == (kind.resource_type, f"x{word}", partition)


# Globs and tag filters

PATTERN = st.text(st.sampled_from("ab*?[]!-\n."), max_size=8)
TAG = st.text(st.sampled_from("ab-\n."), max_size=4)
TAGS = st.dictionaries(TAG, TAG, max_size=4)
FILTER = st.builds(TagFilter, st.lists(PATTERN, max_size=3).map(tuple), st.lists(PATTERN, max_size=3).map(tuple))


@same_every_time
@given(PATTERN, TAG)
def test_a_glob_is_fnmatchs_and_a_plain_word_is_itself_alone(pattern: str, text: str) -> None:
    fits = matcher((TagFilter((pattern,), ()),))({text: ""})
    assert fits is fnmatchcase(text, pattern)
    if not GLOB.search(pattern):
        assert fits is (text == pattern)
    assert matcher((TagFilter(("*",), ("*",)),))({text: pattern})


@same_every_time
@given(st.lists(FILTER, max_size=3).map(tuple), TAGS)
def test_filters_are_joined_by_and_and_what_is_inside_one_by_or(
    filters: tuple[TagFilter, ...], tags: dict[str, str]
) -> None:
    def fits(one: TagFilter, key: str, value: str) -> bool:
        keys, values = one.keys or ("*",), one.values or ("*",)
        return any(fnmatchcase(key, glob) for glob in keys) and any(fnmatchcase(value, glob) for glob in values)

    assert matcher(filters)(tags) is all(any(fits(one, *tag) for tag in tags.items()) for one in filters)
    assert all(matcher((one,))(tags) for one in filters) is matcher(filters)(tags)


def _as_aws_does(asked: list[dict[str, Any]], tags: dict[str, str]) -> bool:
    """GetResources: each filter's key must be there, with one of its values, or any where it names none."""
    return all(one["Key"] in tags and (not one["Values"] or tags[one["Key"]] in one["Values"]) for one in asked)


@same_every_time
@given(st.lists(FILTER, max_size=3).map(tuple), TAGS)
def test_what_the_service_filters_keeps_all_that_the_client_would(
    filters: tuple[TagFilter, ...], tags: dict[str, str]
) -> None:
    asked = server_side(filters)
    if matcher(filters)(tags):
        assert _as_aws_does(asked, tags)


@same_every_time
@given(
    st.dictionaries(WORD, st.lists(WORD, max_size=3), max_size=3), st.dictionaries(WORD, WORD, max_size=3), st.data()
)
def test_exact_filters_mean_the_same_on_both_sides(
    wanted: dict[str, list[str]], tags: dict[str, str], data: Any
) -> None:
    for key in data.draw(st.sets(st.sampled_from(sorted(wanted) or ["-"]))):
        tags[key] = data.draw(st.sampled_from([*wanted.get(key, []), "other"]))
    filters = tuple(TagFilter((key,), tuple(values)) for key, values in wanted.items())
    assert len(server_side(filters)) == len(filters)
    assert matcher(filters)(tags) is _as_aws_does(server_side(filters), tags)


# Paths


@same_every_time
@given(st.one_of(TEXT, st.sampled_from(["..", ".", "../x", "/etc", "a/../../b", "a\x00b", "x" * 300, "~", "-rf"])))
def test_a_profiles_name_is_one_step_below_the_reports_or_refused(name: str) -> None:
    root = Path("/srv/reports")
    try:
        shown = Profile(name=name).name
    except ValidationError:
        return
    assert (root / shown).resolve().parent == root
    assert len(shown) <= 64
    assert printable(shown) == shown


@same_every_time
@given(text=TEXT)
def test_latest_leads_to_a_folder_beside_it_or_nowhere(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / "latest").write_bytes(text.encode("utf-8", "replace"))
    with pytest.raises(SnapshotError) as refused:
        load_snapshot(folder)
    assert printable(str(refused.value)) == str(refused.value)


# Text


@same_every_time
@given(st.one_of(TEXT, st.dictionaries(TEXT, TEXT), st.lists(TEXT)))
def test_harmless_json_is_the_same_json_with_nothing_invisible_in_it(value: Any) -> None:
    line = harmless_json(orjson.dumps(value))
    assert orjson.loads(line) == value
    assert printable(line.decode()) == line.decode()


@same_every_time
@given(TEXT)
def test_printed_text_is_one_line_whose_width_a_terminal_agrees_on(text: str) -> None:
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    assert cell_len(shown) <= 2 * len(shown)
    assert not any(ord(one) < 32 or 127 <= ord(one) < 160 for one in shown)


@same_every_time
@given(TEXT, st.sampled_from(["AKIA" + "Q7" * 8, "A" * 43 + "=", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"]), TEXT)
def test_an_errors_line_is_short_and_has_no_key_in_it(before: str, key: str, after: str) -> None:
    line = one_line(f"{before} {key} {after}")
    assert len(line) <= 300
    assert len(line.splitlines()) <= 1
    assert key not in line


@same_every_time
@given(st.one_of(TEXT, st.text(st.sampled_from("[]{}&*!-:? \n\"'|>#%@`a0,"), max_size=60)))
def test_any_yaml_is_a_value_or_a_problem_with_its_place(text: str) -> None:
    try:
        place = load_marked(text)[1](())
    except YamlProblem as problem:
        place = problem.line, problem.column
    assert min(place) >= 1


# Redaction

TREE = st.recursive(
    WORD,
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(st.sampled_from("abc"), below, max_size=3)),
    max_leaves=8,
)
PATH = st.lists(st.sampled_from(["a", "b", "c", "[]", "*"]), min_size=1, max_size=4)


@same_every_time
@given(st.dictionaries(st.sampled_from("abc"), TREE, max_size=3), st.lists(PATH, max_size=3))
def test_what_is_scrubbed_once_is_scrubbed_and_no_key_is_lost(value: dict[str, Any], paths: list[list[str]]) -> None:
    words = [".".join(path).replace(".[]", "[]") for path in paths]
    scrub, before = scrubber(words, ()), orjson.dumps(value)
    once = scrub(value)
    assert orjson.dumps(value) == before
    assert once.keys() == value.keys()
    assert scrub(once) == once


# Paths


_LEAF = st.one_of(st.none(), st.booleans(), st.integers(-1, 1), st.sampled_from(["", "Name", "web"]))
_TAG = st.dictionaries(st.sampled_from(["Key", "Value"]), _LEAF) | _LEAF
_ITEM = st.dictionaries(st.sampled_from(["Tags", "State"]), st.lists(_TAG, max_size=4) | _TAG) | _LEAF


@same_every_time
@given(_ITEM, st.sampled_from(["Tags[?Key=='Name'].Value | [0]", "State.Key", "State", "Tags.Key.Value"]))
def test_paths_that_are_taken_without_jmespath_are_what_it_says(item: Any, path: str) -> None:
    assert getter(path)(item) == jmespath.search(path, item)
