"""Imported once by the fork server: the models of the scan's services, loaded before any worker is forked from it."""

from __future__ import annotations

import contextlib
import gc
import os

# Imports make no cycles worth a collection, and each would walk all that was imported so far.
gc.set_threshold(200_000, 20, 20)

from botocore.exceptions import BotoCoreError  # noqa: E402

from scanner.aws.clients import preload  # noqa: E402
from scanner.catalog import load_catalog  # noqa: E402
from scanner.executors import SERVICES_VARIABLE  # noqa: E402

services = [name for name in os.environ.get(SERVICES_VARIABLE, "").split(",") if name]
if services:
    # An AWS configuration that cannot be read is told by the first account that needs it, not by an import.
    with contextlib.suppress(BotoCoreError):
        preload(services, load_catalog().operations())
    gc.freeze()
