"""Many snapshots -> one: of shards, accounts, profiles or times. The order, and merging twice, change no byte."""
