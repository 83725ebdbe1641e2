"""The process of one peer: reads requests as lines of JSON and answers each with one line.

Started by `benchmarks.speed.client`, already pinned to its processors, because some libraries choose their number of threads
when they are imported.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed import definition
from benchmarks.speed.images import Images
from benchmarks.speed.machine import peak_memory
from benchmarks.speed.peers import PEERS, Peer
from benchmarks.speed.weights import disagreement, load_weights, overshoot
from benchmarks.speed.workloads import Workload

Reply = dict[str, Any]


class Job:
    """One peer on one workload: prepared, warmed up, verified, then timed."""

    def __init__(self, peer: str, workload: dict[str, Any], folder: str, threads: int) -> None:
        self.work = Workload.from_json(workload)
        self.folder = Path(folder)
        self.start = load_weights(self.folder / "start.npz")
        self.entry = PEERS[peer]
        self.peer: Peer[Any] = self.entry.load()(self.work, Images.load(self.folder), self.start, threads)
        self.limit = _limit_blas(threads)
        if self.work.kind == "train":
            order = definition.batch_order(self.work)
            steps = max(1, round(self.entry.fraction * self.work.steps))
            self.order, self.units = order[:steps], self.work.units * steps / self.work.steps
        else:
            self.predict, self.units = self.peer.predictor(), float(self.work.units)

    def run(self) -> float:
        """Seconds for one unit of the work."""
        if self.work.kind == "train":
            return self.peer.seconds(self.order) / self.units
        predict, calls = self.predict, range(self.work.calls)
        start_time = time.perf_counter()
        for _ in calls:
            predict()
        return (time.perf_counter() - start_time) / self.units

    def warm_up(self) -> float | None:
        """Seconds by which the first call took longer than the second, for peers that compile; else None."""
        first = time.perf_counter()
        self.run() if self.work.kind == "train" else self.predict()
        second = time.perf_counter()
        self.run() if self.work.kind == "train" else self.predict()
        again = time.perf_counter() - second
        return max(0.0, second - first - again) if self.entry.compiles else None

    def check(self) -> Reply:
        """The peer's errors after the last and along the first step; empty if it has another loss."""
        if self.work.kind == "predict":
            answers = np.asarray(self.predict())
            classes = answers.argmax(axis=1) if answers.ndim == 2 else answers
            return {"disagreement": float(np.mean(classes != np.load(self.folder / "classes.npy")))}
        if not self.peer.same_loss:
            return {}
        order = definition.first_steps(self.work)
        first, last = (load_weights(self.folder / f"{name}.npz") for name in ("first", "expected"))
        self.peer.set_weights(self.start)
        self.peer.train(order[:1])
        step_error = overshoot(self.start, first, self.peer.weights())
        if len(order) > 1:
            self.peer.train(order[1:])
        return {"disagreement": disagreement(self.start, last, self.peer.weights()), "overshoot": step_error}


def _limit_blas(threads: int) -> object:
    limits: object = importlib.import_module("threadpoolctl").threadpool_limits(limits=threads, user_api="blas")
    return limits


def gemm_seconds(size: int, threads: int) -> float:
    """The shortest time of a few float32 products (size×size)·(size×size)."""
    limit = _limit_blas(threads)
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((size, size), dtype=np.float32) for _ in range(2))
    c = np.empty_like(a)
    taken = []
    for _ in range(6):
        start_time = time.perf_counter()
        np.matmul(a, b, out=c)
        taken.append(time.perf_counter() - start_time)
    del limit
    return min(taken)


def _convolutions(seconds: float) -> dict[str, Any]:
    """GFLOP/s by convolution and direction."""
    module = importlib.import_module("benchmarks.speed.convolution")  # imported here because it compiles kernels
    return {
        str(window): {name: window.flops / taken / 1e9 for name, taken in module.quickest(window, seconds).items()}
        for window in module.WINDOWS
    }


def answer(request: dict[str, Any], job: Job | None) -> tuple[Reply, Job | None]:
    """Handle one request."""
    match request.pop("do"):
        case "prepare":
            job = Job(**request)
            return {"compile_seconds": job.warm_up(), "note": job.peer.note} | job.check(), job
        case "load":
            return {}, Job(**request)
        case "run" if job is not None:
            return {"seconds": job.run()}, job
        case "memory":
            return {"mebibytes": peak_memory()}, job
        case "gemm":
            return {"seconds": gemm_seconds(**request)}, job
        case "multiply-adds":
            return {"speed": importlib.import_module("benchmarks.speed.limits").multiply_adds()}, job
        case "convolution":
            return _convolutions(**request), job
        case "statistics":
            shares = importlib.import_module("benchmarks.speed.recipe_shares").measure(request["recipe"], request["threads"])
            return vars(shares) | {"percent": shares.percent}, job
        case other:
            raise ValueError(f"Unknown request {other!r}.")


def main() -> None:
    """Answer requests until the input ends. Output of libraries goes to stderr; stdout is used for answers only."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    job: Job | None = None
    for line in sys.stdin:
        try:
            reply, job = answer(json.loads(line), job)
        except Exception as error:  # becomes the note of the peer's row
            reply = {"failed": f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"}
        print(json.dumps(reply), file=channel, flush=True)


if __name__ == "__main__":
    main()
