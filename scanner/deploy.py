"""The read-only role as people deploy it: its policies for Terraform and CloudFormation, generated from the catalog."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import orjson

from scanner.access import offline_accounts
from scanner.catalog import Catalog
from scanner.catalog.policies import Policy, policies
from scanner.plan import actions_needed, plan
from scanner.profile import Profile

SID = "AwsScanner"
FORMATS = ("json", "terraform", "cloudformation")

_BLOCK = re.compile(r"(?<=# generated: begin\n).*?(?=  # generated: end\n)", re.DOTALL)


def rendered(actions: Iterable[str], form: str) -> str:
    """The least policy of these actions: one document (a list of them above IAM's limit), or resources for a tool."""
    some = policies(actions, SID)
    if form == "terraform":
        return _json({"resource": {"aws_iam_policy": {name: _tf(name, one) for name, one in named(some).items()}}})
    if form == "cloudformation":
        resources = {_logical(name): _cfn(one) for name, one in named(some).items()}
        return _json({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources})
    return _json(some[0] if len(some) == 1 else some)


def all_actions(catalog: Catalog) -> tuple[str, ...]:
    """What scanning everything by both collectors needs, the list of regions included."""
    profile = Profile(collector="both")
    return actions_needed(profile, catalog, plan(profile, catalog, offline_accounts(profile, catalog)))


def terraform_locals(actions: Iterable[str]) -> bytes:
    """policies.tf.json of the Terraform module: the actions of each policy."""
    pieces = [one["Statement"][0]["Action"] for one in policies(actions, SID)]
    said = {"//": "Generated from the catalog by `make docs`.", "locals": {"aws_scanner_actions": pieces}}
    return f"{_json(said)}\n".encode()


def with_policies(template: str, actions: Iterable[str]) -> bytes:
    """The CloudFormation template with the policies of these actions between its marks."""
    lines: list[str] = []
    for at, policy in enumerate(policies(actions, SID), start=1):
        lines += [f"  ReadOnlyPolicy{at}:", "    Type: AWS::IAM::ManagedPolicy", "    Properties:"]
        lines += ["      Roles: [!Ref ScannerRole]", "      PolicyDocument:", "        Version: '2012-10-17'"]
        lines += ["        Statement:", f"          - Sid: {SID}", "            Effect: Allow", "            Action:"]
        lines += [f"              - {action}" for action in policy["Statement"][0]["Action"]]
        lines += ["            Resource: '*'"]
    if not _BLOCK.search(template):
        raise ValueError("the template has no `# generated: begin` and `# generated: end`")
    return _BLOCK.sub("".join(f"{line}\n" for line in lines), template).encode()


def named(some: list[Policy]) -> dict[str, Policy]:
    """Policies by a name that Terraform and IAM accept: aws-scanner-1 ..."""
    return {f"aws-scanner-{at}": one for at, one in enumerate(some, start=1)}


def _tf(name: str, policy: Policy) -> dict[str, Any]:
    # "${" would be Terraform's own; no action has it.
    return {"name": name, "policy": orjson.dumps(policy).decode()}


def _logical(name: str) -> str:
    return "".join(word.capitalize() for word in re.split("[^a-z0-9]+", name))


def _cfn(policy: Policy) -> dict[str, Any]:
    return {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": policy}}


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
