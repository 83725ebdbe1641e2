"""What hidden layers say about images: the features by which an image is compared with the training images."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import InputError
from glassnet.nn import Dropout, Flatten, GlobalAveragePool2D, GlobalMaxPool2D
from glassnet.nn.losses import Quadratic
from glassnet.nn.penalties import Regularizer
from glassnet.nn.stack import Stack
from glassnet.runtime.predictor import Predictor
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr

REGIONS = 3  # a feature map is averaged over at most 3 × 3 regions
BLOCK_FLOATS = 1 << 24  # of a hidden layer's outputs at once
SUMMARIES = (Dropout, Flatten, GlobalAveragePool2D, GlobalMaxPool2D)  # what comes before them tells more


def hidden_depths(stack: Stack) -> tuple[int, ...]:
    """After how many layers features are taken: of the last hidden layer, and of the one halfway to it."""
    weighted = sorted({slot.layer for slot in stack.slots if slot.penalised})
    depths = []
    for depth in weighted[1:]:
        while isinstance(stack.layers[depth - 1], SUMMARIES):
            depth -= 1
        depths.append(depth)
    if not depths:
        raise InputError(
            tr("This network has no hidden layer, whose outputs could show what is unlike the training images."),
            where="novelty",
            expected=tr("at least two layers with weights"),
            received=repr(stack.layers[-1]),
        )
    return tuple(sorted({depths[(len(depths) - 1) // 2], depths[-1]}))


def feature_width(stack: Stack) -> int:
    """The number of features of an image."""
    shapes = [stack.shapes[depth] for depth in hidden_depths(stack)]
    return sum(prod(min(REGIONS, size) for size in shape[:-1]) * shape[-1] for shape in shapes)


class HiddenFeatures:
    """The outputs of some hidden layers of a network, side by side, each averaged over regions and scaled to length 1."""

    def __init__(self, stack: Stack, depths: tuple[int, ...], threads: int | None = None) -> None:
        self._stack = stack
        self._bounds = list(zip((0, *depths), depths, strict=False))
        self._shapes = [stack.shapes[depth] for depth in depths]
        self._parts = [_part(stack, start, stop) for start, stop in self._bounds]
        self._predictors = [Predictor(part, threads) for part in self._parts]
        self.width = feature_width(stack)
        self._block = max(1, BLOCK_FLOATS // max(map(prod, self._shapes)))

    def __call__(self, rows: Array, chosen: NDArray[np.int64] | None = None) -> Array:
        """Features (N, …) in float32, of all rows or of those chosen, with the weights that the network has now."""
        for part, (start, stop) in zip(self._parts, self._bounds, strict=True):
            for mine, layer in zip(part.layers, self._stack.layers[start:stop], strict=False):  # then comes Flatten
                for own, arrays in ((mine.parameters, layer.parameters), (mine.statistics, layer.statistics)):
                    for key, array in arrays.items():
                        own[key][...] = array
        places = range(0, max(1, len(rows) if chosen is None else len(chosen)), self._block)
        parts = (slice(i, i + self._block) for i in places)
        return np.concatenate([self._of(rows[part if chosen is None else chosen[part]]) for part in parts])

    def _of(self, rows: Array) -> Array:
        found = []
        for predictor, shape in zip(self._predictors, self._shapes, strict=True):
            rows = predictor.outputs(rows, "outputs")[0]
            found.append(_unit(_regions(rows.reshape(len(rows), *shape)).astype(np.float32)))
        return np.concatenate(found, axis=1)


def _part(stack: Stack, start: int, stop: int) -> Stack:
    """Layers `start` to `stop` as a network whose outputs are flat."""
    flat = [Flatten()] if len(stack.shapes[stop]) > 1 else []
    return Stack(
        [*stack.layers[start:stop], *flat],
        loss=Quadratic(),
        input_shape=stack.shapes[start],
        regularizer=Regularizer(),
        rng=np.random.default_rng(0),
        dtype=str(stack.dtype),
    )


def _regions(x: Array) -> Array:
    """(N, H, W, C) as means over at most 3 × 3 regions, (N, 9·C); (N, T, C) over 3 stretches of time."""
    for axis in range(1, x.ndim - 1):
        size = x.shape[axis]
        count = min(REGIONS, size)
        bounds = [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
        x = np.stack([x.take(range(*bound), axis).mean(axis) for bound in bounds], axis)
    return x.reshape(len(x), -1)


def _unit(x: Array) -> Array:
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), np.float32(1e-12)))
