"""argv in, exit code out: one file per command. The only code that prints."""
