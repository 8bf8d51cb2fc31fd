"""What is kept on disk: shards, the cache, snapshots. The only place that writes files."""
