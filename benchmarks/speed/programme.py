"""Run the requested workloads and measurements, one after the other."""

from __future__ import annotations

import difflib
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.speed import figures, growth, limits
from benchmarks.speed.figures import Context
from benchmarks.speed.images import Images, images_for
from benchmarks.speed.machine import usable_cpus
from benchmarks.speed.results import Result, cannot_write, earlier, write_json
from benchmarks.speed.timing import measure
from benchmarks.speed.workloads import WORKLOADS
from glassnet.errors import InputError

FIGURES = figures.FIGURES | {"growth": growth.growth, "statistics": growth.statistics, "limits": limits.limits}
NAMES: tuple[str, ...] = (*WORKLOADS, *FIGURES)


def run(
    names: Sequence[str] | None = None,
    *,
    threads: int = 2,
    rounds: int = 5,
    quick: bool = False,
    output: Path | None = None,
) -> list[Result]:
    """Run the workloads `names` (None: all), in the order of `NAMES`, and write JSON to `output`.

    `threads` is used by multi-core workloads, limited to the machine's processors. `quick` uses fewer images and calls.
    Progress is printed on stderr.
    """
    selected = _checked(NAMES if names is None else names)
    _positive("threads", threads)
    _positive("rounds", rounds)
    if output is not None:
        if not (output.parent.is_dir() and os.access(output.parent, os.W_OK)):
            raise cannot_write(output, "the folder is missing or read-only")
        earlier(output)  # raises for a file that holds something else
    threads = min(threads, usable_cpus())
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="glassnet-bench-") as folder:
        scratch = Path(folder)
        loaded: dict[tuple[str, int], Images] = {}
        for name in selected:
            if name not in WORKLOADS:
                context = Context(scratch, threads, rounds, quick, say, tuple(results))
                results += FIGURES[name](context)
                continue
            work = WORKLOADS[name].quick() if quick else WORKLOADS[name]
            key = (work.source, work.images)
            if key not in loaded:
                say(f"{name}: loading images")
                loaded = {key: images_for(work)}  # only the last set is kept in memory; neighbouring workloads share it
            results += measure(work, loaded[key], scratch, threads=threads, rounds=rounds, say=say)
    if output is not None:
        write_json(results, output)
    return results


def say(text: str) -> None:
    """Print progress."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def _checked(names: Sequence[str]) -> list[str]:
    for name in names:
        if name not in NAMES:
            near = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.0)
            raise InputError(
                "There is no such benchmark.", where="bench", expected=", ".join(NAMES), received=name, hint=near[0]
            )
    return [name for name in NAMES if name in names]


def _positive(what: str, number: int) -> None:
    if number < 1:
        raise InputError(
            f"The number of {what} must be positive.", where="bench", expected="1 or more", received=number,
            hint=f"--{what} 2",
        )  # fmt: skip
