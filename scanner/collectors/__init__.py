"""How resources are found: `services` follows the catalog, `tagging` asks the Resource Groups Tagging API."""
