"""The cells of the speed map: families of networks, drawn up by rule and not by what is quick."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from threadpoolctl import threadpool_limits

from benchmarks.speed.workloads import Description, LayeredWorkload

Precision = Literal["float32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")
MOST_FLOPS, MOST_WEIGHTS = 40e9, 24e6
"""Cells with more operations a step, or more weights in dense layers, are left out: they would take minutes."""
MANY = 1000
"""Images of a prediction of many."""
SECONDS, RATE, OVERHEAD = 0.12, 50e9, 1e-4
"""A timed call takes about so long, if a thread does so many operations a second, and a step needs so long besides."""
HELD = 16384
"""Training images of a cell, at most."""
EVERY = 4
"""One cell in so many is in the quick map."""


@dataclass(frozen=True)
class Cell:
    """One place of the map: a workload, the threads it has, and its row and column in the panel of its family."""

    family: str
    row: str
    column: str
    work: LayeredWorkload
    threads: int
    marked: bool
    """Whether PyTorch's compiled networks are among the peers: half of the cells, as each is compiled for many seconds."""

    @property
    def name(self) -> str:
        return f"{self.family}: {self.row}, {self.column}"

    @property
    def too_large(self) -> bool:
        """Whether it is left out."""
        weights = sum(count for count in self.work.multiplications) if self.family == "dense" else 0
        return (self.work.kind == "train" and self.work.flops > MOST_FLOPS) or weights > MOST_WEIGHTS

    @property
    def peers(self) -> tuple[str, ...]:
        """The peers of its float32 or bfloat16."""
        layouts = ["torch-net"]
        if any(_has_windows(layer) for layer in self.work.layers):
            layouts.append("torch-net-last")
        compiled = [f"{name}-compiled" for name in layouts[-1:]] if self.marked else []
        exported = ["openvino"] if self.work.precision == "bfloat16" else ["onnxruntime", "openvino"]
        return (*layouts, *compiled, "jax-net", *(exported if self.work.kind == "predict" else ()))


def _has_windows(layer: Description) -> bool:
    return isinstance(layer, dict) and layer["type"] in ("Conv2D", "Residual", "Concatenate")


def _dense(units: int) -> Description:
    return {"type": "Dense", "units": units}


def _conv(filters: int, size: int = 3, strides: int = 1) -> dict[str, Any]:
    return {"type": "Conv2D", "filters": filters, "kernel_size": size, "padding": "same", "strides": strides}


def _valid(filters: int, size: int = 5) -> Description:
    return {"type": "Conv2D", "filters": filters, "kernel_size": size}


def _bare(filters: int, size: int = 3, strides: int = 1) -> dict[str, Any]:
    """Without bias, before a normalisation."""
    return _conv(filters, size, strides) | {"use_bias": False}


_POOL: Description = {"type": "MaxPool2D", "pool_size": 2}
_MEAN = "GlobalAveragePool2D"
_GREY, _COLOUR = (28, 28, 1), (33, 33, 3)
"""33 × 33, then 17 and 9: halved by strides of 2 with the same zeros on all sides, which is how PyTorch pads."""


def _plain(layers: Sequence[Description]) -> tuple[Description, ...]:
    return ("Pixels", *layers, _dense(10))


def _mlp(*units: int, activation: Description = "ReLU") -> tuple[Description, ...]:
    return ("Flatten", *_plain([layer for width in units for layer in (_dense(width), activation)]))


def _residual(filters: int, strides: int = 1) -> list[Description]:
    inner = [_bare(filters, 3, strides), "BatchNorm", "ReLU", _bare(filters), "BatchNorm"]
    beside = {"projection": [_bare(filters, 1, strides)]} if strides > 1 else {}
    return [{"type": "Residual", "layers": inner} | beside, "ReLU"]


def _normalised(*filters: int, size: int = 3, activation: Description = "ReLU") -> list[Description]:
    return [layer for count in filters for layer in (_bare(count, size), "BatchNorm", activation)]


