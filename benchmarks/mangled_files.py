"""`python -m benchmarks.mangled_files`: read damaged files of every format and count the outcomes.

Each format is read in a separate process, so a reader that crashes or hangs does not end the benchmark. `--kinds model h5`
selects formats, `--count 500` sets the number of files of each.
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

TIMEOUT = 120  # seconds for one file
OUTCOMES = ("equal", "different", "refused", "exception", "crash", "hang")


def examine(name: str, first: int, last: int) -> None:
    """In a worker: read the files of these seeds and print a line of JSON for each."""
    with tempfile.TemporaryDirectory() as folder:
        sample = KINDS[name].sample(Path(folder))
        for seed in range(first, last):
            start = time.perf_counter()
            signal.alarm(TIMEOUT)  # ends the process
            try:
                found, note = outcome(KINDS[name], sample, seed), ""
            except BaseException:
                found, note = "exception", traceback.format_exc()
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            seconds = time.perf_counter() - start
            print(json.dumps({"seed": seed, "found": found, "note": note, "seconds": seconds, "memory": memory}), flush=True)


def results(name: str, count: int, errors: Path) -> Iterator[dict[str, object]]:
    """The output of `examine` for every seed, from a worker that is restarted when it dies."""
    seed = 0
    while seed < count:
        command = [sys.executable, "-m", "benchmarks.mangled_files", "--worker", name, str(seed), str(count)]
        with errors.open("ab") as stderr, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr) as worker:
            assert worker.stdout is not None
            for line in worker.stdout:
                yield json.loads(line)
                seed += 1
        if seed < count:
            found = "hang" if worker.returncode == -signal.SIGALRM else "crash"
            yield {"seed": seed, "found": found, "note": f"exit code {worker.returncode}", "seconds": 0.0, "memory": 0}
            seed += 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--output", type=Path, help="a folder for error messages")
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
                slowest, memory = max(slowest, float(str(result["seconds"]))), max(memory, int(str(result["memory"])))
                if result["note"]:
                    notes.write(f"seed {result['seed']}: {result['found']}\n{result['note']}\n\n")
        wrong += sum(counts[found] for found in OUTCOMES[3:]) + KINDS[name].sealed * (counts["equal"] + counts["different"])
        figures = " | ".join(f"{counts[found]:>{len(found)}}" for found in OUTCOMES)
        minutes = (time.perf_counter() - start) / 60
        print(f"| {name:<18} | {figures} | {slowest:10.1f} | {memory:4} | {minutes:4.1f} |", flush=True)
    print(f"\n{wrong} of {options.count * len(options.kinds)} files were not handled correctly; see {output}")
    return min(wrong, 1)


if __name__ == "__main__":
    os.environ.setdefault("GLASSNET_KERNELS", "0")  # speed does not matter here
    sys.exit(main())
