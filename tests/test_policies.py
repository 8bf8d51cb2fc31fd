"""The least policy: what it allows is a complete scan, each of its actions is needed, and the roles have the same."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from cfnlint.api import lint_file

from scanner.catalog import Call, load_catalog
from scanner.catalog.policies import MAX_CHARACTERS, policies
from scanner.collectors.tagging import GET_RESOURCES
from scanner.deploy import all_actions, terraform_locals, with_policies
from scanner.fakeaws import FakeAws, Fleet, Rule
from scanner.model import Outcome
from tests.conftest import Bench

Start = Callable[..., FakeAws]
DEPLOY = Path(__file__).parent.parent / "docs" / "deploy"
CATALOG = load_catalog()
CALLS: dict[tuple[str, str], Call] = {
    (call.service, call.operation): call for kind in CATALOG.types for call in kind.calls
} | {(GET_RESOURCES.service, GET_RESOURCES.operation): GET_RESOURCES}
REGIONS = {("account", "list_regions"): "account:ListRegions", ("ec2", "describe_regions"): "ec2:DescribeRegions"}


def rules_of(actions: Iterable[str]) -> tuple[Rule, ...]:
    """An AWS that allows these actions: whatever else the catalog may call is denied."""
    allowed = set(actions)
    denied = [key for key, call in CALLS.items() if not allowed.issuperset(call.iam)]
    denied += [key for key, action in REGIONS.items() if action not in allowed]
    return tuple(Rule("deny", *key) for key in denied)


def actions_of(bench: Bench, *args: object) -> list[str]:
    done = bench.here("iam-policy", *args)
    assert done.returncode == 0, done.stderr
    return list(orjson.loads(done.stdout)["Statement"][0]["Action"])


PROFILES: dict[str, dict[str, Any]] = {
    "everything": {"regions": ["us-*"], "collector": "both"},
    "tags only": {"regions": ["us-east-1"], "collector": "tagging", "tags": {"Environment": "Production"}},
    "one service": {"regions": ["us-east-1"], "services": ["s3"]},
    "a grandchild": {"regions": ["us-east-1"], "services": ["elbv2:listener-rule"]},
    "no enrichment": {"regions": ["us-east-1"], "enrich": "none"},
    "tags without enrichment": {
        "regions": ["us-east-1"], "enrich": "none", "collector": "services", "tags": {"Environment": None},
        "services": ["sqs", "lambda", "dynamodb", "iam", "elbv2"],
    },
    "some enrichment": {"regions": ["us-east-1"], "enrich": ["s3"], "services": ["s3", "sqs", "dynamodb"]},
    "a filter": {"regions": ["us-east-1"], "enrich": "none", "filters": {"state": ["active", "available"]}},
}  # fmt: skip


@pytest.mark.parametrize("name", PROFILES)
def test_with_the_printed_policy_alone_a_scan_is_complete_and_it_has_no_action_too_many(
    bench: Bench, fake: Start, name: str
) -> None:
    told = {**PROFILES[name], "cache": {"enabled": False}, "execution": {"executor": "serial"}}
    actions = actions_of(bench, bench.profile("http://127.0.0.1:1", **told))
    server = fake(Fleet(items=2, regions=("us-east-1",)), rules_of(actions))
    done = bench.here("scan", bench.profile(server.url, **told), "--quiet")
    assert (done.returncode, bench.gaps()) == (0, [])
    denied = {line["outcome"] for line in bench.snapshot().manifest["ledger"]} & {Outcome.DENIED}
    assert denied == set()
    used = {action for _, _, *call in server.calls for action in _actions(tuple(call))}
    assert set(actions) - {"ec2:DescribeRegions"} == used - {"ec2:DescribeRegions"}


def _actions(call: tuple[str, ...]) -> tuple[str, ...]:
    if call in CALLS:
        return CALLS[call].iam  # type: ignore[index]
    return (REGIONS[call],) if call in REGIONS else ()  # type: ignore[index]


@pytest.mark.parametrize("action", ["s3:ListAllMyBuckets", "s3:GetBucketTagging", "sqs:ListQueues"])
def test_without_one_of_its_actions_exactly_the_calls_that_need_it_are_denied(
    bench: Bench, fake: Start, action: str
) -> None:
    told = {"regions": ["us-east-1"], "services": ["s3", "sqs"], "execution": {"executor": "serial"}}
    actions = actions_of(bench, bench.profile("http://127.0.0.1:1", **told))
    server = fake(Fleet(items=1), rules_of(one for one in actions if one != action))
    assert bench.here("scan", bench.profile(server.url, **told), "--quiet").returncode == 3
    missing = orjson.loads((bench.snapshot().path / "iam-missing.json").read_bytes())
    assert missing["111122223333"]["Statement"][0]["Action"] == [action]
    denied = {(line["service"], line["call"]) for line in bench.snapshot().manifest["ledger"] if line["gap"]}
    assert any(CALLS[call].iam == (action,) for call in denied)


def test_a_policy_above_the_limit_is_several_and_says_so(bench: Bench) -> None:
    from policy_sentry.querying.actions import get_actions_for_service

    reads = sorted(one for one in get_actions_for_service("ec2") if one.split(":")[1].startswith(("Describe", "Get")))
    folder = bench.folder / "more"
    folder.mkdir()
    one = {"call": "list_app_monitors", "iam": reads}
    kind = {
        "list": one,
        "id": "Name",
        "arn": "arn:{partition}:rum:{region}:{account}:appmonitor/{Name}",
        "name": "Name",
    }
    (folder / "rum.yaml").write_text(yaml.safe_dump({"service": "rum", "resources": {"appmonitor": kind}}))
    profile = bench.profile("http://127.0.0.1:1", catalog_dirs=[str(folder)], services=["rum"], regions=["us-east-1"])
    done = bench.here("iam-policy", profile)
    found = orjson.loads(done.stdout)
    assert [one for part in found for one in part["Statement"][0]["Action"]] == reads
    assert len(found) == 2
    assert all(len(orjson.dumps(part)) <= MAX_CHARACTERS for part in found)
    assert done.stderr == f"{len(reads)} actions are more than one policy holds: 2 policies, attach all\n"


def test_it_is_printed_for_terraform_and_cloudformation(bench: Bench) -> None:
    words = ("-s", "sqs", "-r", "us-east-1", "--format")
    plain = orjson.loads(bench.here("iam-policy", *words, "json").stdout)
    terraform = orjson.loads(bench.here("iam-policy", *words, "terraform").stdout)
    assert orjson.loads(terraform["resource"]["aws_iam_policy"]["aws-scanner-1"]["policy"]) == plain
    path = bench.folder / "template.json"
    path.write_text(bench.here("iam-policy", *words, "cloudformation").stdout)
    assert orjson.loads(path.read_bytes())["Resources"]["AwsScanner1"]["Properties"] == {"PolicyDocument": plain}
    assert lint_file(path) == []


def test_an_unknown_form_is_refused_with_the_nearest(bench: Bench) -> None:
    done = bench.here("iam-policy", "--format", "terrafrom")
    assert done.returncode == 2
    assert "--format: unknown format 'terrafrom'; did you mean 'terraform'?; there are: json, terraform," in done.stderr


def test_pieces_are_each_as_large_as_iam_allows_and_lose_no_action() -> None:
    actions = [f"ec2:Describe{at:05}" for at in range(2_000)]
    found = policies([*actions, *actions[:10]], "AwsScanner")
    assert [one for part in found for one in part["Statement"][0]["Action"]] == actions
    sizes = [len(orjson.dumps(part)) for part in found]
    assert max(sizes) <= MAX_CHARACTERS
    assert all(size + len('"ec2:Describe00000",') > MAX_CHARACTERS for size in sizes[:-1])
    assert policies([], "AwsScanner") == []


# docs/deploy


class _Template(yaml.SafeLoader):
    """YAML with CloudFormation's short forms, as lists."""


