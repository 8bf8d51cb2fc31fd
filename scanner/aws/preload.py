"""Imported once by the fork server: the models of the scan's services, loaded before any worker is forked from it."""

from __future__ import annotations

import contextlib
import gc
import os

from botocore.exceptions import BotoCoreError

from scanner.aws.clients import preload
from scanner.catalog import load_catalog
from scanner.executors import SERVICES_VARIABLE

services = [name for name in os.environ.get(SERVICES_VARIABLE, "").split(",") if name]
if services:
    # An AWS configuration that cannot be read is told by the first account that needs it, not by an import.
    with contextlib.suppress(BotoCoreError):
        preload(services, load_catalog().operations())
    gc.freeze()
