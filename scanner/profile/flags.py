"""What the command line says beside plain settings: the option's own name, and what holds for every account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scanner.errors import ProfileError
from scanner.profile.accounts import AccountSpec
from scanner.profile.model import Profile

# Settings that an account may have of its own: said on the command line, they hold for all accounts.
_OF_ACCOUNTS = ("regions", "services", "tags")


@dataclass(frozen=True, slots=True)
class Flags:
    """How overrides were worded. `names`: setting -> the option that says it ("services" -> "--service").

    `layer` is what messages and origins call them.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    aws_profile: str | None = None
    layer: str = "command line"

    def name_of(self, path: Sequence[str]) -> str | None:
        """The option that says a setting or the section it is in; None where `--set` did."""
        said = (self.names.get(".".join(path[:depth])) for depth in range(len(path), 0, -1))
        return next((name for name in said if name), None)

    def marked(self, origins: Mapping[str, str]) -> dict[str, str]:
        """The origin of each setting, with the hand that the AWS profile has in `accounts`."""
        if not self.aws_profile:
            return dict(origins)
        of_accounts = origins["accounts"]
        return {**origins, "accounts": "command line" if of_accounts == "default" else f"{of_accounts}, command line"}


def for_all_accounts(profile: Profile, overrides: Mapping[str, Any], flags: Flags) -> Profile:
    """The profile as the command line wants it in every account.

    Raises ProfileError where an AWS profile would be used by no account, or all_services by no collector.
    """
    own = {name: None for name in _OF_ACCOUNTS if name in overrides}
    accounts = [account.model_copy(update=own) for account in profile.accounts]
    if flags.aws_profile:
        accounts = _started_from(accounts, flags.aws_profile)
    if flags.names.get("all_services") and profile.collector == "services":
        problem = "would be ignored: the tagging API is what it asks, and `collector` is services"
        raise ProfileError([f"command line: --all-services: {problem}"])
    return profile.model_copy(update={"accounts": accounts})


def _started_from(accounts: list[AccountSpec], aws_profile: str) -> list[AccountSpec]:
    """The accounts with this AWS profile where they would take the ambient credentials, as with AWS_PROFILE."""
    changed = [_from_profile(account, aws_profile) for account in accounts]
    if changed == accounts:
        raise ProfileError(
            [
                f"command line: --profile: {aws_profile!r} would be ignored: every account of the profile names its "
                "credentials (aws_profile or source_profile); change those, or scan without a profile file"
            ]
        )
    return changed


def _from_profile(account: AccountSpec, aws_profile: str) -> AccountSpec:
    if account.aws_profile or account.source_profile:
        return account
    return account.model_copy(update={"source_profile" if account.role_arn else "aws_profile": aws_profile})
