"""Train shipped recipes over several seeds and report their test accuracy: `python -m benchmarks.accuracy [RECIPE…]`.

Each recipe is trained unchanged; the model of the last epoch is evaluated on the test set once per run.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

import glassnet as gn

SEEDS = {
    "digits": 5,
    "nielsen-30": 5,
    "nielsen-100": 5,
    "nielsen-rate-100": 1,
    "nielsen-rate-0.001": 1,
    "mnist-mlp": 3,
    "chain": 1,
}


def measure(name: str, seeds: int) -> str:
    """A line with the test accuracies in percent, their mean and standard deviation, and the training time."""
    accuracies, seconds = [], []
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            run = gn.train(name, seed=seed, out=Path(folder) / "run", progress=False)
            accuracies.append(100 * run.evaluate().accuracy)
            seconds.append(sum(run.history.seconds))
    spread = f" ± {np.std(accuracies, ddof=1):.2f}" if seeds > 1 else ""
    each = " ".join(f"{accuracy:.2f}" for accuracy in accuracies)
    return f"{name}: mean {np.mean(accuracies):.2f}{spread} %, of {seeds} ({each}); {np.mean(seconds):.1f} s of training each"


def main(names: list[str]) -> None:
    for name in names or list(SEEDS):
        print(measure(name, SEEDS.get(name, 3)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
