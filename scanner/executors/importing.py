"""Imported first by the fork server: imports make no garbage, and each look for some walks all that was imported."""

import gc

from scanner.stopping import leave_no_core

leave_no_core()
gc.set_threshold(1_000_000, 20, 20)
