"""The workloads: training and prediction of dense networks and of networks given by layers."""

from __future__ import annotations

import functools
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

Order = NDArray[np.int64]
"""The images of each step: (steps, batch)."""
Description = str | dict[str, Any]
"""A layer, as written in recipes."""

VECTORISED = ("numpy", "sklearn", "torch-eager", "torch-compiled", "jax-scan")
LAYOUTS = ("torch-net", "torch-net-last", "torch-net-compiled", "torch-net-last-compiled")


@dataclass(frozen=True, kw_only=True)
class Workload(ABC):
    """A network, its data, and the amount of work of one timed call."""

    name: str
    shape: tuple[int, int, int]
    source: Literal["mnist", "numerals", "cats", "noise"]
    images: int
    batch: int
    rate: float
    peers: tuple[str, ...]
    kind: Literal["train", "predict"] = "train"
    per: Literal["epoch", "step", "image", "call"] = "epoch"
    epochs: int = 1
    calls: int = 1
    one_core: bool = False
    quick_images: int | None = None
    checked: int = 3
    """Training steps after which the weights are compared."""
    steady: bool = False
    """Only the steps in the middle of an epoch are timed: not setting up, the first steps, and what an epoch ends with."""

    tolerance: ClassVar[float] = 1e-3
    """Allowed error of a peer's weights, relative to the distance they moved."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Number of outputs per image."""

    @property
    @abstractmethod
    def multiplications(self) -> list[int]:
        """Multiply-add operations of each layer with products, for one image in the forward pass."""

    @property
    def full_batch(self) -> bool:
        return self.batch == self.images

    @property
    def stretch(self) -> int:
        """Timed steps of an epoch; a steady one has as many before them, and one more behind."""
        whole = self.images // self.batch
        return (whole - 1) // 2 if self.steady else whole

    @property
    def steps(self) -> int:
        """Training steps in one timed call."""
        return self.epochs * self.stretch

    @property
    def units(self) -> int:
        """Number of units of `per` in one timed call."""
        return {"epoch": self.epochs, "step": self.steps, "image": self.calls * self.images, "call": self.calls}[self.per]

    @property
    def unit(self) -> str:
        return f"s per {self.per}"

    @property
    def flops(self) -> float:
        """Useful floating-point operations in one `per` of training.

        A product (m×k)·(k×n) counts 2·m·k·n. Each layer has three (output, weight gradient, input gradient), the first
        layer two. Activations, normalisation, losses and updates are not counted.
        """
        by_layer = self.multiplications
        per_image = 6 * sum(by_layer) - 2 * by_layer[0]
        return float(per_image) * self.steps * self.batch / self.units

    def quick(self) -> Self:
        """The same workload with fewer images and calls."""
        return replace(self, images=self.quick_images or self.images, calls=max(1, self.calls // 10))

    def to_json(self) -> dict[str, Any]:
        return {"type": type(self).__name__} | asdict(self)

    @staticmethod
    def from_json(fields: dict[str, Any]) -> Workload:
        """The workload that `to_json` describes."""
        kinds: dict[str, type[Workload]] = {kind.__name__: kind for kind in (DenseWorkload, LayeredWorkload)}
        values: dict[str, Any] = {
            name: tuple(v) if isinstance(v, list) else v for name, v in fields.items() if name != "type"
        }
        return kinds[fields["type"]](**values)


@dataclass(frozen=True, kw_only=True)
class DenseWorkload(Workload):
    """Dense layers of `sizes` with activation `hidden`, and sigmoid outputs."""

    sizes: tuple[int, ...]
    hidden: Literal["sigmoid", "relu"] = "sigmoid"
    loss: Literal["quadratic", "cross-entropy"] = "quadratic"

    @property
    def outputs(self) -> int:
        return self.sizes[-1]

    @property
    def multiplications(self) -> list[int]:
        return [fan_in * fan_out for fan_in, fan_out in zip(self.sizes, self.sizes[1:], strict=False)]


@dataclass(frozen=True, kw_only=True)
class LayeredWorkload(Workload):
    """Layers as in recipes, from bytes to logits, with softmax cross-entropy."""

    layers: tuple[Description, ...]
    precision: Literal["float32", "bfloat16"] = "float32"

    tolerance: ClassVar[float] = 5e-2
    """Rounding moves some values across the kinks of ReLU and pooling: the gradient's error is about the square root of the
    outputs'. The length of the first step has a stricter limit."""

    @property
    def outputs(self) -> int:
        return int(self.network().outputs)

    @property
    def multiplications(self) -> list[int]:
        return list(_multiplications(json.dumps(self.layers), self.shape))

    def network(self) -> Any:
        """The network, in float32."""
        return _network(self.layers, self.shape)


def _network(layers: Sequence[Description], shape: tuple[int, int, int]) -> Any:
    import glassnet as gn
    from glassnet.nn import as_layer

    made = [as_layer(layer, "benchmarks") for layer in layers]
    return gn.Network(made, loss=gn.SoftmaxCrossEntropy(), input_shape=shape, seed=2)


@functools.cache
def _multiplications(layers: str, shape: tuple[int, int, int]) -> tuple[int, ...]:
    """Of the layers (JSON), those that have any."""
    return tuple(count for count in _network(json.loads(layers), shape).operations() if count)


def _nielsen(hidden: int) -> Workload:
    return DenseWorkload(
        name=f"nielsen-{hidden}",
        sizes=(784, hidden, 10),
        shape=(28, 28, 1),
        source="mnist",
        images=50_000,
        batch=10,
        rate=3.0,
        peers=(*VECTORISED, "nielsen"),
        one_core=True,
        quick_images=5_000,
    )


def _numerals(batch: int) -> Workload:
    return DenseWorkload(
        name=f"numerals-{batch}",
        sizes=(4096, 256, 15),
        shape=(64, 64, 1),
        source="numerals",
        images=2_000,
        batch=batch,
        rate=0.1,
        peers=VECTORISED,
        loss="cross-entropy",
        per="step",
        epochs=3,
        quick_images=1_000,
    )


_CATS = DenseWorkload(
    name="cats",
    sizes=(49152, 20, 7, 5, 1),
    shape=(128, 128, 3),
    source="cats",
    images=1_323,
    batch=1_323,
    rate=0.0075,
    peers=VECTORISED,
    hidden="relu",
    loss="cross-entropy",
    per="step",
    epochs=6,
)


def _predict(images: int, calls: int, name: str, per: Literal["image", "call"]) -> Workload:
    return DenseWorkload(
        name=name,
        sizes=(784, 30, 10),
        shape=(28, 28, 1),
        source="mnist",
        images=images,
        batch=images,
        rate=3.0,
        peers=("numpy", "torch-eager", "torch-argmax"),
        kind="predict",
        per=per,
        calls=calls,
        one_core=True,
    )


def _images(name: str, layers: tuple[Description, ...], batch: int, steps: int, peers: tuple[str, ...] = LAYOUTS) -> Workload:
    """Training of a network given by layers on `steps` mini-batches of MNIST."""
    return LayeredWorkload(
        name=name,
        layers=("Pixels", *layers, {"type": "Dense", "units": 10}),
        shape=(28, 28, 1),
        source="mnist",
        images=steps * batch,
        batch=batch,
        rate=0.01,
        peers=peers,
        per="step",
        quick_images=steps // 4 * batch,
    )


def _window(filters: int, size: int) -> tuple[Description, ...]:
    return {"type": "Conv2D", "filters": filters, "kernel_size": size}, "ReLU", {"type": "MaxPool2D", "pool_size": 2}


def _normalised(filters: int) -> tuple[Description, ...]:
    convolution = {"type": "Conv2D", "filters": filters, "kernel_size": 3, "padding": "same", "use_bias": False}
    return convolution, "BatchNorm", "ReLU"


_NIELSEN_CNN = (*_window(20, 5), *_window(40, 5), "Flatten", {"type": "Dense", "units": 100}, "ReLU")
_POOL: Description = {"type": "MaxPool2D", "pool_size": 2}
_VGG = (
    *_normalised(32), *_normalised(32), _POOL, *_normalised(64), *_normalised(64), _POOL, *_normalised(128),
    "GlobalAveragePool2D",
)  # fmt: skip
_LSTM = ({"type": "LSTM", "units": 128},)


WORKLOADS: dict[str, Workload] = {
    work.name: work
    for work in (
        _nielsen(30),
        _nielsen(100),
        _numerals(100),
        _numerals(1000),
        _CATS,
        _images("nielsen-cnn", _NIELSEN_CNN, 64, 120),
        _images("vgg", _VGG, 64, 120),
        _images("lstm", _LSTM, 100, 80, ("torch-net", "torch-net-compiled")),
        _predict(1, 2_000, "predict-one", "image"),
        _predict(10_000, 10, "predict-10000", "call"),
    )
}
TRAINING = tuple(name for name, work in WORKLOADS.items() if work.kind == "train")
