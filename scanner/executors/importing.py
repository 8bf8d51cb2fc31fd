"""Imported first by the fork server: imports make no garbage, and each look for some walks all that was imported."""

import gc

gc.set_threshold(1_000_000, 20, 20)
