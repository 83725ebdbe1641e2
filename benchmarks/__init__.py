"""Benchmarks and long-running checks. `make bench` runs those in `speed/` and writes their results to this folder."""
