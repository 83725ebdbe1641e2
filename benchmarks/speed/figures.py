"""Measurements that are not training or prediction workloads: peak, convolutions, import, compilation, memory."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.client import TIMEOUT, Worker, WorkerError, child_environment
from benchmarks.speed.images import images_for
from benchmarks.speed.peers import PEERS
from benchmarks.speed.results import Result
from benchmarks.speed.timing import Say, with_ratios, write_inputs
from benchmarks.speed.workloads import TRAINING, WORKLOADS, Workload

GEMM = 2048
PRODUCTS = (GEMM, 512)
"""Sizes of matrix products: a large one, and one too short to be interrupted much."""


@dataclass(frozen=True)
class Context:
    """The settings of a measurement."""

    scratch: Path
    threads: int
    rounds: int
    quick: bool
    say: Say
    results: Sequence[Result]
    """Results measured before."""

    def workload(self, name: str) -> Workload:
        return WORKLOADS[name].quick() if self.quick else WORKLOADS[name]


def peak(context: Context) -> list[Result]:
    """The speed of a large float32 product, and the fraction of it reached in each training workload measured before."""
    reached: dict[int, float] = {}
    rows: list[Result] = []
    for threads in sorted({1, context.threads}):
        context.say(f"peak: a {GEMM}×{GEMM} product, {_threads(threads)}")
        peer = f"sgemm, {_threads(threads)}"
        try:
            with Worker(threads, context.scratch) as worker:
                seconds = worker.ask(do="gemm", size=GEMM, threads=threads)["seconds"]
        except WorkerError as error:
            rows.append(Result("peak", peer, None, "GFLOP/s", note=str(error)))
            continue
        reached[threads] = 2 * GEMM**3 / seconds
        rows.append(Result("peak", peer, reached[threads] / 1e9, "GFLOP/s", note="NumPy's BLAS, the best of 6"))
    for row in context.results:
        if row.peer != "ours" or row.workload not in TRAINING or row.median is None:
            continue
        work = context.workload(row.workload)
        top = reached.get(1 if work.one_core else context.threads)
        if top is not None:
            note = f"{work.flops:.3g} useful operations per {work.per}"
            percent = 100 * work.flops / row.median / top
            rows.append(Result("peak", f"ours at {work.name}", percent, "% of it", rounds=row.rounds, note=note))
    return rows


def convolution(context: Context) -> list[Result]:
    """The speed of each convolution kernel on one core, as a fraction of that of a large product in the same process."""
    top, reached = 0.0, dict[tuple[str, str], float]()
    try:
        with Worker(1, context.scratch) as worker:
            for number in range(context.rounds):
                context.say(f"convolution: round {number + 1} of {context.rounds}")
                for size in PRODUCTS:
                    top = max(top, 2 * size**3 / worker.ask(do="gemm", size=size, threads=1)["seconds"] / 1e9)
                for window, directions in worker.ask(do="convolution", seconds=0.02 if context.quick else 0.1).items():
                    for direction, speed in directions.items():
                        reached[window, direction] = max(speed, reached.get((window, direction), 0.0))
    except WorkerError as error:
        return [Result("convolution", "ours", None, "% of peak", note=str(error))]
    sizes = " and ".join(f"{size}×{size}" for size in PRODUCTS)
    rows = [Result("convolution", "sgemm", top, "GFLOP/s", rounds=context.rounds, note=f"NumPy's BLAS, products of {sizes}")]
    for (window, direction), speed in reached.items():
        percent, note = 100 * speed / top, f"{speed:.0f} GFLOP/s"
        rows.append(Result("convolution", f"{window}, {direction}", percent, "% of peak", rounds=context.rounds, note=note))
    return rows


def import_time(context: Context) -> list[Result]:
    """New processes, in turn: `import glassnet`, `glassnet --help`, and for comparison Python alone and PyTorch."""
    commands = {
        "import glassnet": ["-c", "import glassnet"],
        "glassnet --help": ["-m", "glassnet", "--help"],
        "python alone": ["-c", "pass"],
    }
    if PEERS["torch-eager"].missing is None:
        commands["import torch"] = ["-c", "import torch"]
    taken: dict[str, list[float]] = {name: [] for name in commands}
    errors: dict[str, str] = {}
    for number in range(context.rounds + 1):
        context.say(f"import: round {number} of {context.rounds}")
        for name, arguments in commands.items():
            try:
                taken[name].append(_python(arguments, context.scratch))
            except WorkerError as error:
                errors[name] = str(error)
    rows = []
    for name, seconds in taken.items():
        warm = seconds[1:]  # the first round reads the disk and may write bytecode
        median = None if name in errors else statistics.median(warm)
        rows.append(Result("import", name, median, "s", rounds=len(warm), note=errors.get(name, "whole process")))
    return with_ratios(rows)


def first_compile(context: Context) -> list[Result]:
    """The command that trains `digits` for one epoch, with an empty and then with a full kernel cache."""
    cache = context.scratch / "kernel-cache"
    rows = []
    for peer in ("empty cache", "full cache"):
        context.say(f"first-compile: {peer}")
        out = context.scratch / f"digits {peer}"
        arguments = ["-m", "glassnet", "train", "digits", "--epochs", "1", "--out", str(out)]
        try:
            seconds = _python(arguments, context.scratch, GLASSNET_CACHE=str(cache))
        except WorkerError as error:
            rows.append(Result("first-compile", peer, None, "s", note=str(error)))
            continue
        cached = any(path.is_file() for path in cache.rglob("*"))
        note = "whole command" if cached else "nothing was cached, so this is not meaningful"
        rows.append(Result("first-compile", peer, seconds, "s", rounds=1, note=note))
    return rows


def memory(context: Context) -> list[Result]:
    """Peak memory of a process that loads the images and trains for one timed call: glassnet and eager PyTorch.

    A compiled peer would include its compiler.
    """
    rows: list[Result] = []
    for name in TRAINING:
        work = context.workload(name)
        threads = 1 if work.one_core else context.threads
        folder = context.scratch / f"memory-{name}"
        write_inputs(work, images_for(work), folder)
        eager = [peer for peer in work.peers if PEERS[peer].needs == "torch" and not PEERS[peer].compiles]
        found = [_memory_of(peer, work, folder, context, threads, f"memory: {name}, {peer}") for peer in ("ours", *eager)]
        rows += with_ratios(found)
    return rows


def _memory_of(peer: str, work: Workload, folder: Path, context: Context, threads: int, word: str) -> Result:
    context.say(word)
    label = f"{peer} at {work.name}"
    missing = PEERS[peer].missing
    if missing is not None:
        return Result("memory", label, None, "MiB", note=missing)
    try:
        with Worker(threads, context.scratch) as worker:
            worker.ask(do="load", peer=peer, workload=work.to_json(), folder=str(folder), threads=threads)
            worker.ask(do="run")
            mebibytes = worker.ask(do="memory")["mebibytes"]
    except WorkerError as error:
        return Result("memory", label, None, "MiB", note=str(error))
    return Result("memory", label, mebibytes, "MiB", rounds=1, note="whole process, images and libraries included")


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"


def _python(arguments: Sequence[str], folder: Path, **environment: str) -> float:
    """Run a new Python process and return its seconds."""
    began = time.perf_counter()
    try:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env=child_environment(**environment),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise WorkerError(f"failed: timed out after {TIMEOUT:.0f} s") from error
    taken = time.perf_counter() - began
    if done.returncode:
        words = done.stderr.strip().splitlines()
        raise WorkerError(f"failed: {words[-1] if words else f'exit code {done.returncode}'}")
    return taken


FIGURES: dict[str, Callable[[Context], list[Result]]] = {
    "import": import_time,
    "first-compile": first_compile,
    "memory": memory,
    "convolution": convolution,
    "peak": peak,
}
