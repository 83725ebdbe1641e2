"""Speed benchmarks of glassnet and its peers. See `benchmarks/README.md` for the method."""

from __future__ import annotations

from benchmarks.speed.programme import NAMES, run
from benchmarks.speed.results import Result, table, write_json

__all__ = ["NAMES", "Result", "run", "table", "write_json"]
