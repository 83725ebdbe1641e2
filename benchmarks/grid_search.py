"""A grid search over `NetworkClassifier` and over `MLPClassifier`: `python -m benchmarks.grid_search [--quick]`.

GridSearchCV over hidden units and learning rates, as Nielsen's tutorial has it (MNIST, one hidden layer of sigmoids,
mini-batches of 10, plain SGD), with the softmax's cross-entropy, as MLPClassifier has no other loss. Both get the same
float32 rows in 0…1, one split, as many processes, and one thread each.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import glassnet as gn
from glassnet.errors import GlassnetError

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # of processes that are begun later
GRID: dict[str, Sequence[Any]] = {
    "hidden_layer_sizes": [(15,), (30,), (50,), (70,), (100,)],
    "learning_rate_init": [0.03, 0.1, 0.3, 1.0, 3.0],
}
QUICK: dict[str, Sequence[Any]] = {"hidden_layer_sizes": [(15,), (30,)], "learning_rate_init": [0.1, 0.3]}
COMMON: dict[str, Any] = {
    "activation": "logistic",
    "batch_size": 10,
    "max_iter": 5,
    "random_state": 1,
    "n_iter_no_change": np.inf,
}


@dataclass(frozen=True)
class Measured:
    """One grid search: its time, and the best point with its accuracy on the validation part."""

    name: str
    seconds: float
    accuracy: float
    best: dict[str, Any]

    def __str__(self) -> str:
        best = ", ".join(f"{name}={value}" for name, value in self.best.items())
        return f"{self.name}: {self.seconds:.2f} s; best {100 * self.accuracy:.2f} % with {best}"


def estimators() -> dict[str, Any]:
    from sklearn.neural_network import MLPClassifier

    plain = {"momentum": 0.0, "alpha": 0.0, "tol": 0.0}
    return {
        "NetworkClassifier": gn.sklearn.NetworkClassifier(**COMMON, optimizer="sgd", n_jobs=1),
        "MLPClassifier": MLPClassifier(**COMMON, solver="sgd", **plain),
    }


def search(name: str, X: Any, y: Any, grid: dict[str, Sequence[Any]], jobs: int) -> Measured:
    from sklearn.model_selection import GridSearchCV, ShuffleSplit
    from threadpoolctl import threadpool_limits

    one = ShuffleSplit(n_splits=1, test_size=1 / 6, random_state=1)
    found = GridSearchCV(estimators()[name], grid, cv=one, n_jobs=jobs, refit=False)
    with warnings.catch_warnings(), threadpool_limits(limits=1):
        warnings.simplefilter("ignore")  # five epochs have not converged
        start = time.perf_counter()
        found.fit(X, y)
        seconds = time.perf_counter() - start
    return Measured(name, seconds, found.best_score_, found.best_params_)


def measure(images: int, jobs: int, *, quick: bool) -> list[Measured]:
    train = gn.load_dataset("mnist").train[:images]
    X = train.images.reshape(len(train), -1) / np.float32(255)
    for name in estimators():  # imports, kernels and, with `jobs`, processes
        search(name, X[:200], train.labels[:200], QUICK, jobs)
    return [search(name, X, train.labels, QUICK if quick else GRID, jobs) for name in estimators()]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grid_search", description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=12_000, help="images, of which a sixth validates (%(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="four points instead of 25, 1,200 images")
    options = parser.parse_args(arguments)
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        ours, peer = measure(1200 if options.quick else options.images, options.jobs, quick=options.quick)
    except GlassnetError as error:
        print(error, file=sys.stderr)
        return 2
    print(ours, peer, f"{peer.seconds / ours.seconds:.1f} times as quick", sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