def _inception(each: int) -> list[Description]:
    branches = [[_conv(each, 1), "ReLU"], [_conv(each, 1), "ReLU", _conv(each, 3), "ReLU"], [_conv(each, 5), "ReLU"]]
    return [{"type": "Concatenate", "branches": branches}]


_NORMED_MLP = ("Flatten", *_plain([layer for _ in range(3) for layer in (_dense(256), "LayerNorm", "GELU")]))
_VGG = _plain([*_normalised(32), _POOL, *_normalised(64, 64), _POOL, *_normalised(128, 128), _MEAN])
_RESNET = _plain([*_normalised(16), *_residual(16), *_residual(32, 2), *_residual(64, 2), _MEAN])
_NIELSEN = _plain([
    _valid(20), "ReLU", _POOL, _valid(40), "ReLU", _POOL, "Flatten", _dense(100), "ReLU",
])  # fmt: skip
_SPEEDRUN = _plain([
    _valid(24, 2), "GELU", *_normalised(64, activation="GELU"), _POOL,
    *_normalised(64, 256, activation="GELU"), _POOL, *_normalised(256, 256, activation="GELU"), _POOL, "Flatten",
])  # fmt: skip

Shape = tuple[int, int, int]
NETWORKS: dict[str, tuple[Shape, tuple[Description, ...]]] = {
    "64-32-10": ((8, 8, 1), _mlp(32)),
    "784-30-10, sigmoid": (_GREY, _mlp(30, activation="Sigmoid")),
    "784-800-800-10": (_GREY, _mlp(800, 800)),
    "LayerNorm + GELU, 3 × 256": (_GREY, _NORMED_MLP),
    "Nielsen's, 5×5 20, 40": (_GREY, _NIELSEN),
    "5×5 + BatchNorm, 16, 32": (_GREY, _plain([*_normalised(16, size=5), _POOL, *_normalised(32, size=5), _MEAN])),
    "VGG 32-64-64-128-128": (_GREY, _VGG),
    "ResNet 16-32-64": (_COLOUR, _RESNET),
    "Inception, 16 each": (_COLOUR, _plain([_conv(32), "ReLU", _POOL, *_inception(16), _POOL, *_inception(16), _MEAN])),
    "CIFAR speedrun 64-256-256": ((32, 32, 3), _SPEEDRUN),
}
ASKED: dict[str, tuple[Shape, tuple[Description, ...]]] = {
    "784-30-10": (_GREY, _mlp(30)),
    "784-512-512-10": (_GREY, _mlp(512, 512)),
    "784-2048-2048-10": (_GREY, _mlp(2048, 2048)),
    "LayerNorm + GELU, 3 × 256": (_GREY, _NORMED_MLP),
    "VGG 32-64-64-128-128": (_GREY, _VGG),
    "5×5 + BatchNorm, 16, 32": NETWORKS["5×5 + BatchNorm, 16, 32"],
    "ResNet 16-32-64": (_COLOUR, _RESNET),
    "LSTM 128": (_GREY, _plain([{"type": "LSTM", "units": 128}])),
}


def dense(shape: Shape, width: int, depth: int, batch: int, threads: int, precision: Precision) -> LayeredWorkload:
    """`depth` hidden layers of `width`."""
    return train(shape, _mlp(*[width] * depth), batch, threads, precision)


def convolutions(shape: Shape, channels: int, size: int, strides: int, threads: int, precision: Precision) -> LayeredWorkload:
    """To `channels` by 3×3, then two convolutions of `size` among them."""
    window = _conv(channels, size, strides)
    layers = _plain([_conv(channels), "ReLU", window, "ReLU", window, "ReLU", _MEAN])
    return train(shape, layers, 32, threads, precision)


