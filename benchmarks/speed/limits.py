"""Training steps beside their limits, the arithmetic and the bytes that must move, and which operations take the time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from benchmarks.speed import grid
from benchmarks.speed.figures import PRODUCTS, Context
from benchmarks.speed.images import images_for
from benchmarks.speed.results import Result
from benchmarks.speed.workloads import WORKLOADS, Workload

PASSES_OF_WEIGHTS, PASSES_OF_VALUES = 4, 5
"""Weights are read forward and backward, and read and written by the update; a layer's output is written, read by the next
layer and by the backward pass, and its gradient written and read."""
TRIES, SECONDS = 7, 0.05
"""Steps are repeated for so many seconds in each try."""
KINDS: dict[str, tuple[str, ...]] = {
    "products": ("DENSE", "DENSE_SKINNY", "DENSE_DX", "DENSE_DW", "DENSE_DW_SKINNY", "CONV", "CONV_BACKWARD", "RECURRENT",
                 "RECURRENT_BACKWARD"),
    "weights laid out, sums of parts": ("DENSE_TRANSPOSE", "ROTATE_WEIGHTS", "WINOGRAD_WEIGHTS", "WINOGRAD_ROTATED",
                                        "CONV_GRADIENTS", "RECURRENT_PANELS", "RECURRENT_GRADIENTS", "DENSE_DB"),
    "normalisation": ("LAYER_NORM", "LAYER_NORM_DX", "LAYER_NORM_GRADIENTS", "BATCH_NORM_STATISTICS", "BATCH_NORM_RUNNING",
                      "BATCH_NORM_SUMS", "BATCH_NORM_GRADIENTS", "IMAGE_STATISTICS"),
    "activations and pooling": ("ACTIVATION", "ACTIVATION_BACKWARD", "EPILOGUE", "EPILOGUE_BACKWARD", "AVERAGE_POOL",
                                "AVERAGE_POOL_BACKWARD"),
}  # fmt: skip
"""Convolutions are fused with the normalisation, activation and pooling that follow: all of it counts as products."""


def workloads() -> dict[str, Workload]:
    """The main workloads of docs/speed.md."""
    chosen = [WORKLOADS[name] for name in ("nielsen-30", "numerals-100", "nielsen-cnn", "vgg", "lstm")]
    found: dict[str, Workload] = {work.name: work for work in chosen}
    for name, batch in (
        ("64-32-10", 16),
        ("LayerNorm + GELU, 3 × 256", 64),
        ("ResNet 16-32-64", 64),
        ("CIFAR speedrun 64-256-256", 250),
    ):
        shape, layers = grid.NETWORKS[name]
        found[f"{name}, batch {batch}"] = grid.train(shape, layers, batch, 1, "float32")
    found["784-1000-1000-10, batch 64"] = grid.dense((28, 28, 1), 1000, 2, 64, 1, "float32")
    return found


class Step:
    """One training step on one thread, as a whole and instruction by instruction."""

    def __init__(self, work: Workload) -> None:
        import glassnet as gn
        from benchmarks.speed.peers.ours import network_of
        from glassnet.kernels import opcodes
        from glassnet.kernels.library import library
        from glassnet.runtime.trainer import CompiledTrainer, StepPlan

        self.network = network_of(work)
        images = images_for(work)
        rows = self.network.rows(images.images[: work.batch])
        self.network.adapt(images.images)
        plan = StepPlan(batch_size=work.batch, optimizer=gn.SGD(1e-6), threads=1)
        self.trainer = CompiledTrainer(self.network, rows, images.labels[: work.batch], plan)
        self.trainer.begin_epoch(np.arange(len(rows)), np.array([1e-6]), np.random.default_rng(1))
        self.trainer.run(0, 1, 0)
        executor = self.trainer._executor
        names = {number: name for name, number in vars(opcodes).items() if isinstance(number, int)}
        self.names = [names[int(opcode)] for opcode in executor.program.code[:, 0]]
        self._execute, self._context = library()["glassnet_execute"], executor._first

    def seconds(self) -> float:
        return _seconds(lambda: self.trainer.run(0, 1, 0))

    def instructions(self) -> dict[str, float]:
        """Seconds of each kind of instruction; they run in their order, so that each finds the caches as in a step."""
        taken: list[list[float]] = [[] for _ in self.names]
        clock, end = time.perf_counter, time.perf_counter() + TRIES * SECONDS
        while clock() < end or len(taken[0]) < TRIES:
            for number, times in enumerate(taken):
                start = clock()
                self._execute(self._context, number)
                times.append(clock() - start)
        kinds = {name: kind for kind, names in KINDS.items() for name in names}
        found: dict[str, float] = {}
        for name, times in zip(self.names, taken, strict=True):
            kind = kinds.get(name, "loss and others")
            found[kind] = found.get(kind, 0.0) + statistics.median(times)
        return found

    def bytes(self, batch: int) -> int:
        """What must move at least, if each value goes to memory and back as often as the equations name it."""
        values = sum(prod(shape) for shape in self.network.shapes[1:])
        of_images = 2 * prod(self.network.shapes[0])  # bytes, read forward and for the first gradient
        floats = PASSES_OF_WEIGHTS * self.network.flat.size + PASSES_OF_VALUES * values * batch
        return int(4 * floats + of_images * batch)


def _seconds(call: Callable[[], Any]) -> float:
    """The median of several tries, each of which repeats the call."""
    start = time.perf_counter()
    call()
    repeats = max(1, int(SECONDS / (time.perf_counter() - start)))
    taken = []
    for _ in range(TRIES):
        start = time.perf_counter()
        for _ in range(repeats):
            call()
        taken.append((time.perf_counter() - start) / repeats)
    return statistics.median(taken)


def copying(size: int) -> float:
    """Bytes a second, read and written, when so many are copied again and again."""
    source = np.ones(max(1024, size // 2), dtype=np.uint8)
    target = np.empty_like(source)
    return 2 * len(source) / _seconds(lambda: np.copyto(target, source))


def peak() -> float:
    """Operations a second of the quickest float32 product of NumPy's BLAS on one thread."""
    found = 0.0
    for size in PRODUCTS:
        a = np.ones((size, size), dtype=np.float32)
        found = max(found, 2 * size**3 / min(_seconds(lambda a=a: a @ a) for _ in range(3)))  # type: ignore[misc]  # mypy can't infer it
    return found


