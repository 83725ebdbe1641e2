"""Layers made of layers: branches that read the same input, joined by a sum (Residual) or side by side (Concatenate)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any, cast

import numpy as np

from glassnet.errors import InputError, ShapeError
from glassnet.nn.chain import Place, adapt_chain, build_chain, forward_chain, name_layers
from glassnet.nn.conv import Conv2D
from glassnet.nn.dense import Dense
from glassnet.nn.layer import Backward, Blocks, Gradients, Layer, Shape, as_layer
from glassnet.nn.windows import Pair, Windows
from glassnet.support.arrays import Array
from glassnet.support.i18n import listing, tr

Layers = Sequence[Layer | str | dict[str, Any]]


class Nested(Layer):
    """Branches of layers that read the same input; arrays inside are named "branch.layer.array", as in 0.conv2d1.weight.

    After `build`, `branch_shapes` holds for each branch the shapes before each of its layers and after the last.
    """

    def __init__(self) -> None:
        super().__init__()
        self.branches: list[list[Layer]] = []
        self.branch_shapes: list[list[Shape]] = []

    def _build_branch(self, number: int, shape: Shape, rng: np.random.Generator) -> Shape:
        """Build one branch for images of `shape`; the shape of what comes out."""
        try:
            shapes = build_chain(self.branches[number], shape, rng)
        except ShapeError as error:
            place = cast("Place", error.where)  # as `build_chain` has it
            where = replace(place, path=f"{type(self).__name__}, branch {number}, {place.path}")
            raise error.at(where, ShapeError) from None
        self.branch_shapes[number:] = [shapes]
        return shapes[-1]

    def _gather(self) -> None:
        """Take in the arrays of all layers inside, under their longer names."""
        inside = self._inside()
        self.parameters = {prefix + key: array for prefix, layer in inside for key, array in layer.parameters.items()}
        self.statistics = {prefix + key: array for prefix, layer in inside for key, array in layer.statistics.items()}
        self.penalised = tuple(prefix + key for prefix, layer in inside for key in layer.penalised)
        self.running = tuple(prefix + key for prefix, layer in inside for key in layer.running)

    def _inside(self) -> list[tuple[str, Layer]]:
        """The layers inside, each with the beginning of its arrays' names."""
        return [
            (f"{number}.{name}.", layer)
            for number, branch in enumerate(self.branches)
            for name, layer in zip(name_layers(branch), branch, strict=True)
        ]

    def adopt(self, key: str, view: Array) -> None:
        super().adopt(key, view)
        for prefix, layer in self._inside():
            if key.startswith(prefix):
                layer.adopt(key.removeprefix(prefix), view)

    @property
    def adapted(self) -> bool:
        return all(layer.adapted for _, layer in self._inside())

    @adapted.setter
    def adapted(self, value: bool) -> None:
        for _, layer in self._inside():
            layer.adapted = value

    def adapt(self, x: Array) -> None:
        self.adapt_to(lambda: [x])

    def adapt_to(self, blocks: Blocks) -> None:
        dtype = next(iter(blocks())).dtype
        for branch in self.branches:
            adapt_chain(branch, blocks, dtype)

    def _forward_branches(
        self, x: Array, training: bool, rng: np.random.Generator | None
    ) -> tuple[list[Array], Callable[[Sequence[Array]], tuple[Array, Gradients]]]:
        """The output of each branch, and the function from their gradients to (dx, gradients)."""
        passes = [forward_chain(branch, x, x.dtype, training=training, rng=rng) for branch in self.branches]

        def backward(dys: Sequence[Array]) -> tuple[Array, Gradients]:
            found = [back(dy) for dy, (_, back) in zip(dys, passes, strict=True)]
            by_layer = [gradients for _, of_branch in found for gradients in of_branch]
            return reduce(np.add, (dx for dx, _ in found)), {
                prefix + key: gradient
                for (prefix, _), gradients in zip(self._inside(), by_layer, strict=True)
                for key, gradient in gradients.items()
            }

        return [y for y, _ in passes], backward

    def operations(self, shape: Shape) -> int:
        return sum(
            layer.operations(before)
            for branch, shapes in zip(self.branches, self.branch_shapes, strict=True)
            for layer, before in zip(branch, shapes, strict=False)
        )


