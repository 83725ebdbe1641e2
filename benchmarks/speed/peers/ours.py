"""glassnet, through its public API."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks.speed import layered
from benchmarks.speed.images import Images
from benchmarks.speed.peers.base import Peer, Predictor
from benchmarks.speed.weights import Weights
from benchmarks.speed.workloads import DenseWorkload, LayeredWorkload, Order, Workload
from glassnet.training import Callback, Progress


class Ours(Peer[DenseWorkload | LayeredWorkload]):
    """`Network.fit` and `Network.predict` on the images as bytes."""

    def prepare(self, images: Images) -> None:
        import glassnet as gn

        self.images, self.labels = images.images, images.labels
        self.dataset = gn.Dataset(images.images, images.labels)
        self.net = network_of(self.work)

    def set_weights(self, weights: Weights) -> None:
        self.net.parameters = layered.flatten(weights)

    def weights(self) -> Weights:
        return layered.weights_of(self.net)

    def train(self, order: Order) -> None:
        """One `fit` per mini-batch, so that the mini-batches are the given ones."""
        import glassnet as gn

        for batch in order:
            self._fit(gn.Dataset(self.images[batch], self.labels[batch]), epochs=1)

    def timed(self, order: Order) -> None:
        """One `fit`, which shuffles itself; the number of steps is the same."""
        self._fit(self.dataset, epochs=self.work.epochs)

    def seconds(self, order: Order) -> float:
        """With `steady`, those of the steps in the middle of each epoch: setting up a training is not a step's."""
        if not self.work.steady:
            return super().seconds(order)
        clock = _Clock(self.work.stretch)
        self._fit(self.dataset, epochs=self.work.epochs, callbacks=clock)
        return clock.seconds

    def _fit(self, dataset: Any, epochs: int, **options: Any) -> None:
        import glassnet as gn

        self.net.fit(
            dataset,
            epochs=epochs,
            batch_size=self.work.batch,
            optimizer=gn.SGD(self.work.rate),
            seed=1,
            threads=self.threads,
            progress=False,
            **options,
            **self.precision,
        )

    def predictor(self) -> Predictor:
        predict, batch, options = self.net.predict, self.work.batch, self.precision
        parts = [self.images[at : at + batch] for at in range(0, len(self.images), batch)]
        if len(parts) == 1:
            return lambda: predict(parts[0], **options)
        return lambda: np.concatenate([predict(part, **options) for part in parts])

    @property
    def precision(self) -> dict[str, str]:
        """The argument of `fit` and `predict` where it is not float32."""
        precision = getattr(self.work, "precision", "float32")
        return {} if precision == "float32" else {"precision": precision}


class _Clock(Callback):
    """The seconds of steps `stretch` … 2·`stretch` of all epochs."""

    def __init__(self, stretch: int) -> None:
        self.every_steps, self.stretch, self.seconds = stretch, stretch, 0.0

    def on_step_end(self, progress: Progress) -> None:
        if progress.step == self.stretch:
            self.seconds -= time.perf_counter()
        elif progress.step == 2 * self.stretch:
            self.seconds += time.perf_counter()


def network_of(work: Workload) -> Any:
    """The workload's network."""
    import glassnet as gn

    if isinstance(work, LayeredWorkload):
        return work.network()
    assert isinstance(work, DenseWorkload)
    if work.hidden == "sigmoid" and work.loss == "quadratic":
        return gn.Network(list(work.sizes), seed=1)
    layers: list[Any] = [gn.Flatten(), gn.Pixels()]
    for units in work.sizes[1:-1]:
        layers += [gn.Dense(units), gn.ReLU() if work.hidden == "relu" else gn.Sigmoid()]
    layers += [gn.Dense(work.sizes[-1]), gn.Sigmoid()]
    return gn.Network(layers, loss=gn.BinaryCrossEntropy(), input_shape=work.shape, seed=1)