_Template.add_multi_constructor(
    "!",
    lambda loader, tag, node: (
        [tag, node.value] if isinstance(node, yaml.ScalarNode) else [tag, loader.construct_sequence(node, deep=True)]
    ),
)


def template() -> dict[str, Any]:
    return dict(yaml.load((DEPLOY / "stackset.yaml").read_text(), _Template))


def test_the_stackset_template_is_valid() -> None:
    assert lint_file(DEPLOY / "stackset.yaml") == []


def test_both_roles_allow_exactly_the_actions_of_the_catalog_in_pieces_that_iam_takes() -> None:
    wanted = sorted({action for call in CALLS.values() for action in call.iam} | set(all_actions(CATALOG)))
    generated = [
        one["Properties"]["PolicyDocument"]
        for name, one in template()["Resources"].items()
        if name.startswith("ReadOnlyPolicy")
    ]
    assert (
        [action for one in generated for action in one["Statement"][0]["Action"]] == wanted == [*all_actions(CATALOG)]
    )
    assert all(len(orjson.dumps(one)) <= MAX_CHARACTERS for one in generated)
    assert generated == policies(wanted, "AwsScanner")
    pieces = orjson.loads((DEPLOY / "terraform" / "policies.tf.json").read_bytes())["locals"]["aws_scanner_actions"]
    assert pieces == [one["Statement"][0]["Action"] for one in generated]


