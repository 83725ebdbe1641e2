"""A process that writes shards: their numbers come in on stdin, line by line, and each is answered when it is written.

It ends when stdin is closed, even if the process that started it was killed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from glassnet.data.shards.plan import ShardPlan
from glassnet.errors import GlassnetError


def main() -> None:
    plan: ShardPlan | None = None
    for line in sys.stdin:
        try:
            if plan is None:
                plan = ShardPlan.load(Path(json.loads(line)))
                continue
            answer: dict[str, object] = {"done": plan.write(int(line))}
        except GlassnetError as error:
            parts = {name: getattr(error, name) for name in ("what", "where", "expected", "received", "hint")}
            answer = {name: None if value is None else str(value) for name, value in parts.items()}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
