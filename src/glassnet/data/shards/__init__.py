"""Data sets beyond memory, in memory-mapped shards: written, read, checked, fetched."""