def test_the_generated_parts_are_current() -> None:
    actions = all_actions(CATALOG)
    path = DEPLOY / "stackset.yaml"
    assert with_policies(path.read_text(), actions) == path.read_bytes()
    assert (DEPLOY / "terraform" / "policies.tf.json").read_bytes() == terraform_locals(actions)


def test_both_roles_only_list_an_organization_where_that_is_wanted_and_know_all_calls_for_it() -> None:
    made = {operation for service, operation in CATALOG.operations() if service == "organizations"}
    resource = template()["Resources"]["ListOrganizationPolicy"]
    actions = resource["Properties"]["PolicyDocument"]["Statement"][0]["Action"]
    assert resource["Condition"] == "ListsOrganization"
    assert made <= {re.sub("(?<!^)(?=[A-Z])", "_", one.split(":")[1]).lower() for one in actions}
    assert re.findall(r'"(organizations:\w+)"', (DEPLOY / "terraform" / "main.tf").read_text()) == actions


def test_the_template_trusts_one_principal_and_asks_for_the_external_id() -> None:
    said = template()
    trust = said["Resources"]["ScannerRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    (statement,) = trust
    assert statement["Principal"] == {"AWS": ["Ref", "TrustedPrincipalArn"]}
    assert statement["Condition"][1][1] == {"StringEquals": {"sts:ExternalId": ["Ref", "ExternalId"]}}
    pattern = said["Parameters"]["TrustedPrincipalArn"]["AllowedPattern"]
    assert re.fullmatch(pattern, "arn:aws:iam::111122223333:role/path/inventory")
    for refused in ("*", "arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:role/*", "111122223333"):
        assert not re.fullmatch(pattern, refused)


def test_the_terraform_module_uses_what_it_declares_and_its_page_lists_it() -> None:
    texts = {path.name: path.read_text() for path in sorted((DEPLOY / "terraform").iterdir())}
    declared = re.findall(r'^variable "(\w+)"', texts["variables.tf"], re.MULTILINE)
    used = set(re.findall(r"\bvar\.(\w+)", texts["main.tf"]))
    assert used == set(declared)
    outputs = re.findall(r'^output "(\w+)"', texts["outputs.tf"], re.MULTILINE)
    assert re.findall(r"^\| `(\w+)` \|", texts["README.md"], re.MULTILINE) == [*declared, *outputs]
    resources = re.findall(r'^(?:resource|data) "(\w+)" "(\w+)"', texts["main.tf"], re.MULTILINE)
    referred = set(re.findall(r"\b(aws_iam_\w+)\.(\w+)", texts["main.tf"] + texts["outputs.tf"]))
    assert referred <= set(resources)
    for text in texts.values():
        counted = Counter(re.sub(r'"[^"]*"|#.*', "", text))
        assert all(counted[opened] == counted[closed] for opened, closed in ("{}", "[]", "()"))


def test_no_policy_here_has_a_wildcard_of_actions() -> None:
    for action in all_actions(CATALOG):
        assert re.fullmatch(r"[a-z0-9-]+:[A-Z][A-Za-z0-9]+", action)
