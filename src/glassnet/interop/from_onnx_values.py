"""What a name of an ONNX graph stands for while it is read: layers from the image to a value, and where its axes lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import InputError, ShapeError
from glassnet.nn import BatchNorm, Layer, Scale, Standardize
from glassnet.nn.layer import Shape
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr

Axes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Affine:
    """y = (x − center)·scale + offset; arrays that broadcast against one image, channels last."""

    center: Array
    scale: Array
    offset: Array

    @property
    def shift(self) -> Array:
        """What it makes of 0."""
        return np.asarray(self.offset - self.center * self.scale)

    @property
    def is_scalar(self) -> bool:
        return max(self.center.ndim, self.scale.ndim, self.offset.ndim) == 0

    @property
    def is_scale(self) -> bool:
        """Whether it is one number times x."""
        return self.is_scalar and not self.shift

    def is_only(self, scale: float, shift: float) -> bool:
        """Whether it is scale·x + shift, to float32's precision."""
        near = np.allclose(self.scale, scale, rtol=1e-6) and np.allclose(self.shift, shift, rtol=1e-6)
        return self.scale.size == self.shift.size == 1 and near


@dataclass(frozen=True)
class Part:
    """A part of an expression that is a layer as a whole: "erf", "sum", "positive"; or what prediction adds: "share", …"""

    kind: str


@dataclass(frozen=True, eq=False)
class Step:
    """One layer on the way from the image, the one before it, and the shape of one image after it. `node` is in messages."""

    before: Step | None
    layer: Layer | Affine | Part | None  # None: the image
    shape: Shape
    arrays: dict[str, Array] = field(default_factory=dict)
    node: str = ""
    inside: list[tuple[Layer, dict[str, Array]]] = field(default_factory=list)  # of a layer made of branches

    def way(self) -> list[Step]:
        """The image and all steps from it to this one."""
        found: list[Step] = [self]
        while found[-1].before is not None:
            found.append(found[-1].before)
        return found[::-1]


@dataclass(frozen=True)
class Value:
    """A tensor of the graph.

    `axes`: for each of its axes, the axes of ours that lie in it: 0 the images, 1, 2, … those of one image; () is an axis of
    size 1 that we don't have. `order`: of a flat value, which of our numbers each of its numbers is.
    """

    step: Step
    axes: Axes
    order: NDArray[np.int64] | None = None

    @property
    def shape(self) -> Shape:
        """Of one image in glassnet."""
        return self.step.shape

    def size(self, axis: int) -> int:
        """Of one of our axes; that of the images counts as 1."""
        return 1 if axis == 0 else self.shape[axis - 1]

    def sizes(self) -> list[int]:
        """Of the tensor, for one image."""
        return [prod(map(self.size, group)) for group in self.axes]

    def places(self, group: tuple[int, ...]) -> tuple[int, ...]:
        """The axes of a group that matter: without those of size 1."""
        return tuple(axis for axis in group if axis == 0 or self.size(axis) > 1)

    def fits(self, wanted: Axes) -> bool:
        return len(wanted) == len(self.axes) and all(
            self.places(a) == self.places(b) for a, b in zip(self.axes, wanted, strict=True)
        )

    def natural(self) -> bool:
        """Whether the tensor's numbers lie in our order."""
        flat = [axis for group in self.axes for axis in self.places(group)]
        return self.order is None and flat == sorted(flat)

    def ours(self, constant: Array) -> Array:
        """A constant that broadcasts against the tensor, as an array that broadcasts against one image of ours."""
        if constant.size == 1:
            return np.asarray(constant, dtype=np.float64).reshape(())
        full = np.broadcast_to(constant, self.sizes()).astype(np.float64)
        if self.order is not None:
            found = np.empty(full.size)
            found[self.order] = full.ravel()
            return found
        axes = [axis for group in self.axes for axis in group if axis]
        axes += sorted({*range(1, len(self.shape) + 1)} - {*axes})  # of size 1
        placed = full.reshape([self.size(axis) for axis in axes]).transpose(np.argsort(axes))
        return _smallest(placed)


def _smallest(array: Array) -> Array:
    """The same array without the axes before the last along which it does not change."""
    same = array.ndim > 1 and bool((array == array.reshape(-1, array.shape[-1])[0]).all())
    return array.reshape(-1, array.shape[-1])[0] if same else array


FIRST: Axes = ((0,), (3,), (1,), (2,))


def last(rank: int) -> Axes:
    """The axes of images in our order."""
    return tuple((axis,) for axis in range(rank + 1))


def image(dims: Sequence[int], channels_first: bool) -> Value:
    """The network's input from the sizes of a tensor, that of the images left out."""
    if len(dims) == 3 and channels_first:
        return Value(Step(None, None, (*dims[1:], dims[0])), FIRST)
    return Value(Step(None, None, tuple(dims)), last(len(dims)))


