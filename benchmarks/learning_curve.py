"""Does a learning curve fitted on a fifth of the images predict the accuracy with all of them?

`python -m benchmarks.learning_curve [--dataset mnist|numerals] [--draws 10]`: each draw fits a curve to trainings on other
subsets of at most 20 % with other seeds; the truth is the validation accuracy of a network trained on all training images
with yet another seed. Counts how often it lies in the 90 % interval, and says how wide that is. The networks are small, so
that all of it takes minutes; the test set is not used.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from typing import Any

import glassnet as gn
from glassnet.experiment.shares import plan_shares, train_share

OPTIMIZER = {"type": "Adam", "learning_rate": {"type": "OneCycle", "learning_rate": 0.003}}
MNIST = [
    "Flatten",
    "Pixels",
    {"type": "Dense", "units": 100, "initializer": "HeNormal"},
    "ReLU",
    {"type": "Dense", "units": 10},
]
NUMERALS = [
    "Pixels", {"type": "AveragePool2D", "pool_size": 2},
    {"type": "Conv2D", "filters": 8, "kernel_size": 3}, "ReLU", "MaxPool2D",
    {"type": "Conv2D", "filters": 16, "kernel_size": 3}, "ReLU",
    "Flatten", {"type": "Dense", "units": 15},
]  # fmt: skip
WRITERS = {"dataset": "chinese-numerals", "size": 32, "split": "group", "fractions": [0.7, 0.1, 0.2]}
TRUTH = 1_000  # the draw of the training on all images


def _recipe(name: str, data: dict[str, Any], layers: list[Any]) -> gn.Recipe:
    network = {"layers": layers, "loss": "SoftmaxCrossEntropy"}
    training = {"epochs": 8, "batch_size": 32, "optimizer": OPTIMIZER}
    return gn.Recipe.model_validate({"name": name, "data": data, "network": network, "training": training})


CASES = {
    "mnist": (_recipe("mnist", {"dataset": "mnist"}, MNIST), (0.02, 0.05, 0.1, 0.2)),
    "numerals": (_recipe("numerals", WRITERS, NUMERALS), (0.03, 0.06, 0.1, 0.2)),  # 2, 4, 7 and 14 of 70 writers
}


def measure(recipe: gn.Recipe, shares: Sequence[float], seed: int) -> tuple[float, float, float, float]:
    """Low, middle and high end of the interval at all training images, and the accuracy that was reached."""
    curve = gn.learning_curve(recipe, shares=shares, seed=seed)
    truth = train_share(plan_shares(recipe, shares, seed=seed), 1.0, TRUTH)
    return *curve.predict(curve.images), truth.accuracy


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning_curve", description="Coverage of learning curves.")
    parser.add_argument("--dataset", choices=CASES, default="mnist")
    parser.add_argument("--draws", type=int, default=10)
    parsed = parser.parse_args(arguments)
    recipe, shares = CASES[parsed.dataset]
    hits, widths, misses = 0, [], []
    for seed in range(parsed.draws):
        low, middle, high, truth = measure(recipe, shares, seed)
        hits += low <= truth <= high
        widths.append(100 * (high - low))
        misses.append(100 * (middle - truth))
        inside = "inside" if low <= truth <= high else "outside"
        print(
            f"{seed}: {100 * middle:.2f} % ({100 * low:.2f} to {100 * high:.2f}), truth {100 * truth:.2f}: {inside}",
            flush=True,
        )
    print(
        f"{parsed.dataset}: {hits} of {parsed.draws} inside; median width {statistics.median(widths):.2f} points, "
        f"mean of middle - truth {statistics.fmean(misses):+.2f} points"
    )


if __name__ == "__main__":
    main()
