"""Trainings with planted faults, one or more for each finding of the diagnosis."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassnet.data import Dataset, Splits
from glassnet.network import Network
from glassnet.nn import Dense, Flatten, Layer, LeakyReLU, Pixels, ReLU, Sigmoid
from glassnet.nn.initializers import HeNormal, Initializer, Normal, Zeros
from glassnet.nn.losses import SoftmaxCrossEntropy
from glassnet.nn.optimizers import SGD
from glassnet.nn.penalties import L2
from glassnet.training import History, TrainingWarning

Trained = tuple[History, Network, Splits]
Breaker = Callable[[Splits, int], Trained]

EPOCHS = 5


@dataclass(frozen=True)
class Fault:
    """`train(splits, seed)` trains a network with a fault that the diagnosis calls `name`; `how` describes it."""

    name: str
    how: str
    train: Breaker


FAULTS: list[Fault] = []


def _fault(name: str, how: str) -> Callable[[Breaker], Breaker]:
    def register(train: Breaker) -> Breaker:
        FAULTS.append(Fault(name, how, train))
        return train

    return register


def healthy(splits: Splits, seed: int) -> Trained:
    """The network without a fault: 64 ReLUs, softmax, plain SGD."""
    return _fit(splits, _relus(splits), seed)


def _relus(splits: Splits, width: int = 64, initializer: Initializer | None = None, depth: int = 1) -> list[Layer]:
    initializer = HeNormal() if initializer is None else initializer
    hidden = [layer for _ in range(depth) for layer in (Dense(width, initializer=initializer), ReLU())]
    return [Flatten(), Pixels(), *hidden, Dense(_outputs(splits), initializer=initializer)]


def _sigmoids(splits: Splits, depth: int, **options: Any) -> list[Layer]:
    hidden = [layer for _ in range(depth) for layer in (Dense(30, **options), Sigmoid())]
    return [Flatten(), Pixels(), *hidden, Dense(_outputs(splits), **options)]


def _outputs(splits: Splits) -> int:
    return len(splits.classes or ())


def _network(splits: Splits, layers: list[Layer], seed: int, **options: Any) -> Network:
    return Network(layers, loss=SoftmaxCrossEntropy(), input_shape=splits.train.shape, seed=seed, **options)


def _tutorial(splits: Splits, seed: int, hidden: int) -> Network:
    return Network([int(np.prod(splits.train.shape)), hidden, _outputs(splits)], seed=seed)


def _fit(splits: Splits, layers: list[Layer] | Network, seed: int, rate: float = 0.1, **options: Any) -> Trained:
    network = layers if isinstance(layers, Network) else _network(splits, layers, seed)
    settings = {"epochs": EPOCHS, "batch_size": 10, "optimizer": SGD(rate), **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        history = network.fit(splits.train, validation=splits.validation, seed=seed, progress=False, **settings)
    return history, network, splits


@_fault("learning-rate-too-high", "the tutorial's network at rate 100")
def _too_high(splits: Splits, seed: int) -> Trained:
    return _fit(splits, _tutorial(splits, seed, 30), seed, rate=100.0)


@_fault("learning-rate-too-high", "ReLUs at rate 5")
def _too_high_relus(splits: Splits, seed: int) -> Trained:
    return _fit(splits, _relus(splits), seed, rate=5.0)


@_fault("learning-rate-too-low", "the tutorial's network at rate 0.001")
def _too_low(splits: Splits, seed: int) -> Trained:
    return _fit(splits, _tutorial(splits, seed, 100), seed, rate=0.001)


@_fault("learning-rate-too-low", "ReLUs at rate 0.00001")
def _too_low_relus(splits: Splits, seed: int) -> Trained:
    return _fit(splits, _relus(splits), seed, rate=1e-5)


@_fault("saturated-units", "sigmoids with weights from N(0, 100²)")
def _saturated(splits: Splits, seed: int) -> Trained:
    layers = _sigmoids(splits, 1, initializer=Normal(100.0))
    return _fit(splits, [*layers[:-1], Dense(_outputs(splits))], seed)


@_fault("dead-relus", "biases of −30")
def _dead(splits: Splits, seed: int) -> Trained:
    network = _network(splits, _relus(splits), seed)
    dense = next(layer for layer in network.layers if isinstance(layer, Dense))
    dense.parameters["bias"][...] = -30
    return _fit(splits, network, seed)


@_fault("vanishing-gradients", "eight layers of sigmoids")
def _vanishing(splits: Splits, seed: int) -> Trained:
    return _fit(splits, _sigmoids(splits, 8), seed)


@_fault("exploding-gradients", "eight layers of ReLUs with weights from N(0, ½²)")
def _exploding(splits: Splits, seed: int) -> Trained:
    return _fit(splits, _relus(splits, initializer=Normal(0.5), depth=8), seed)


@_fault("exploding-gradients", "the same, with gradients clipped to norm 1")
def _exploding_clipped(splits: Splits, seed: int) -> Trained:
    return _fit(splits, _relus(splits, initializer=Normal(0.5), depth=8), seed, optimizer=SGD(0.01, clip_norm=1.0))


@_fault("symmetric-start", "all weights zero")
def _zeros(splits: Splits, seed: int) -> Trained:
    return _fit(splits, _sigmoids(splits, 1, initializer=Zeros()), seed)


@_fault("symmetric-start", "all weights 0.1")
def _constant(splits: Splits, seed: int) -> Trained:
    network = _network(splits, _relus(splits), seed)
    network.parameters = np.full(network.flat.size, 0.1)
    return _fit(splits, network, seed, rate=0.01)


@_fault("unscaled-inputs", "pixels of 0 to 255")
def _unscaled(splits: Splits, seed: int) -> Trained:
    return _fit(splits, [layer for layer in _relus(splits) if not isinstance(layer, Pixels)], seed)


@_fault("overfitting", "three images of each class")
def _overfitting(splits: Splits, seed: int) -> Trained:
    few = Splits(_few(splits.train, 3, seed), splits.validation)
    return _fit(few, _relus(few, 128), seed, epochs=60)


@_fault("underfitting", "a single hidden unit")
def _underfitting(splits: Splits, seed: int) -> Trained:
    return _fit(splits, [*_sigmoids(splits, 0)[:2], Dense(1), Sigmoid(), Dense(_outputs(splits))], seed, epochs=15)


@_fault("underfitting", "a penalty of 0.3 on the weights")
def _penalised(splits: Splits, seed: int) -> Trained:
    return _fit(splits, _network(splits, _relus(splits), seed, regularizer=L2(0.3)), seed, rate=0.05)


@_fault("non-finite-cost", "leaky ReLUs, which cannot die, at rate 10,000")
def _not_finite(splits: Splits, seed: int) -> Trained:
    layers = [LeakyReLU(0.1) if isinstance(layer, ReLU) else layer for layer in _relus(splits, depth=2)]
    return _fit(splits, layers, seed, rate=1e4)


@_fault("majority-class", "two classes, one with 97 % of the images, a short training")
def _majority(splits: Splits, seed: int) -> Trained:
    assert splits.validation is not None
    uneven = Splits(_uneven(splits.train, seed), _uneven(splits.validation, seed))
    return _fit(uneven, _relus(uneven), seed, rate=0.02, batch_size=32, epochs=2)


@_fault("noisy-labels", "all labels shuffled")
def _shuffled(splits: Splits, seed: int) -> Trained:
    return _fit(_relabelled(splits, 1.0, seed), _relus(splits), seed)


@_fault("noisy-labels", "30 % of the labels shuffled")
def _partly_wrong(splits: Splits, seed: int) -> Trained:
    return _fit(_relabelled(splits, 0.3, seed), _relus(splits), seed)


@_fault("validation-mismatch", "inverted validation images")
def _inverted(splits: Splits, seed: int) -> Trained:
    return _fit(_with_validation(splits, lambda images: 255 - images), _relus(splits), seed)


@_fault("validation-mismatch", "validation images shifted by a fifth of their width")
def _moved(splits: Splits, seed: int) -> Trained:
    by = max(1, splits.train.shape[1] // 5)
    return _fit(_with_validation(splits, lambda images: np.roll(images, by, axis=2)), _relus(splits), seed)


@_fault("missing-classes", "no image of the last class in the training set")
def _missing(splits: Splits, seed: int) -> Trained:
    kept = splits.train[splits.train.labels < _outputs(splits) - 1]
    return _fit(Splits(kept, splits.validation), _relus(splits), seed)


@_fault("missing-classes", "no image of the first class in the validation set")
def _not_validated(splits: Splits, seed: int) -> Trained:
    assert splits.validation is not None
    return _fit(Splits(splits.train, splits.validation[splits.validation.labels > 0]), _relus(splits), seed)


@_fault("too-few-steps", "one epoch in mini-batches of 256")
def _too_few(splits: Splits, seed: int) -> Trained:
    return _fit(splits, _relus(splits), seed, epochs=1, batch_size=256)


def _few(data: Dataset, count: int, seed: int) -> Dataset:
    """`count` images of each class."""
    order = np.random.default_rng(seed).permutation(len(data))
    return data[np.concatenate([order[data.labels[order] == label][:count] for label in range(len(data.counts))])]


def _uneven(data: Dataset, seed: int) -> Dataset:
    """Two classes, the last one and all others, with the last one reduced to 3 % of the images."""
    rng = np.random.default_rng(seed)
    is_last = data.labels == data.labels.max()
    others, last = np.flatnonzero(~is_last), rng.permutation(np.flatnonzero(is_last))
    chosen = rng.permutation(np.concatenate([others, last[: max(1, round(len(others) * 3 / 97))]]))
    return Dataset(data.images[chosen], is_last[chosen].astype(np.int64), ("another", "the last"))


def _relabelled(splits: Splits, fraction: float, seed: int) -> Splits:
    """The same images with a fraction of the labels of both splits shuffled."""
    rng = np.random.default_rng(seed)

    def relabel(data: Dataset) -> Dataset:
        labels = data.labels.copy()
        chosen = rng.permutation(len(data))[: round(fraction * len(data))]
        labels[chosen] = labels[rng.permutation(chosen)]
        return Dataset(data.images, labels, data.classes)

    return Splits(relabel(splits.train), None if splits.validation is None else relabel(splits.validation))


def _with_validation(splits: Splits, change: Callable[[Any], Any]) -> Splits:
    assert splits.validation is not None
    other = splits.validation
    return Splits(splits.train, Dataset(change(other.images), other.labels, other.classes))
