"""`python -m benchmarks [NAME…]`: glassnet and its peers in turn; results go to results.json beside this file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.speed import NAMES, run, table
from glassnet.errors import InputError

RESULTS = Path(__file__).with_name("results.json")


def main(arguments: Sequence[str] | None = None, *, output: Path | None = None) -> int:
    """Measure, print the table, and return the exit code; `output` is where the JSON goes unless told otherwise."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Time glassnet against its peers.",
        epilog="names: " + ", ".join(NAMES),
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to measure; everything if none is given")
    parser.add_argument("--threads", type=int, default=2, help="for the workloads of more than one core (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is timed (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="fewer images and calls, for a first impression")
    parser.add_argument("--output", type=Path, default=output, help="write the results there, as JSON")
    given = parser.parse_args(arguments)
    try:
        results = run(given.names or None, threads=given.threads, rounds=given.rounds, quick=given.quick, output=given.output)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    print(table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main(output=RESULTS))
