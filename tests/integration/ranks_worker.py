"""What each rank of `test_ranks.py` runs: `python -m tests.integration.ranks_worker FILE THREADS`, or `… fail|hang RANK`."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import numpy as np

import glassnet as gn
from glassnet.cli.ranks import member
from glassnet.runtime import Ranks
from glassnet.runtime.ranks import launched
from glassnet.training import order

Case = tuple[list[Any], dict[str, Any]]


def cases() -> dict[str, Case]:
    """Networks with all that is summed over a mini-batch, and how they are trained; the last mini-batches are smaller."""
    conv = [
        gn.Pixels(), gn.Conv2D(32, 3, padding="same"), gn.BatchNorm(), gn.ReLU(), gn.Conv2D(32, 3, padding="same"),
        gn.BatchNorm(), gn.ReLU(), gn.MaxPool2D(2), gn.Conv2D(24, 3), gn.ReLU(), gn.Dropout(0.2), gn.Flatten(), gn.Dense(10),
    ]  # fmt: skip
    dense = [gn.Flatten(), gn.Pixels(), gn.Dense(300), gn.LayerNorm(), gn.GELU(), gn.Dropout(0.3), gn.Dense(10)]
    recurrent = [gn.Pixels(), gn.LSTM(40, return_sequences=True), gn.GRU(30), gn.Dense(10)]
    changes = {"augmentation": {"shift": 1, "rotation": 5, "elastic": 0.3}, "plain_epochs": 1}
    return {
        "convolution": (conv, {"batch_size": 64, "optimizer": gn.AdamW(0.003), "average": 0.9, **changes}),
        "dense": (dense, {"batch_size": 100, "optimizer": gn.AdamW(0.003, clip_norm=1.0), **changes}),
        "plain SGD": (dense, {"batch_size": 100, "optimizer": gn.SGD(0.1)}),
        "recurrent": (recurrent, {"batch_size": 70, "optimizer": gn.SGD(0.1, momentum=0.9), "average": 0.9, **changes}),
        "in blocks": (dense, {"batch_size": 100, "optimizer": gn.SGD(0.1), "shuffle_block": 16}),
        "pooled": (conv[:3] + conv[7:], {"batch_size": 50, "optimizer": gn.SGD(0.05), "keep": "best"}),
    }


def train(name: str, ranks: Ranks | None, threads: int) -> tuple[Any, Any]:
    """The state of a network after a short training, and costs and norms of its epochs."""
    layers, options = cases()[name]
    splits = gn.load_dataset("digits")
    network = gn.Network(layers, input_shape=(8, 8, 1), loss="SoftmaxCrossEntropy", seed=3)
    images = splits.train[np.arange(322)]
    with TemporaryDirectory() as folder, mock.patch.object(order, "WINDOW", 5 * 16 * 64):
        if "shuffle_block" in options and ranks is not None and ranks.rank:  # as rank 0 has them, but in a file
            np.save(Path(folder) / "images.npy", images.images)
            images = gn.Dataset(np.load(Path(folder) / "images.npy", mmap_mode="r"), images.labels)
        history = network.fit(
            images, 2, validation=splits.validation, seed=5, threads=threads, ranks=ranks, progress=False, **options
        )
    figures = [
        [epoch.train_cost, epoch.validation_cost, epoch.train_accuracy, *epoch.gradient_norms.values()]
        for epoch in history.epochs
    ]
    return network.state.copy(), np.array(figures)


def go_wrong(how: str, rank: int) -> None:
    """Fail in one rank, or hang there in the middle of a step; the ranks are ended late, as on a machine with much to do."""
    with mock.patch("glassnet.cli.ranks.PASSING", 1.5), member(None) as ranks:
        assert ranks is not None
        if ranks.rank != rank:
            waits = Ranks.wait_in_step
        elif how == "fail":
            raise ValueError("broken on purpose")
        else:
            calls = count()

            def waits(ranks: Ranks, requests: Sequence[Any]) -> None:
                if next(calls) == 50:
                    time.sleep(1000)
                Ranks.wait(ranks, requests)

        with mock.patch.object(Ranks, "wait_in_step", waits):
            train("convolution", ranks, 1)


def main() -> None:
    if sys.argv[1] in ("fail", "hang"):
        go_wrong(sys.argv[1], int(sys.argv[2]))
        return
    ranks = Ranks()
    assert ranks.size == launched()
    found = {}
    for name in cases():
        found[name], found[f"{name}, figures"] = train(name, ranks, int(sys.argv[2]))
    if ranks.writes:
        np.savez(Path(sys.argv[1]), **found)
    ranks.leave()


if __name__ == "__main__":
    main()
