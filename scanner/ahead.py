"""What a scan begins before anything else: the fork server imports and loads models while this process does its own."""

from __future__ import annotations

import os

from scanner.executors import SERVICES_VARIABLE
from scanner.executors import get as get_executor
from scanner.profile import LoadedProfile


def warm_up(loaded: LoadedProfile) -> None:
    """Start the fork server with the services of a profile; nothing where there is none or where it runs already.

    Imports nothing of AWS's, so that a command can call it before it imports what scans.
    """
    profile, catalog = loaded.profile, loaded.catalog
    start = getattr(get_executor(profile.execution.executor), "warm_up", None)
    if start is None:
        return
    words = [profile.services, *(one.services for one in profile.accounts if one.services)]
    services = {kind.service for some in words for kind in catalog.select(some)}
    # Read by the fork server's preload; the variable is for our own children only.
    os.environ[SERVICES_VARIABLE] = ",".join(sorted(services))
    start()
