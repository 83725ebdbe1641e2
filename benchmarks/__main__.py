"""`python -m benchmarks [NAME…]`: time glassnet and its peers; keeps each workload's last run in results.json in this folder.

`python -m benchmarks map` measures the speed map instead (`benchmarks/map.py`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import map as speed_map
from benchmarks.speed import NAMES, run, table
from glassnet.errors import InputError

RESULTS = Path(__file__).with_name("results.json")


def main(arguments: Sequence[str] | None = None, *, output: Path | None = None) -> int:
    """Measure, print the table, and return the exit code; `output` is the default for --output; a quick run has none."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["map"]:
        return speed_map.main(given[1:])
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Time glassnet against its peers.",
        epilog="names: " + ", ".join(NAMES) + "; or map, which has options of its own",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="workloads to measure; default: all")
    parser.add_argument("--threads", type=int, default=2, help="threads for multi-core workloads (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="number of rounds (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="fewer images and calls")
    parser.add_argument(
        "--output", type=Path, help="file for the results as JSON (results.json in this folder; a quick run has none)"
    )
    options = parser.parse_args(given)
    try:
        results = run(
            options.names or None, threads=options.threads, rounds=options.rounds, quick=options.quick,
            output=options.output or (None if options.quick else output),
        )  # fmt: skip
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    print(table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main(output=RESULTS))
