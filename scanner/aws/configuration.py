"""What the AWS configuration (~/.aws/config, ~/.aws/credentials) has of a profile: its region, or nothing."""

from __future__ import annotations

import difflib
import os
from functools import lru_cache

import botocore.session
from botocore import exceptions as aws

from scanner.aws.clients import CONFIGURATION, chain_session

_NAMED_BY = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")  # in botocore's order
_SHOWN, _LONGEST = 12, 84  # names of profiles, letters of one


def configured_region(aws_profile: str | None) -> str | None:
    """The region of an AWS profile (None: the ambient one), as the AWS configuration has it."""
    return _configured_region(
        aws_profile, tuple(os.environ.get(name) for name in (*CONFIGURATION, "AWS_DEFAULT_REGION"))
    )


@lru_cache(maxsize=64)
def _configured_region(aws_profile: str | None, _: tuple[str | None, ...]) -> str | None:
    try:
        found = chain_session(aws_profile).get_config_variable("region")
    except (aws.BotoCoreError, OSError):
        return None  # told, with what to do, when the account is entered
    return str(found) if found else None


def profile_variable() -> str | None:
    """The variable that names the profile of the ambient credentials, if one does; with botocore an empty one does."""
    return next((name for name in _NAMED_BY if name in os.environ), None)


def missing_profile(aws_profile: str | None) -> str | None:
    """What to say where a profile (None: the one that the environment names) is not there; None where it is."""
    variable = profile_variable() if aws_profile is None else None
    wanted = aws_profile or (os.environ[variable] if variable else "")
    try:
        known = botocore.session.Session().available_profiles
    except (aws.BotoCoreError, OSError):
        return None  # told as what it is, when the account is entered
    if variable and not wanted:
        return f"{variable} is set and empty, which names a profile for the SDKs; `unset {variable}`"
    if not wanted or wanted in known:
        return None
    named = f"{variable} names {wanted!r}, and the AWS configuration has no such profile"
    said = named if variable else f"the AWS configuration has no profile {wanted!r}"
    near = difflib.get_close_matches(wanted, known, 1) if len(wanted) <= _LONGEST else []
    hint = f"; did you mean {near[0]!r}?" if near else ""
    there_are = ", ".join(known[:_SHOWN]) + (f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else "")
    return f"{said}{hint}; it has {there_are or 'none'}: `aws configure list-profiles`"
