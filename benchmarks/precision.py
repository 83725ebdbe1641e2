"""What bfloat16 and int8 gain and cost: `python -m benchmarks.precision [speed | int8 | accuracy] [--epochs N] [--out DIR]`.

`speed`: training steps and predictions of dense and recurrent networks on MNIST, and steps of convolutions on random images,
one thread: float32 and bfloat16 of glassnet, float32 and autocast to bfloat16 of PyTorch, in turn in one process; the least
processor time of some turns. `int8`: the test images of MNIST predicted in float32, bfloat16 and int8 by networks trained for
an epoch and calibrated on the validation images; how many are computed again, and how many get another class. `accuracy`: the
recipe mnist-mlp over five seeds in both precisions, compared over images and seeds on the validation data; and what rounding
does to the gradient.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import glassnet as gn
from glassnet.runtime import StepPlan, make_trainer

SEEDS, TURNS = 5, 9
PRECISIONS = ("float32", "bfloat16")
PREDICTED = (*PRECISIONS, "int8")


@dataclass(frozen=True)
class Case:
    """Steps of `batch` images of MNIST through hidden layers with ReLU; `images`: to predict instead, at once.

    Or of MNIST's rows through a recurrent layer of so many units, "LSTM 128", or steps of random images of `shape` through
    convolutions (filters, kernel, stride) with ReLU, "same".
    """

    hidden: tuple[int, ...] = ()
    recurrent: str = ""
    batch: int = 0
    images: int = 0
    shape: tuple[int, int, int] = (28, 28, 1)
    convolutions: tuple[tuple[int, int, int], ...] = ()

    @property
    def name(self) -> str:
        what = f"steps of {self.batch}" if self.batch else f"prediction of {self.images:,}"
        if self.convolutions:
            each = ", ".join(f"{k}×{k}/{s} {filters}" for filters, k, s in self.convolutions)
            return f"{'×'.join(map(str, self.shape))}: {each}, {what}"
        if self.recurrent:
            return f"{self.recurrent} over 28 rows of 28, {what}"
        return f"784-{'-'.join(map(str, self.hidden))}-10, {what}"


CASES = (
    Case((2048, 2048), batch=64),
    Case((2048, 2048), batch=512),
    Case((1000, 1000), batch=64),
    Case((1000, 1000), batch=128),
    Case((512, 512), batch=128),
    Case((512, 512), images=10_000),
    Case((512, 512), images=1),
    Case(batch=64, recurrent="LSTM 64"),
    Case(batch=64, recurrent="LSTM 128"),
    Case(batch=64, recurrent="LSTM 256"),
    Case(batch=64, recurrent="GRU 128"),
    Case(images=1_000, recurrent="LSTM 128"),
    Case(batch=64, shape=(16, 16, 32), convolutions=((32, 5, 1),) * 3),
    Case(batch=32, shape=(32, 32, 64), convolutions=((128, 3, 2), (256, 3, 2))),
    Case(batch=32, shape=(16, 16, 64), convolutions=((256, 1, 1), (64, 1, 1), (256, 1, 1))),
    Case(batch=32, shape=(16, 16, 64), convolutions=((64, 3, 1), (64, 3, 1))),
)


INT8_CASES = (
    Case((100,), images=10_000),
    Case((512, 512), images=10_000),
    Case((2048, 2048), images=10_000),
    Case(images=10_000, convolutions=((32, 3, 1), (32, 3, 2), (64, 3, 1))),
    Case(images=10_000, convolutions=((32, 5, 1), (64, 5, 2), (128, 1, 1))),
)


def _network(case: Case) -> gn.Network:
    body: list[gn.Layer] = [] if case.convolutions or case.recurrent else [gn.Flatten()]
    if case.recurrent:
        kind, width = case.recurrent.split()
        body.append(getattr(gn, kind)(int(width)))
    for filters, kernel, stride in case.convolutions:
        body += [gn.Conv2D(filters, kernel, strides=stride, padding="same"), gn.ReLU()]
    for units in case.hidden:
        body += [gn.Dense(units), gn.ReLU()]
    if case.convolutions:
        body += [gn.Flatten() if case.images else gn.GlobalAveragePool2D()]
    layers = [gn.Pixels(), *body, gn.Dense(10)]
    return gn.Network(layers, loss="SoftmaxCrossEntropy", input_shape=case.shape, seed=1)


def _glassnet(case: Case, pixels: Any, labels: Any, precision: str) -> Callable[[], object]:
    network = _network(case)
    if case.images:
        return lambda: network.predict(pixels, precision=precision)
    plan = StepPlan(batch_size=case.batch, optimizer=gn.SGD(0.01), threads=1, precision=precision)
    trainer, steps = make_trainer(network, network.rows(pixels), labels, plan), len(pixels) // case.batch
    trainer.begin_epoch(np.arange(len(pixels)), np.full(steps, 0.01), np.random.default_rng(1))
    return lambda: trainer.run(0, steps, 0)


def _torch_recurrent(layer: Any) -> Any:
    """The last state of a recurrent layer over the rows of images (N, 1, H, W)."""
    import torch

    class LastState(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, images: Any) -> Any:
            return self.layer(images[:, 0])[0][:, -1]

    return LastState()


def _torch(case: Case, pixels: Any, labels: Any, precision: str) -> Callable[[], object]:
    import torch

    torch.set_num_threads(1)
    nn = torch.nn
    body: list[Any] = [] if case.convolutions else [nn.Flatten()]
    width = case.shape[2] if case.convolutions else 784
    for filters, kernel, stride in case.convolutions:
        body += [nn.Conv2d(width, filters, kernel, stride, kernel // 2), nn.ReLU()]
        width = filters
    for units in case.hidden:
        body += [nn.Linear(width, units), nn.ReLU()]
        width = units
    body += [nn.AdaptiveAvgPool2d(1), nn.Flatten()] if case.convolutions else []
    if case.recurrent:
        width = int(case.recurrent.split()[1])
        body = [_torch_recurrent(getattr(nn, case.recurrent.split()[0])(28, width, batch_first=True))]
    network: Any = nn.Sequential(*body, nn.Linear(width, 10))
    network = network.to(memory_format=torch.channels_last)
    x = torch.from_numpy(pixels.astype(np.float32) / 255).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    y = torch.from_numpy(labels)
    optimizer, loss = torch.optim.SGD(network.parameters(), lr=0.01), torch.nn.CrossEntropyLoss()
    casts = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")

    def train() -> None:
        for first in range(0, len(x), case.batch):
            optimizer.zero_grad()
            with casts:
                value = loss(network(x[first : first + case.batch]), y[first : first + case.batch])
            value.backward()
            optimizer.step()

    def predict() -> object:
        with torch.inference_mode(), casts:
            return network(x).argmax(dim=1)

    return predict if case.images else train


def speed() -> None:
    mnist = gn.load_dataset("mnist").train
    print(f"{'':60}{'glassnet':>20}{'PyTorch':>20}{'float32:':>10}{'bfloat16:':>10}")
    # PyTorch's times, divided by glassnet's.
    print(f"{'ms of one thread':60}{'float32  bfloat16':>20}{'float32  bfloat16':>20}{'P/g':>10}{'P/g':>10}")
    for case in CASES:
        count = case.images or case.batch * (1 if case.convolutions else max(4, 2048 // case.batch))
        pixels, labels = mnist.images[:count], mnist.labels[:count].copy()
        if case.convolutions:
            pixels = np.random.default_rng(1).integers(0, 256, (count, *case.shape)).astype(np.uint8)
        runs = [make(case, pixels, labels, precision) for make in (_glassnet, _torch) for precision in PRECISIONS]
        again = 200 if count == 1 else 1
        least = [np.inf] * len(runs)
        for turn in range(TURNS + 1):
            for number, run in enumerate(runs):
                begin = time.process_time()
                for _ in range(again):
                    run()
                if turn:  # the first one compiles
                    least[number] = min(least[number], (time.process_time() - begin) / again)
        ms = [1000 * each * (case.batch / count if case.batch else 1) for each in least]
        shown = "".join(f"{each:>10.3g}" for each in ms)
        print(f"{case.name:60}{shown}{ms[2] / ms[0]:>10.2f}{ms[3] / ms[1]:>10.2f}", flush=True)


def int8() -> None:
    mnist = gn.load_dataset("mnist")
    assert mnist.validation is not None
    assert mnist.test is not None
    pixels = mnist.test.images
    print(f"{'ms of one thread':60}{''.join(f'{precision:>10}' for precision in PREDICTED)}{'again':>10}{'changed':>10}")
    for case in INT8_CASES:
        network = _network(case)
        network.fit(mnist.train.head(10_000), epochs=1, seed=1, threads=1, progress=False)
        network.calibrate(mnist.validation.images)
        predictors = [network.predictor_at(precision, "benchmark") for precision in PREDICTED]
        least, rows = [np.inf] * len(predictors), network.rows(pixels)
        for turn in range(TURNS + 1):
            for number, predictor in enumerate(predictors):
                begin = time.process_time()
                predictor.classes(rows)
                if turn:
                    least[number] = min(least[number], time.process_time() - begin)
        exact, found = (network.predict_proba(pixels, precision=precision) for precision in ("float32", "int8"))
        again = (exact == found).all(axis=1).mean()
        changed = (exact.argmax(axis=1) != found.argmax(axis=1)).sum()
        shown = "".join(f"{1000 * each:>10.3g}" for each in least)
        print(f"{case.name:60}{shown}{100 * again:>8.2f} %{changed:>10}", flush=True)


def accuracy(epochs: int, out: Path) -> None:
    runs: list[gn.Run] = []
    for precision in PRECISIONS:
        for seed in range(1, SEEDS + 1):
            begin = time.process_time()
            runs.append(
                gn.train(
                    "mnist-mlp", seed=seed, epochs=epochs, out=out / precision / f"seed-{seed}",
                    settings={"training.precision": precision}, progress=False,
                )
            )  # fmt: skip
            found = runs[-1].history.validation_accuracy[-1]
            print(f"{precision} seed {seed}: {100 * found:.2f} % ({time.process_time() - begin:.0f} s)", flush=True)
    print(gn.compare([out / precision for precision in PRECISIONS]))
    check = gn.check_gradients(runs[-1].network, runs[-1].splits.train.head(64), precision="bfloat16")
    print(f"relative error of the gradient: {check.rounding}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("speed", "int8", "accuracy"))
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.what in (None, "speed"):
        speed()
    if arguments.what in (None, "int8"):
        int8()
    if arguments.what in (None, "accuracy"):
        with tempfile.TemporaryDirectory() as folder:
            accuracy(arguments.epochs, arguments.out or Path(folder))


if __name__ == "__main__":
    main()
