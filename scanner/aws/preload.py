"""Imported once by the fork server: the models of the scan's services, loaded before any worker is forked from it."""

from __future__ import annotations

import gc
import os

from scanner.aws.clients import preload

SERVICES_VARIABLE = "_AWS_SCANNER_PRELOAD"

preload([name for name in os.environ.get(SERVICES_VARIABLE, "").split(",") if name])
gc.freeze()
