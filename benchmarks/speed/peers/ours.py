"""glassnet, through its public API."""

from __future__ import annotations

from typing import Any

from benchmarks.speed import layered
from benchmarks.speed.images import Images
from benchmarks.speed.peers.base import Peer, Predictor
from benchmarks.speed.weights import Weights
from benchmarks.speed.workloads import DenseWorkload, LayeredWorkload, Order


class Ours(Peer[DenseWorkload | LayeredWorkload]):
    """`Network.fit` and `Network.predict` on the images as bytes."""

    def prepare(self, images: Images) -> None:
        import glassnet as gn

        self.images, self.labels = images.images, images.labels
        self.dataset = gn.Dataset(images.images, images.labels)
        self.net = self.work.network() if isinstance(self.work, LayeredWorkload) else _dense(self.work)

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

    def _fit(self, dataset: Any, epochs: int) -> None:
        import glassnet as gn

        self.net.fit(
            dataset,
            epochs=epochs,
            batch_size=self.work.batch,
            optimizer=gn.SGD(self.work.rate),
            seed=1,
            threads=self.threads,
            progress=False,
        )

    def predictor(self) -> Predictor:
        predict, images = self.net.predict, self.images
        return lambda: predict(images)


def _dense(work: DenseWorkload) -> Any:
    import glassnet as gn

    if work.hidden == "sigmoid" and work.loss == "quadratic":
        return gn.Network(list(work.sizes), seed=1)
    layers: list[Any] = [gn.Flatten(), gn.Pixels()]
    for units in work.sizes[1:-1]:
        layers += [gn.Dense(units), gn.ReLU() if work.hidden == "relu" else gn.Sigmoid()]
    layers += [gn.Dense(work.sizes[-1]), gn.Sigmoid()]
    return gn.Network(layers, loss=gn.BinaryCrossEntropy(), input_shape=work.shape, seed=1)
