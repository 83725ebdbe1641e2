"""What a search costs beside its training, and a search beside scikit-learn's: `python -m benchmarks.search [--quick]`.

(a) 1,000 trials of a tiny network (digits, one hidden layer) by one worker, as a grid, at random and by TPE: the share of the
time that is not training. 60 epochs are those of the recipe `digits`; trials of 5 epochs, a few hundredths of a second each,
are the worst case.

(b) The 25 points of `benchmarks.grid_search`, 5 epochs each, on the recipe `nielsen-30` with the softmax's cross-entropy,
beside GridSearchCV over MLPClassifier with the same settings: the same images for training and validation, two processes, one
thread each.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import glassnet as gn
from benchmarks.grid_search import COMMON, GRID, QUICK, THREADS, estimators
from glassnet.errors import GlassnetError
from glassnet.experiment.search.plan import make_plan
from glassnet.experiment.search.records import Method
from glassnet.experiment.search.search import search

METHODS: tuple[Method, ...] = ("grid", "random", "tpe")
WORKERS = 2


def overhead(method: Method, trials: int, epochs: int) -> str:
    """One search, and what of its time was not training."""
    rates = max(1, trials // 20)
    over = (
        ["hidden=10:29:20", f"learning_rate=log:0.01:1:{rates}"]
        if method == "grid"
        else ["hidden=10:29", "learning_rate=log:0.01:1"]
    )
    tiny = gn.load_recipe("digits").changed({"layers": [64, 10, 10], "epochs": epochs})
    with tempfile.TemporaryDirectory() as folder:
        plan = make_plan(tiny, over, method=method, trials=trials)
        start = time.perf_counter()
        found = search(plan, out=Path(folder) / "out", workers=1, threads=1)
        seconds = time.perf_counter() - start
    training = sum(trial.seconds for trial in found.trials)
    share, each = 1 - training / seconds, 1000 * training / len(found.trials)
    what = f"{method}, {epochs} epochs: {len(found.trials)} trials of {each:.0f} ms"
    return f"{what} in {seconds:.1f} s, {100 * share:.1f} % outside training"


def ours(dataset: str, *, quick: bool) -> tuple[float, float]:
    """Seconds and the best validation accuracy of a search by two workers."""
    grid = QUICK if quick else GRID
    units = ",".join(str(size[0]) for size in grid["hidden_layer_sizes"])
    rates = ",".join(map(str, grid["learning_rate_init"]))
    layers = ["Flatten", "Pixels", {"type": "Dense", "units": 30}, "Sigmoid", {"type": "Dense", "units": 10}]
    same = {"layers": layers, "loss": "SoftmaxCrossEntropy", "epochs": COMMON["max_iter"], "batch_size": COMMON["batch_size"]}
    recipe = gn.load_recipe("nielsen-30").changed({**same, "dataset": dataset})
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        plan = make_plan(recipe, [f"hidden={units}", f"learning_rate={rates}"], method="grid")
        found = search(plan, out=Path(folder) / "out", workers=WORKERS, threads=1)
        seconds = time.perf_counter() - start
    assert found.best is not None
    return seconds, found.best.value or 0.0


def theirs(dataset: str, *, quick: bool) -> tuple[float, float]:
    """The same of GridSearchCV over MLPClassifier with two processes."""
    from sklearn.model_selection import GridSearchCV, PredefinedSplit

    splits = gn.load_dataset(dataset)
    assert splits.validation is not None
    parts = splits.train, splits.validation
    X = np.concatenate([part.images.reshape(len(part), -1) for part in parts]) / np.float32(splits.train.images.max())
    y = np.concatenate([part.labels for part in parts])
    split = PredefinedSplit(np.repeat([-1, 0], [len(part) for part in parts]))
    found = GridSearchCV(estimators()["MLPClassifier"], QUICK if quick else GRID, cv=split, n_jobs=WORKERS, refit=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # five epochs have not converged
        start = time.perf_counter()
        found.fit(X, y)
        return time.perf_counter() - start, float(found.best_score_)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000, help="trials of the tiny network (%(default)s)")
    parser.add_argument(
        "--epochs", type=int, nargs="*", default=[60, 5], help="their epochs, one after the other (%(default)s)"
    )
    parser.add_argument("--only", choices=["overhead", "peer"], help="one of the two measurements")
    parser.add_argument("--quick", action="store_true", help="40 trials; four points instead of 25, on digits")
    options = parser.parse_args(arguments)
    os.environ.update({**dict.fromkeys(THREADS, "1"), "PYTHONWARNINGS": "ignore"})  # of processes that are begun later
    try:
        if options.only != "peer":
            for epochs in options.epochs:
                for method in METHODS:
                    print(overhead(method, 40 if options.quick else options.trials, epochs), flush=True)
        if options.only != "overhead":
            dataset = "digits" if options.quick else "mnist"
            mine, its = ours(dataset, quick=options.quick), theirs(dataset, quick=options.quick)
            for name, (seconds, accuracy) in (("glassnet search", mine), ("GridSearchCV over MLPClassifier", its)):
                print(f"{name}: {seconds:.1f} s, best {100 * accuracy:.2f} % of the validation data")
            print(f"{its[0] / mine[0]:.1f} times as quick")
    except GlassnetError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
