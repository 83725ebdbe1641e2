"""Does a learning curve fitted on a fifth of the images predict the accuracy with all of them?

`python -m benchmarks.learning_curve [--dataset mnist|numerals|numerals-underfitted] [--draws 10]`: each draw fits a curve to
trainings on other subsets of at most 20 % with other seeds; the truth is the validation accuracy of a network trained on all
training images with yet another seed. Counts how often it lies in the 90 % interval, and says how wide that is. The networks
are small, so that all of it takes minutes; the test set is not used. The underfitted one is a tiny convolutional network that
curves are too hopeful of: of all images it can't fit what it still fits of a fifth.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from typing import Any

import glassnet as gn
from glassnet.experiment.shares import plan_shares, train_share

OPTIMIZER = {"type": "Adam", "learning_rate": {"type": "OneCycle", "learning_rate": 0.003}}


def _dense(units: int, classes: int) -> list[Any]:
    hidden = {"type": "Dense", "units": units, "initializer": "HeNormal"}
    return ["Flatten", "Pixels", hidden, "ReLU", {"type": "Dense", "units": classes}]


CONVOLUTION = [
    "Pixels", {"type": "AveragePool2D", "pool_size": 2},
    {"type": "Conv2D", "filters": 8, "kernel_size": 3}, "ReLU", "MaxPool2D",
    {"type": "Conv2D", "filters": 16, "kernel_size": 3}, "ReLU",
    "Flatten", {"type": "Dense", "units": 15},
]  # fmt: skip
WRITERS = {"dataset": "chinese-numerals", "size": 32, "split": "group", "fractions": [0.7, 0.1, 0.2]}
TRUTH = 1_000  # the draw of the training on all images


def _recipe(name: str, data: dict[str, Any], layers: list[Any], epochs: int) -> gn.Recipe:
    network = {"layers": layers, "loss": "SoftmaxCrossEntropy"}
    training = {"epochs": epochs, "batch_size": 32, "optimizer": OPTIMIZER}
    return gn.Recipe.model_validate({"name": name, "data": data, "network": network, "training": training})


SHARES = (0.02, 0.05, 0.1, 0.2)  # of the numerals: 1, 4, 7 and 14 of 70 writers
RECIPES = {
    "mnist": _recipe("mnist", {"dataset": "mnist"}, _dense(100, 10), 8),
    "numerals": _recipe("numerals", WRITERS, _dense(128, 15), 10),
    "numerals-underfitted": _recipe("numerals-underfitted", WRITERS, CONVOLUTION, 8),  # what a curve can't foresee
}


def measure(recipe: gn.Recipe, seed: int) -> tuple[float, float, float, float]:
    """Low, middle and high end of the interval at all training images, and the accuracy that was reached."""
    curve = gn.learning_curve(recipe, shares=SHARES, seed=seed)
    truth = train_share(plan_shares(recipe, SHARES, seed=seed), 1.0, TRUTH)
    return *curve.predict(curve.images), truth.accuracy


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning_curve", description="Coverage of learning curves.")
    parser.add_argument("--dataset", choices=RECIPES, default="mnist")
    parser.add_argument("--draws", type=int, default=10)
    parsed = parser.parse_args(arguments)
    hits, widths, misses = 0, [], []
    for seed in range(parsed.draws):
        low, middle, high, truth = measure(RECIPES[parsed.dataset], seed)
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
