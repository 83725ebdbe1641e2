"""`python -m benchmarks`: the benchmarks of `glassnet.bench`, their results kept beside this file."""

from __future__ import annotations

import sys
from pathlib import Path

from glassnet.bench.__main__ import main

sys.exit(main(output=Path(__file__).with_name("results.json")))
