"""The baseline on MNIST, a support vector machine: `python -m benchmarks.svm [--images N | --all]`.

scikit-learn's SVC with the RBF kernel exp(−γ·|x − x′|²), on pixels from 0 to 1: as in the tutorial (γ = 1/784, the default at
the time), with today's default, and tuned. C and γ are chosen on validation images. The tutorial reports 94.35 % and, tuned,
98.5 %. With --all, the tutorial's and the tuned one are trained on all 60,000 images, those of validation included once C and
γ are chosen. All the images take many minutes on one core.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

import glassnet as gn
from glassnet.analysis.comparison.baselines import TUNING, Options, fit_svc, grid_for, rows, spaced, tune_svc

CACHE = 4000  # MB


@dataclass(frozen=True)
class Measured:
    """Test result of one SVC, and its training time."""

    options: Options
    correct: int
    total: int
    seconds: float

    def __str__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        found = f"{self.correct} / {self.total} correct, {100 * self.correct / self.total:.2f} %"
        return f"SVC({options}): {found}; {self.seconds:.1f} s of training"


def measure(
    splits: gn.Splits, *, grid: Mapping[str, Sequence[float]] | None = None, tuning: int = TUNING, joined: bool = False
) -> Iterator[Measured]:
    """Test results of the tutorial's SVC, today's default, and the tuned one.

    `joined`: of the first and the last, trained on training and validation images together.
    """
    train, validation, test = splits.train, splits.validation, splits.test
    assert validation is not None
    assert test is not None
    fixed: list[Options] = [{"gamma": "auto"}] if joined else [{"gamma": "auto"}, {"gamma": "scale"}]
    used = join(train, validation) if joined else train
    for options in fixed:
        yield _measured(used, test, options)
    yield _measured(used, test, tune_svc(spaced(train, tuning), validation, grid or grid_for(train)))


def join(first: gn.Dataset, second: gn.Dataset) -> gn.Dataset:
    """The images of both."""
    images, labels = (np.concatenate([getattr(part, name) for part in (first, second)]) for name in ("images", "labels"))
    return gn.Dataset(images, labels, classes=first.classes)


def _measured(train: gn.Dataset, test: gn.Dataset, options: Options) -> Measured:
    began = time.perf_counter()
    model = fit_svc(train, options, cache_size=CACHE)
    seconds = time.perf_counter() - began
    correct = int((model.predict(rows(test.images)) == test.labels).sum())
    return Measured(options, correct, len(test), seconds)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.svm", description="Measure the baseline on MNIST.")
    parser.add_argument("--images", type=int, help="number of training images; default: all 50,000")
    parser.add_argument("--all", action="store_true", help="train on all 60,000 images, training and validation joined")
    parsed = parser.parse_args(arguments)
    splits = gn.load_dataset("mnist")
    if parsed.images:
        splits = gn.Splits(splits.train.head(parsed.images), splits.validation, splits.test)
    for measured in measure(splits, joined=parsed.all):
        print(measured, flush=True)


if __name__ == "__main__":
    main()
