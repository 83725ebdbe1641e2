"""Random networks of all layers, with data, loss, optimizer and mini-batches for three training steps.

The seed determines everything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import ShapeError
from glassnet.network import Network
from glassnet.nn import (
    GELU,
    GRU,
    LSTM,
    AveragePool2D,
    BatchNorm,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool2D,
    GlobalMaxPool2D,
    Layer,
    LayerNorm,
    LeakyReLU,
    MaxPool2D,
    Pixels,
    ReLU,
    Residual,
    Scale,
    Sigmoid,
    SimpleRNN,
    Softmax,
    Standardize,
    Swish,
    Tanh,
)
from glassnet.nn.initializers import Normal
from glassnet.nn.losses import BinaryCrossEntropy, Loss, Quadratic, SoftmaxCrossEntropy
from glassnet.nn.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop
from glassnet.nn.penalties import L1, L1L2, L2, Regularizer

Array = NDArray[Any]
Rng = np.random.Generator
Shape = tuple[int, ...]

STEPS = 3
WORK = 4_000_000  # maximum number of multiplications of a forward pass
SIDES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 16, 19)
WIDTHS = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 20, 33)  # around the register widths of all processors
BATCHES = (1, 2, 3, 4, 5, 8, 9, 16, 17, 33)
POINTWISE = (Sigmoid, Tanh, ReLU, LeakyReLU, GELU, Swish)


@dataclass(frozen=True)
class Case:
    """A network and three training steps; the last mini-batch is smaller if `len(images)` is not a multiple of `batch`."""

    seed: int
    network: Network
    images: Array
    labels: Array
    weights: NDArray[np.float64] | None
    batch: int
    optimizer: Optimizer
    rates: NDArray[np.float64]
    averaging: float | None
    keep_gradient: bool
    threads: int

    def __str__(self) -> str:
        net = self.network
        tail = (len(self.images) - 1) % self.batch + 1
        weighted = "" if self.weights is None else ", weighted"
        return (
            f"seed {self.seed}: {self.images.dtype} {net.input_shape} → {list(net.layers)!r}\n  {net.loss!r}, "
            f"{net.regularizer!r}, {self.optimizer!r} at {self.rates}, averaging {self.averaging}, "
            f"mini-batches of {self.batch}, the last of {tail}{weighted}, {self.threads} threads"
        )


def _pick(rng: Rng, choices: Any) -> Any:
    return choices[int(rng.integers(len(choices)))]


def _pair(rng: Rng, most: int) -> int | tuple[int, int]:
    one, other = (int(n) for n in rng.integers(1, most + 1, 2))
    return one if rng.random() < 0.6 else (one, other)


def _padding(rng: Rng) -> str:
    return str(_pick(rng, ("valid", "same")))


def _conv(rng: Rng) -> Layer:
    kernel = 3 if rng.random() < 0.5 else _pair(rng, 5)
    strides = 1 if rng.random() < 0.6 else _pair(rng, 3)
    return Conv2D(_pick(rng, WIDTHS), kernel, strides=strides, padding=_padding(rng), use_bias=rng.random() < 0.7)


def _pool(rng: Rng) -> Layer:
    kind = _pick(rng, (MaxPool2D, AveragePool2D))
    strides = None if rng.random() < 0.6 else _pair(rng, 3)
    layer: Layer = kind(2 if rng.random() < 0.5 else _pair(rng, 4), strides=strides, padding=_padding(rng))
    return layer


def _global(rng: Rng) -> Layer:
    layer: Layer = _pick(rng, (GlobalAveragePool2D, GlobalMaxPool2D))()
    return layer


def _recurrence(rng: Rng) -> Layer:
    kind, units, return_sequences = _pick(rng, (SimpleRNN, GRU, LSTM)), _pick(rng, WIDTHS), bool(rng.random() < 0.5)
    if kind is SimpleRNN:
        return SimpleRNN(units, activation=_pick(rng, ("tanh", "relu")), return_sequences=return_sequences)
    layer: Layer = kind(units, return_sequences=return_sequences)
    return layer


def _dense(rng: Rng) -> Layer:
    return Dense(_pick(rng, WIDTHS), use_bias=rng.random() < 0.8)


def _pointwise(rng: Rng) -> Layer:
    kind = _pick(rng, POINTWISE)
    layer: Layer = LeakyReLU(_pick(rng, (0.0, 0.01, 0.3))) if kind is LeakyReLU else kind()
    return layer


def _normalisation(rng: Rng) -> Layer:
    epsilon = _pick(rng, (1e-5, 1e-3))
    if rng.random() < 0.6:
        return BatchNorm(momentum=_pick(rng, (0.0, 0.9, 0.99)), epsilon=epsilon)
    return LayerNorm(epsilon=epsilon)


def _scaling(rng: Rng) -> Layer:
    kind = _pick(rng, (Pixels, Scale, Standardize, Dropout))
    if kind is Scale:
        return Scale(_pick(rng, (0.5, -1.5, 1 / 3)), _pick(rng, (0.0, 0.25)))
    layer: Layer = Dropout(_pick(rng, (0.0, 0.2, 0.5))) if kind is Dropout else kind()
    return layer


def _residual(rng: Rng, shape: Shape, depth: int) -> Layer:
    inside, _ = _sequence(rng, shape, int(rng.integers(1, 4)), depth + 1)
    return Residual(inside)


def _concatenate(rng: Rng, shape: Shape, depth: int) -> Layer:
    return Concatenate([_sequence(rng, shape, int(rng.integers(0, 3)), depth + 1)[0] for _ in range(int(rng.integers(2, 4)))])


def _kinds(rng: Rng, shape: Shape, depth: int) -> list[tuple[float, Any]]:
    """The layers that can follow an output of this shape, with their relative frequencies."""
    found: list[tuple[float, Any]] = [
        (2.0, partial(_pointwise, rng)),
        (1.5, partial(_normalisation, rng)),
        (0.6, partial(_scaling, rng)),
    ]
    if depth < 2:
        found += [(0.8, partial(_residual, rng, shape, depth)), (0.6, partial(_concatenate, rng, shape, depth))]
    if len(shape) == 1:
        found += [(2.5, partial(_dense, rng)), (0.2, Softmax)]
    if len(shape) == 3:
        found += [(3.0, partial(_conv, rng)), (1.5, partial(_pool, rng)), (0.2, partial(_global, rng))]
    if len(shape) in (2, 3):
        found += [(2.0 if len(shape) == 2 else 0.3, partial(_recurrence, rng)), (0.2, Flatten)]
    return found


def _sequence(rng: Rng, shape: Shape, length: int, depth: int = 0) -> tuple[list[Layer], Shape]:
    """`length` layers for an input of this shape, and their output shape; layers that do not fit are drawn again."""
    layers: list[Layer] = []
    while len(layers) < length:
        frequencies, kinds = zip(*_kinds(rng, shape, depth), strict=True)
        layer = kinds[int(rng.choice(len(kinds), p=np.array(frequencies) / sum(frequencies)))]()
        try:
            shape = layer.build(shape, np.random.default_rng(0))
        except ShapeError:
            continue
        layers.append(layer)
    return layers, shape


def _input(rng: Rng) -> Shape:
    kind = rng.random()
    if kind < 0.3:
        return (_pick(rng, (*WIDTHS, 64, 97)),)
    if kind < 0.45:
        return _pick(rng, SIDES), _pick(rng, WIDTHS)
    return _pick(rng, SIDES), _pick(rng, SIDES), _pick(rng, (1, 1, 2, 3, 4, 8, 16, 17))


def _ending(rng: Rng, shape: Shape) -> tuple[list[Layer], Loss, int]:
    """The final layers for an input of this shape, the loss, and the number of outputs."""
    loss = _pick(rng, (Quadratic(), BinaryCrossEntropy(), SoftmaxCrossEntropy(), SoftmaxCrossEntropy(label_smoothing=0.1)))
    outputs = int(_pick(rng, (1, 2, 3, 10, 17)))
    if outputs == 1 and loss.link == "Softmax":
        outputs = 2
    layers: list[Layer] = [Flatten()] if len(shape) > 1 else []
    layers.append(Dense(outputs, initializer=_pick(rng, (Normal(0.3), "GlorotUniform"))))
    ends: list[type[Layer]] = [Sigmoid] if outputs == 1 else [Sigmoid, Softmax, Tanh]
    if loss.link is not None and rng.random() < 0.5:
        layers.append(Softmax() if loss.link == "Softmax" else Sigmoid())
    elif loss.link is None and rng.random() < 0.7:
        layers.append(_pick(rng, ends)())
    return layers, loss, outputs


def _images(rng: Rng, shape: Shape, count: int, is_bytes: bool) -> Array:
    """Noise, with blank or constant pixels, values far from 0, or blank images."""
    size = (count, *shape)
    images: Array = rng.integers(0, 256, size).astype(np.uint8) if is_bytes else rng.standard_normal(size).astype(np.float32)
    if rng.random() < 0.4:
        images[rng.random(size) < 0.7] = 0
    if rng.random() < 0.1 and not is_bytes:
        images += np.float32(100)
    if rng.random() < 0.2:
        images[:, rng.random(shape) < 0.5] = 0 if is_bytes else np.float32(0.1)
    if rng.random() < 0.1:
        images[rng.random(count) < 0.5] = 0
    return images


def _optimizer(rng: Rng) -> tuple[Optimizer, float]:
    """An optimizer and a suitable learning rate."""
    clip = float(_pick(rng, (0.0, 0.0, 0.0, 0.5)))
    kind, rate = _pick(rng, (SGD, SGD, SGD, RMSprop, Adam, AdamW)), float(10 ** rng.uniform(-2, -0.3))
    if kind is SGD:
        momentum = float(_pick(rng, (0.0, 0.0, 0.04, 0.9)))
        return SGD(rate, clip_norm=clip, momentum=momentum, nesterov=momentum > 0 and bool(rng.random() < 0.5)), rate
    if kind is AdamW:
        return AdamW(rate / 10, clip_norm=clip, weight_decay=0.05), rate / 10
    found: Optimizer = kind(rate / 10, clip_norm=clip)
    return found, rate / 10


def draw_case(seed: int) -> Case:
    """The case for a seed."""
    rng = np.random.default_rng([seed, 10])
    network: Network | None = None
    while network is None:
        shape, batch = _input(rng), int(_pick(rng, BATCHES))
        if rng.random() < 0.02:  # wide enough for the kernels of very wide inputs
            shape, batch = (int(rng.integers(4090, 4200)),), int(rng.integers(62, 70))
        is_bytes = bool(rng.random() < 0.4)
        first: list[Layer] = []
        if is_bytes and rng.random() < 0.8:
            first = [_pick(rng, (Pixels(), Scale(1 / 255), Scale(1 / 128, -1.0), Standardize()))]
        layers, after = _sequence(rng, shape, 0 if shape[0] > 4000 else int(rng.integers(0, 8)))
        last, loss, outputs = _ending(rng, after)
        penalty: Regularizer | None = _pick(rng, (None, None, L1(0.01), L2(0.1), L1L2(0.01, 0.1)))
        found = Network([*first, *layers, *last], input_shape=shape, loss=loss, regularizer=penalty, seed=seed)
        network = found if batch * sum(found.operations()) <= WORK else None
    network.flat[...] += (0.05 * rng.standard_normal(network.flat.size)).astype(np.float32)
    count = (STEPS - 1) * batch + int(_pick(rng, (1, int(rng.integers(1, batch + 1)), batch)))
    images = _images(rng, shape, count, is_bytes)
    network.adapt(images)
    labels: Array = rng.integers(0, max(2, outputs), count)
    if loss.link is None and rng.random() < 0.3:
        labels = rng.standard_normal((count, outputs))
    optimizer, rate = _optimizer(rng)
    return Case(
        seed=seed,
        network=network,
        images=images,
        labels=labels,
        weights=rng.choice([0.0, 0.5, 1.0, 2.0], count) if rng.random() < 0.2 else None,
        batch=batch,
        optimizer=optimizer,
        rates=rate * rng.uniform(0.5, 1.5, STEPS),
        averaging=float(_pick(rng, (0.5, 0.99))) if rng.random() < 0.2 else None,
        keep_gradient=bool(rng.random() < 0.3),
        threads=int(rng.integers(1, 4)),
    )


def retake(case: Case, **changes: Any) -> Case:
    """The case with a new copy of its network, and changes."""
    return replace(case, **{"network": case.network.astype(str(case.network.dtype)), **changes})


__all__ = ["Case", "draw_case", "retake"]
