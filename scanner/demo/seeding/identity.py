"""IAM of an account: roles, policies and profiles of the applications, people, and the scanner's way in."""

from __future__ import annotations

import json
from typing import Any

from scanner.demo.fleet import BASE_ACCOUNT, ROLE_NAME, SECOND_ACCOUNT, Stack, pairs

_PEOPLE = ("ana", "bo", "chidi", "dana")


def seed_identity(iam: Any, account: str, stacks: list[Stack]) -> None:
    """Create the account's global part, once: roles, policies and profiles per application, users per account."""
    for stack in {stack.app: stack for stack in stacks}.values():
        for purpose, service in (("instance", "ec2"), ("function", "lambda"), ("task", "ecs-tasks"), ("eks", "eks")):
            _role(iam, f"{stack.app}-{purpose}", {"Service": f"{service}.amazonaws.com"}, stack)
        _policy(iam, f"{stack.app}-read-assets", stack)
        profile = f"{stack.app}-instance"
        iam.create_instance_profile(InstanceProfileName=profile, Tags=pairs(stack.tags()))
        iam.add_role_to_instance_profile(InstanceProfileName=profile, RoleName=profile)
        iam.create_user(UserName=f"{stack.app}-deploy", Path="/machines/", Tags=pairs(stack.tags()))
    for person in _PEOPLE:
        iam.create_user(UserName=person)
    if account == SECOND_ACCOUNT:
        _role(iam, ROLE_NAME, {"AWS": f"arn:aws:iam::{BASE_ACCOUNT}:root"})


def seed_caller(iam: Any) -> tuple[str, str]:
    """Create the user as whom the demo scans; returns its access key and secret."""
    iam.create_user(UserName="inventory", Path="/machines/")
    key = iam.create_access_key(UserName="inventory")["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def _role(iam: Any, name: str, principal: dict[str, str], stack: Stack | None = None) -> None:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        Tags=pairs(stack.tags()) if stack else [],
    )


def _policy(iam: Any, name: str, stack: Stack) -> None:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{stack.name}-assets-*/*"}
    iam.create_policy(
        PolicyName=name,
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        Tags=pairs(stack.tags()),
    )
