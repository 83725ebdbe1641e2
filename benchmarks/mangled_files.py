"""`python -m benchmarks.mangled_files`: damaged files of every kind that glassnet reads, and what becomes of each.

Each kind is read in a process of its own, file after file, so that a crash or a hang of a reader is one row of the table and
not its end. `--kinds model h5` for some of them, `--count 500` files of each.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.mangled_kinds import KINDS, outcome

SLOWEST = 120  # seconds for one file: beyond, its reader hangs
OUTCOMES = ("equal", "different", "refused", "exception", "crash", "hang")


def examine(name: str, first: int, last: int) -> None:
    """Read the files of these seeds; a line of JSON for each, as soon as it is known. In a worker."""
    with tempfile.TemporaryDirectory() as folder:
        sample = KINDS[name].sample(Path(folder))
        for seed in range(first, last):
            start = time.perf_counter()
            signal.alarm(SLOWEST)  # which ends the process
            try:
                found, note = outcome(KINDS[name], sample, seed), ""
            except BaseException:
                found, note = "exception", traceback.format_exc()
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            took = time.perf_counter() - start
            print(json.dumps({"seed": seed, "found": found, "note": note, "took": took, "memory": memory}), flush=True)


def results(name: str, count: int, errors: Path) -> Iterator[dict[str, object]]:
    """What `examine` says of every seed, in a worker that is replaced when it dies."""
    seed = 0
    while seed < count:
        command = [sys.executable, "-m", "benchmarks.mangled_files", "--worker", name, str(seed), str(count)]
        with errors.open("ab") as complaints, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints) as worker:
            assert worker.stdout is not None
            for line in worker.stdout:
                yield json.loads(line)
                seed += 1
        if seed < count:
            found = "hang" if worker.returncode == -signal.SIGALRM else "crash"
            yield {"seed": seed, "found": found, "note": f"exit code {worker.returncode}", "took": 0.0, "memory": 0}
            seed += 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--output", type=Path, help="a folder for the messages of what went wrong")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        examine(options.worker[0], int(options.worker[1]), int(options.worker[2]))
        return 0
    output = options.output or Path(tempfile.mkdtemp(prefix="mangled-"))
    output.mkdir(parents=True, exist_ok=True)
    wrong = 0
    print(f"| {'kind':<18} | " + " | ".join(OUTCOMES) + " | slowest, s | MiB | min |\n|" + "---|" * (len(OUTCOMES) + 4))
    for name in options.kinds:
        start, counts, slowest, memory = time.perf_counter(), Counter[str](), 0.0, 0
        with (output / f"{name}.txt").open("w") as notes:
            for result in results(name, options.count, output / f"{name}.stderr"):
                counts[str(result["found"])] += 1
                slowest, memory = max(slowest, float(str(result["took"]))), max(memory, int(str(result["memory"])))
                if result["note"]:
                    notes.write(f"seed {result['seed']}: {result['found']}\n{result['note']}\n\n")
        wrong += sum(counts[found] for found in OUTCOMES[3:]) + KINDS[name].sealed * (counts["equal"] + counts["different"])
        figures = " | ".join(f"{counts[found]:>{len(found)}}" for found in OUTCOMES)
        minutes = (time.perf_counter() - start) / 60
        print(f"| {name:<18} | {figures} | {slowest:10.1f} | {memory:4} | {minutes:4.1f} |", flush=True)
    print(f"\n{wrong} of {options.count * len(options.kinds)} files were not handled as they should be; see {output}")
    return min(wrong, 1)


if __name__ == "__main__":
    os.environ.setdefault("GLASSNET_KERNELS", "0")  # nothing here is about speed
    sys.exit(main())