def append(value: Value, layer: Layer, node: str, arrays: dict[str, Array] | None = None, axes: Axes | None = None) -> Value:
    """The value behind one more layer, which keeps the axes where they are if no others are given."""
    arrays = {name: np.asarray(array) for name, array in (arrays or {}).items()}
    try:
        shape = layer.build(value.shape, np.random.default_rng(0))
    except ShapeError as error:
        raise error.at(f"{node}, {error.where}", ShapeError) from None
    for name, array in arrays.items():
        wanted = (layer.parameters | layer.statistics)[name].shape
        if array.shape != wanted:
            what = tr("The shapes in this ONNX file do not fit together.")
            raise ShapeError(what, where=f"{node}, {name}", expected=wanted, received=array.shape)
    step = Step(value.step, layer, shape, arrays, node)
    return replace(value, step=step) if axes is None else Value(step, axes)


def mark_part(value: Value, kind: str, node: str) -> Value:
    return replace(value, step=Step(value.step, Part(kind), value.shape, node=node))


def affine(value: Value, node: str, *, center: Any = 0.0, scale: Any = 1.0, offset: Any = 0.0) -> Value:
    """(x − center)·scale + offset."""
    made = Affine(*(np.asarray(part, dtype=np.float64) for part in (center, scale, offset)))
    return replace(value, step=Step(value.step, made, value.shape, node=node))


def merged(steps: Sequence[Step]) -> list[Step]:
    """The steps of a way, those of kind Affine that follow each other as one."""
    found: list[Step] = []
    for step in steps:
        if found and isinstance(first := found[-1].layer, Affine) and isinstance(then := step.layer, Affine):
            if (first.scale == 1).all() and not first.offset.any():
                joined = replace(then, center=first.center + then.center)
            else:
                joined = Affine(first.center, first.scale * then.scale, first.offset * then.scale + then.shift)
            found[-1] = replace(step, layer=joined)
        else:
            found.append(step)
    return found


def common(values: Sequence[Value]) -> tuple[Value, list[list[Step]]]:
    """The last value that all have come from, and the ways from there; its axes are those of the first one."""
    ways = [value.step.way() for value in values]
    shared = 0
    while all(len(way) > shared and way[shared] is ways[0][shared] for way in ways):
        shared += 1
    return replace(values[0], step=ways[0][shared - 1]), [merged(way[shared:]) for way in ways]


def reshaped(value: Value, dims: Sequence[int], channels_first: bool) -> Value | None:
    """The value as a tensor of other sizes (without the images' axis), if these join or part our axes; None if not.

    An image that only scalars have acted on may become any other: its shape is what the network takes.
    """
    rest = [axis for group in value.axes[1:] for axis in group]
    if value.axes[0] == (0,):
        groups: list[tuple[int, ...]] = [(0,)]
        for size in dims:
            group: tuple[int, ...] = ()
            while rest and prod(map(value.size, group)) < size:
                group = (*group, rest.pop(0))
            groups.append(group)
        found = replace(value, axes=tuple(groups))
        if found.sizes() == [1, *dims] and all(value.size(axis) == 1 for axis in rest):
            return found
    way = value.step.way()
    if any(not (isinstance(step.layer, Affine) and step.layer.is_scalar) for step in way[1:]):
        return None
    made = image(dims, channels_first)
    for step in way[1:]:
        made = replace(made, step=replace(step, before=made.step, shape=made.shape))
    return made


def lowered(
    steps: Sequence[Step], of_bytes: bool, refused: Callable[[str], InputError]
) -> list[tuple[Layer, dict[str, Array]]]:
    """The layers of a way, with their arrays. `of_bytes`: the first one reads bytes."""
    found: list[tuple[Layer, dict[str, Array]]] = []
    for number, step in enumerate(merged(steps)):
        if isinstance(step.layer, Layer):
            found.append((step.layer, step.arrays))
        elif isinstance(step.layer, Affine):
            found += _lowered_affine(step.layer, step.shape, number == 0 and of_bytes)
        else:
            raise refused(step.node)
    return found


def _lowered_affine(of: Affine, shape: Shape, on_bytes: bool) -> list[tuple[Layer, dict[str, Array]]]:
    from glassnet.nn import Pixels

    center, scale, offset = of.center, of.scale, of.offset
    if not center.any() and not offset.any() and (scale == 1).all():
        return []
    if of.is_scalar:
        if on_bytes and not center and not offset and np.isclose(scale, 1 / 255, rtol=1e-6):
            return [(Pixels(), {})]
        return [(Scale(float(scale), float(offset - center * scale)), {})]
    if (scale > 0).all():
        mean = np.broadcast_to(center - offset / scale, shape)
        return [(Standardize(), {"mean": mean, "std": np.broadcast_to(1 / scale, shape)})]
    layer = BatchNorm()
    rows = [np.broadcast_to(array, shape).reshape(-1, shape[-1]) for array in (center, scale, offset)]
    if any((array != array[0]).any() for array in rows):
        raise InputError(
            tr("A negative or zero factor for each place of an image can't be imported."),
            where="Mul",
            expected=tr("numbers above 0, or one for each channel"),
        )
    names = ("mean", "gamma", "beta")
    arrays = {name: array[0] for name, array in zip(names, rows, strict=True)}
    return [(layer, arrays | {"variance": np.full(shape[-1], 1 - layer.epsilon)})]
