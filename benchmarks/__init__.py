"""Benchmarks and long checks. `make bench` runs those in `speed/` and keeps the results beside this file."""
