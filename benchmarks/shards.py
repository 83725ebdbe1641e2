"""Images beyond memory: `python -m benchmarks.shards capped|million …`."""

from __future__ import annotations

import sys

from benchmarks.shards_capped import capped
from benchmarks.shards_million import million

WHAT = {"capped": capped, "million": million}


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in WHAT:
        print(f"usage: python -m benchmarks.shards {'|'.join(WHAT)} …", file=sys.stderr)
        return 2
    return WHAT[arguments[0]](arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