def train(shape: Shape, layers: tuple[Description, ...], batch: int, threads: int, precision: Precision) -> LayeredWorkload:
    """A training of as many steps as take about `SECONDS`."""
    work = LayeredWorkload(
        name="cell", layers=layers, shape=shape, source="noise", images=3 * batch, batch=batch, rate=0.01, peers=(),
        per="step", checked=1, steady=True, precision=precision,
    )  # fmt: skip
    steps = min(2000, max(2, round(SECONDS / (work.flops / (RATE * threads) + OVERHEAD))))
    stretch = max(2, min(steps, (HELD // batch - 1) // 2))
    return replace(work, images=(2 * stretch + 1) * batch, epochs=-(-steps // stretch))


def predict(shape: Shape, layers: tuple[Description, ...], batch: int, threads: int, precision: Precision) -> LayeredWorkload:
    """A prediction of many images, or of one image after the other."""
    work = LayeredWorkload(
        name="cell", layers=layers, shape=shape, source="noise", images=max(batch, 50), batch=batch, rate=0.01, peers=(),
        kind="predict", per="image", precision=precision,
    )  # fmt: skip
    seconds = work.images * 2 * sum(work.multiplications) / (RATE * threads) + work.images / batch * OVERHEAD / 3
    return replace(work, calls=max(1, round(SECONDS / seconds)))


def cells(threads: int, precision: Precision) -> list[Cell]:
    """The whole map, without what is too large."""
    with threadpool_limits(limits=1):  # initial weights, which are drawn to count operations, have small products
        found = [cell for cell in _all(threads, precision) if not cell.too_large]
    return [replace(cell, marked=number % 2 == 0) for number, cell in enumerate(found)]


def quick(found: Sequence[Cell]) -> list[Cell]:
    """One cell in `EVERY`, without PyTorch's compiled networks."""
    return [replace(cell, marked=False) for cell in found[::EVERY]]


def _all(threads: int, precision: Precision) -> Iterator[Cell]:
    def cell(family: str, row: str, column: str, make: Callable[..., LayeredWorkload], *given: Any) -> Cell:
        used = 1 if column.endswith("1 thread") else threads
        return Cell(family, row, column, make(*given, used, precision), used, marked=False)

    for width in (32, 128, 512, 1000, 2048, 4096):
        for depth, batch, word in (
            (2, 16, ""), (2, 64, ""), (2, 256, ""), (2, 1024, ""), (1, 64, ""), (4, 64, ""), (2, 64, ", 1 thread")
        ):  # fmt: skip
            yield cell("dense", f"{width} wide", f"{depth} deep, batch {batch}{word}", dense, _GREY, width, depth, batch)
    for channels in (16, 32, 64, 128, 256):
        for side, size, strides, word in (
            (33, 3, 1, ""), (33, 5, 1, ""), (33, 3, 2, ""), (17, 3, 1, ""), (17, 5, 1, ""), (17, 1, 1, ""), (17, 3, 2, ""),
            (9, 3, 1, ""), (17, 3, 1, ", 1 thread"),
        ):  # fmt: skip
            column = f"{size}×{size}{f'/{strides}' if strides > 1 else ''} at {side}²{word}"
            yield cell("convolution", f"{channels} channels", column, convolutions, (side, side, 3), channels, size, strides)
    for kind in ("LSTM", "GRU"):
        for units in (32, 128, 256):
            for length, word in ((14, ""), (28, ""), (112, ""), (28, ", 1 thread")):
                layers = _plain([{"type": kind, "units": units}])
                yield cell("recurrent", f"{kind} {units}", f"{length} long{word}", train, (length, 28, 1), layers, 64)
    for name, (shape, layers) in NETWORKS.items():
        for batch, word in ((16, ""), (64, ""), (256, ""), (64, ", 1 thread")):
            yield cell("networks", name, f"batch {batch}{word}", train, shape, layers, batch)
    for name, (shape, layers) in ASKED.items():
        for batch, threads_word in ((1, ""), (1, ", 1 thread"), (MANY, ""), (MANY, ", 1 thread")):
            images = "one image" if batch == 1 else f"{MANY} images"
            yield cell("prediction", name, images + threads_word, predict, shape, layers, batch)
