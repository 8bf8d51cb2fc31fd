"""How credentials come to an account, step by step, read from the AWS configuration: no request, no secret."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import botocore.session
from botocore import exceptions as aws

from scanner.aws.accounts import Login
from scanner.aws.configuration import profile_variable

# botocore's words for credentials that come from no profile.
_PLACES = {
    "env": "environment variables (AWS_ACCESS_KEY_ID)",
    "iam-role": "the instance's role (EC2 metadata)",
    "container-role": "the container's role",
}


def chain_of(login: Login, via: str = "") -> tuple[str, ...]:
    """The steps to an account, the first keys first; `via` is botocore's word for these, "" where they are unknown."""
    own = login.first_profile
    if not via and not own and os.environ.get("AWS_ACCESS_KEY_ID"):
        via = "env"
    steps = (_PLACES[via],) if via in _PLACES else _steps(own, via)
    return (*steps, *(f"role {role.arn}" for role in login.roles))


def _steps(aws_profile: str | None, via: str) -> tuple[str, ...]:
    name = aws_profile or os.environ.get(profile_variable() or "") or "default"
    try:
        profiles = botocore.session.Session().full_config.get("profiles", {})
    except (aws.BotoCoreError, OSError):
        return (f"AWS profile {name} (the AWS configuration cannot be read)",)
    if name not in profiles:
        return ("ambient credentials",) if aws_profile is None else (f"AWS profile {name} (not there)",)
    steps = list(_back_from(name, profiles))[::-1]
    if via and via != "assume-role":
        steps[0] += f" ({via})"
    return tuple(steps)


def _back_from(name: str, profiles: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The last step first: a role of a profile, then whatever its source is."""
    seen: set[str] = set()
    while name in profiles and name not in seen:
        seen.add(name)
        said = profiles[name]
        if "role_arn" not in said:
            break
        yield f"role {said['role_arn']} (AWS profile {name})"
        if "source_profile" not in said:
            yield str(said.get("credential_source") or "web identity token")
            return
        name = str(said["source_profile"])
    yield f"AWS profile {name}" + ("" if name in profiles else " (not there)")