def multiply_adds() -> float:
    """Operations a second of fused multiply-adds on one core: as many sums as the register tile has, and no memory.

    A BLAS that does not know the processor stays far below it.
    """
    from numba import njit

    from glassnet.kernels.codegen.host import UNIT
    from glassnet.kernels.codegen.jit import OPTIONS
    from glassnet.kernels.codegen.simd import FLOAT, I64, emitted
    from glassnet.kernels.sizes import address

    count, steps = UNIT.tile_rows * UNIT.tile_vectors, 100_000
    held = np.full((count, UNIT.lanes), 0.5, dtype=np.float32)

    def emit_chains(emit: Any, at: Any, length: Any) -> None:
        factor = emit.splat(emit.builder.load(emit.pointer(at, FLOAT)))
        sums = [emit.variable(emit.constant(number)) for number in range(count)]

        def step(_: Any) -> None:
            for place in sums:
                emit.builder.store(emit.multiply_add(factor, emit.builder.load(place), factor), place)

        emit.each(length, step)
        for number, place in enumerate(sums):
            emit.store(emit.builder.load(place), emit.builder.add(at, I64(4 * UNIT.lanes * number)))

    chains = emitted()(emit_chains)
    run = njit(**OPTIONS)(lambda at, length: chains(at, length))
    at = address(held)
    run(at, 1)
    return 2 * held.size * steps / min(_seconds(lambda: run(at, steps)) for _ in range(3))


def limits(context: Context) -> list[Result]:
    """Of each main workload on one thread: how near a step comes to the arithmetic's limit, and where the rest goes."""
    from threadpoolctl import threadpool_limits

    rows = []
    with threadpool_limits(limits=1):
        top = peak()
        for name, work in workloads().items():
            context.say(f"limits: {name}")
            step = Step(work)
            taken, parts, size = step.seconds(), step.instructions(), step.bytes(work.batch)
            arithmetic, traffic = work.flops * work.units / work.steps / top, size / copying(size)
            whole = sum(parts.values())
            shares = ", ".join(f"{kind} {100 * seconds / max(taken, whole):.0f} %" for kind, seconds in
                               sorted(parts.items(), key=lambda part: -part[1]))  # fmt: skip
            rest = max(0.0, 100 * (1 - whole / max(taken, whole)))
            note = (
                f"step {1e6 * taken:.0f} µs; arithmetic {1e6 * arithmetic:.0f} µs at {top / 1e9:.0f} GFLOP/s; "
                f"{size / 1e6:.2g} MB {1e6 * traffic:.0f} µs; {shares}, update {rest:.0f} %"
            )
            rows.append(Result("limits", name, 100 * arithmetic / taken, "% of peak", rounds=TRIES, note=note))
    return rows
