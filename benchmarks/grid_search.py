"""A grid search over `NetworkClassifier` and over `MLPClassifier`: `python -m benchmarks.grid_search [--quick]`.

GridSearchCV over hidden units and learning rates, as Nielsen's tutorial has it (MNIST, one hidden layer of sigmoids,
mini-batches of 10, plain SGD), with the softmax's cross-entropy, as MLPClassifier has no other loss. Both get the same
images, MLPClassifier as float32 in 0…1, ours as the bytes that they are or, with `--floats`, as float32, too; one split, as
many processes, and one thread each. They take turns, one number of hidden units after the other.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import glassnet as gn
from glassnet.errors import GlassnetError

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # of processes that are begun later
Grid = dict[str, Sequence[Any]]
GRID: Grid = {
    "hidden_layer_sizes": [(15,), (30,), (50,), (70,), (100,)],
    "learning_rate_init": [0.03, 0.1, 0.3, 1.0, 3.0],
}
QUICK: Grid = {"hidden_layer_sizes": [(15,), (30,)], "learning_rate_init": [0.1, 0.3]}
COMMON: dict[str, Any] = {
    "activation": "logistic",
    "batch_size": 10,
    "max_iter": 5,
    "random_state": 1,
    "n_iter_no_change": np.inf,
}


@dataclass
class Measured:
    """The grid search over one estimator: its time, and the best point with its accuracy on the validation part."""

    name: str
    seconds: float = 0.0
    processor: float = 0.0  # seconds of this process, which other work on the machine does not change
    accuracy: float = 0.0
    best: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        best = ", ".join(f"{name}={value}" for name, value in self.best.items())
        times = f"{self.seconds:.2f} s, {self.processor:.2f} s of the processor"
        return f"{self.name}: {times}; best {100 * self.accuracy:.2f} % with {best}"


def estimators() -> dict[str, Any]:
    from sklearn.neural_network import MLPClassifier

    plain = {"momentum": 0.0, "alpha": 0.0, "tol": 0.0}
    return {
        "NetworkClassifier": gn.sklearn.NetworkClassifier(**COMMON, optimizer="sgd", n_jobs=1),
        "MLPClassifier": MLPClassifier(**COMMON, solver="sgd", **plain),
    }


def search(name: str, X: Any, y: Any, grid: Grid, jobs: int, measured: Measured) -> None:
    """Add a grid search to what was measured."""
    from sklearn.model_selection import GridSearchCV, ShuffleSplit
    from threadpoolctl import threadpool_limits

    one = ShuffleSplit(n_splits=1, test_size=1 / 6, random_state=1)
    found = GridSearchCV(estimators()[name], grid, cv=one, n_jobs=jobs, refit=False)
    with warnings.catch_warnings(), threadpool_limits(limits=1):
        warnings.simplefilter("ignore")  # five epochs have not converged
        start, processor = time.perf_counter(), time.process_time()
        found.fit(X, y)
        measured.seconds += time.perf_counter() - start
        measured.processor += time.process_time() - processor
    if found.best_score_ > measured.accuracy:
        measured.accuracy, measured.best = found.best_score_, found.best_params_


def measure(images: int, jobs: int, *, quick: bool = False, floats: bool = False) -> list[Measured]:
    train, grid = gn.load_dataset("mnist").train[:images], QUICK if quick else GRID
    pixels = train.images.reshape(len(train), -1)
    scaled = pixels / np.float32(255)
    rows = {name: scaled if floats or name == "MLPClassifier" else pixels for name in estimators()}
    for name in rows:  # imports, kernels and, with `jobs`, processes
        search(name, rows[name][:200], train.labels[:200], QUICK, jobs, Measured(name))
    found = {name: Measured(name) for name in rows}
    for units in grid["hidden_layer_sizes"]:
        for name in rows:
            search(name, rows[name], train.labels, {**grid, "hidden_layer_sizes": [units]}, jobs, found[name])
    return list(found.values())


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grid_search", description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=12_000, help="images, of which a sixth validates (%(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="four points instead of 25, 1,200 images")
    parser.add_argument("--floats", action="store_true", help="float32 in 0…1 for both")
    options = parser.parse_args(arguments)
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        images = 1200 if options.quick else options.images
        ours, peer = measure(images, options.jobs, quick=options.quick, floats=options.floats)
    except GlassnetError as error:
        print(error, file=sys.stderr)
        return 2
    ratio = f"{peer.seconds / ours.seconds:.1f} times as quick"
    print(ours, peer, ratio if options.jobs > 1 else f"{ratio}; {peer.processor / ours.processor:.1f} by processor", sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
