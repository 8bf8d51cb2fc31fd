"""Two snapshots compared: removed, added, changed, and what nobody can know. A diff never lies (docs/diff.md)."""
