"""The operator's YAML as a validated model; command line over environment over YAML over defaults."""

from scanner.profile.accounts import AccountSpec, RoleSession
from scanner.profile.flags import Flags
from scanner.profile.load import LoadedProfile, load_profile, loaded_from
from scanner.profile.model import Execution, Expectation, Profile

__all__ = [
    "AccountSpec", "Execution", "Expectation", "Flags", "LoadedProfile", "Profile", "RoleSession", "load_profile",
    "loaded_from",
]  # fmt: skip
