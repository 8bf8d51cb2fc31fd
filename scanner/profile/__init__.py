"""The operator's YAML as a validated model; command line over environment over YAML over defaults."""

from scanner.profile.flags import Flags
from scanner.profile.load import LoadedProfile, load_profile, loaded_from
from scanner.profile.model import AccountSpec, Expectation, Profile

__all__ = ["AccountSpec", "Expectation", "Flags", "LoadedProfile", "Profile", "load_profile", "loaded_from"]