class Residual(Nested):
    """y = F(x) + P(x): F is `layers` in a row; P the identity, or, where F changes the shape, a projection.

    Input shape: (N, …). Output shape: that of F. `projection`: layers in a row; by default, where one is needed, a 1×1
    convolution with the strides of F (images) or a Dense (flat inputs), without bias. `branches`: the layers of F and P.
    Source: He et al., "Deep Residual Learning", arXiv 1512.03385.
    """

    options = ("layers", "projection")

    def __init__(self, layers: Layers, projection: Layers | None = None) -> None:
        super().__init__()
        self.layers = _as_layers(layers, "Residual(layers)")
        self.projection = None if projection is None else _as_layers(projection, "Residual(projection)")
        self.branches = [self.layers, self.projection or []]
        if not self.layers:
            raise InputError(tr("A residual block needs layers."), where="Residual(layers)", received=tr("none"))

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        self.branches = [self.layers, self.projection or []]
        out = self._build_branch(0, shape, rng)
        if self.projection is None and out != shape:
            self.branches[1] = [self._project(shape, out)]
        beside = self._build_branch(1, shape, rng)
        if beside != out:
            raise self._apart(out, beside)
        self._gather()
        return out

    def _project(self, shape: Shape, out: Shape) -> Layer:
        """The layer that brings `shape` to `out`."""
        if len(shape) == len(out) == 1:
            return Dense(out[0], use_bias=False)
        if len(shape) == len(out) == 3:
            strides = _strides(self.layers)
            if (-(-shape[0] // strides[0]), -(-shape[1] // strides[1])) == out[:2]:
                return Conv2D(out[2], 1, strides=strides, use_bias=False)
        raise self._apart(out, shape)

    def _apart(self, out: Shape, beside: Shape) -> ShapeError:
        return ShapeError(
            tr("The output of the residual block and its shortcut have different shapes."),
            where="Residual",
            expected=tr("{out}, the output of {layer}", out=out, layer=repr(self.layers[-1])),
            received=tr("{shape} from {layer}", shape=beside, layer=repr(self.branches[1][-1]))
            if self.branches[1]
            else tr("{shape}, its input", shape=beside),
            hint=tr("padding='same' inside the block, or a projection that gives the same shape"),
        )

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        (block, beside), backward = self._forward_branches(x, training, rng)
        return block + beside, lambda dy: backward((dy, dy))


class Concatenate(Nested):
    """y = the outputs of the branches side by side, along the last axis.

    Input shape: (N, …). Output shape: (N, …, sum of the branches' last axes). `branches`: two or more lists of layers; an
    empty one passes its input on.
    """

    options = ("branches",)

    def __init__(self, branches: Sequence[Layers]) -> None:
        super().__init__()
        if not isinstance(branches, (list, tuple)) or len(branches) < 2:
            raise InputError(
                tr("Concatenate needs at least two branches."),
                where="Concatenate(branches)",
                expected=tr("two or more lists of layers"),
                received=repr(branches),
            )
        self.branches = [
            _as_layers(branch, f"Concatenate(branches), branch {number}") for number, branch in enumerate(branches)
        ]

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        outs = [self._build_branch(number, shape, rng) for number in range(len(self.branches))]
        if len({out[:-1] for out in outs}) > 1:
            last = [repr(branch[-1]) if branch else tr("the input") for branch in self.branches]
            raise ShapeError(
                tr("The outputs of the branches can't be concatenated."),
                where="Concatenate",
                expected=tr("shapes that agree in all axes but the last"),
                received=listing(
                    tr("{shape} from {layer}", shape=out, layer=layer) for out, layer in zip(outs, last, strict=True)
                ),
                hint=tr("the same strides and padding in all branches"),
            )
        self._gather()
        return (*outs[0][:-1], sum(out[-1] for out in outs))

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        outputs, backward = self._forward_branches(x, training, rng)
        ends = np.cumsum([y.shape[-1] for y in outputs])[:-1]
        return np.concatenate(outputs, axis=-1), lambda dy: backward(np.split(dy, ends, axis=-1))


def _strides(layers: Sequence[Layer]) -> Pair:
    """The strides of layers in a row, taken together."""
    down = across = 1
    for layer in layers:
        strides = layer.strides if isinstance(layer, Windows) else _strides(layer.branches[0]) if layer.branches else (1, 1)
        down, across = down * strides[0], across * strides[1]
    return down, across


def _as_layers(layers: Layers, where: str) -> list[Layer]:
    if not isinstance(layers, (list, tuple)):
        raise InputError(
            tr("Layers must be given as a list."), where=where, expected=tr("a list of layers"), received=repr(layers)
        )
    return [as_layer(layer, f"{where}, layer {number}") for number, layer in enumerate(layers, 1)]
