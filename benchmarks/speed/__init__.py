"""Benchmarks: glassnet and its peers in turn, on the same data and batches, as medians and ratios.

`run` measures, `table` shows, `write_json` keeps. See `benchmarks/README.md` for the method.
"""

from __future__ import annotations

from benchmarks.speed.programme import NAMES, run
from benchmarks.speed.results import Result, table, write_json

__all__ = ["NAMES", "Result", "run", "table", "write_json"]
