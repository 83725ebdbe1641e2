"""Measurements of glassnet by itself: its share of the peak as networks and mini-batches grow, and what statistics cost."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.speed import grid
from benchmarks.speed.client import Worker, WorkerError
from benchmarks.speed.figures import PRODUCTS, Context
from benchmarks.speed.images import images_for
from benchmarks.speed.recipe_shares import missing, names
from benchmarks.speed.results import Result
from benchmarks.speed.timing import write_inputs
from benchmarks.speed.workloads import LayeredWorkload

WIDTHS, BATCHES, CHANNELS = (64, 128, 256, 512, 1024, 2048, 4096), (16, 64, 256, 1024), (16, 32, 64, 128, 256)
BATCH, SIDE = 64, 17
"""Of the growth in width, and of that in channels."""
CALLS = 3
"""In each round; the quickest counts."""
DENSE_GOAL, CONVOLUTION_GOAL, STATISTICS_GOAL = 75, 70, 3


def workloads(*, quick: bool = False) -> dict[str, LayeredWorkload]:
    """Two dense layers as wide as their input, and three convolutions; on one thread."""
    found = {}
    for width in WIDTHS[::3] if quick else WIDTHS:
        for batch in BATCHES if width in (64, 512, 4096) and not quick else (BATCH,):
            found[f"dense, {width} wide, batch {batch}"] = grid.dense((1, width, 1), width, 2, batch, 1, "float32")
    for channels in CHANNELS[::2] if quick else CHANNELS:
        work = grid.convolutions((SIDE, SIDE, 3), channels, 3, 1, 1, "float32")
        found[f"convolution, {channels} channels at {SIDE}×{SIDE}, batch {work.batch}"] = work
    return {name: replace(work, name=f"growth-{number}", epochs=1) for number, (name, work) in enumerate(found.items())}


def growth(context: Context) -> list[Result]:
    """Useful operations a second of training steps, as a fraction of the fastest product or multiply-adds in the same run."""
    works, top = workloads(quick=context.quick), 0.0
    quickest = dict.fromkeys(works, float("inf"))
    try:
        with Worker(1, context.scratch) as meter, Worker(1, context.scratch) as worker:
            for name, work in works.items():
                folder = context.scratch / work.name
                write_inputs(replace(work, checked=0), images_for(work), folder)
                worker.ask(do="load", peer="ours", workload=work.to_json(), folder=str(folder), threads=1)
                top = max(top, meter.ask(do="multiply-adds")["speed"])
                for number in range(context.rounds):
                    context.say(f"growth: {name}, round {number + 1} of {context.rounds}")
                    for size in PRODUCTS:
                        top = max(top, 2 * size**3 / meter.ask(do="gemm", size=size, threads=1)["seconds"])
                    quickest[name] = min(quickest[name], *(worker.ask(do="run")["seconds"] for _ in range(CALLS)))
    except WorkerError as error:
        return [Result("growth", "ours", None, "% of peak", note=str(error))]
    note = "the quicker of NumPy's BLAS and of multiply-adds in registers, on one core"
    rows = [Result("growth", "peak", top / 1e9, "GFLOP/s", rounds=context.rounds, note=note)]
    for name, work in works.items():
        percent = 100 * work.flops / quickest[name] / top
        goal = DENSE_GOAL if name.startswith("dense") else CONVOLUTION_GOAL
        note = f"{work.flops / quickest[name] / 1e9:.0f} GFLOP/s" + (f"; below {goal} %" if percent < goal else "")
        rows.append(Result("growth", name, percent, "% of peak", rounds=context.rounds, note=note))
    return rows


def statistics(context: Context) -> list[Result]:
    """The share of a training that the diagnosis' statistics take, of every shipped recipe whose data is here."""
    rows = []
    for name in names()[:1] if context.quick else names():
        if reason := missing(name):
            rows.append(Result("statistics", name, None, "% of training", note=reason))
            continue
        context.say(f"statistics: {name}")
        try:
            with Worker(context.threads, context.scratch) as worker:
                found = worker.ask(do="statistics", recipe=name, threads=context.threads)
        except WorkerError as error:
            rows.append(Result("statistics", name, None, "% of training", note=str(error)))
            continue
        parts = ", ".join(f"{part} {1e3 * found[part]:.3g} ms" for part in ("epoch", "begin", "look", "norms"))
        note = f"{parts}; {found['looks']} looks in {found['epochs']} epochs"
        if found["percent"] > STATISTICS_GOAL:
            note += f"; above {STATISTICS_GOAL} %"
        rows.append(Result("statistics", name, found["percent"], "% of training", rounds=1, note=note))
    return rows
