"""The base class of layers: a forward pass that returns its backward pass, and named parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import is_dataclass
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from glassnet.errors import ShapeError
from glassnet.support.arrays import Array
from glassnet.support.habits import answered, unknown_attribute
from glassnet.support.i18n import tr
from glassnet.support.memory import require_memory
from glassnet.support.registry import describe, make_named

Shape = tuple[int, ...]
Gradients = dict[str, Array]
Backward = Callable[[Array], tuple[Array, Gradients]]
Blocks = Callable[[], Iterable[Array]]  # the same arrays (n, …) each time


class Layer:
    """`forward(x)` gives y and `backward`; `backward(dy)` gives dx and the gradients of the parameters by name.

    A layer keeps no state of a pass: what backward needs lives in the closure, so a layer can be used many times over.
    Shapes are those of one image, without the batch's axis. Constructor arguments are kept under their own names.
    `layer.weight` is `layer.parameters["weight"]`; to assign changes the values.
    """

    options: ClassVar[tuple[str, ...]] = ()  # constructor arguments, each an attribute
    hidden_options: ClassVar[tuple[str, ...]] = ()  # those that `repr` leaves out
    penalised: tuple[str, ...] = ("weight",)  # parameters that penalties and weight decay apply to
    running: tuple[str, ...] = ()  # statistics that every forward pass in training changes
    adapted: bool = True  # False: `adapt` has still to see the training images
    branches: Sequence[Sequence[Layer]] = ()  # the layers inside a layer that is made of others

    def __init__(self) -> None:
        self.parameters: dict[str, Array] = {}
        self.statistics: dict[str, Array] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__ = answered(cls.__init__)  # type: ignore[method-assign]  # options of other libraries are answered

    if not TYPE_CHECKING:  # a type checker would take any name

        def __getattr__(self, name: str) -> Array:
            arrays = vars(self).get("parameters", {}) | vars(self).get("statistics", {})
            if name in arrays:
                return arrays[name]
            if name.startswith("_"):  # protocols of Python, such as those of copies
                raise AttributeError(name)
            raise unknown_attribute(type(self).__name__, name, [*arrays, *dir(self)])

        def __setattr__(self, name: str, value: object) -> None:
            if name in vars(self).get("parameters", {}):
                self.parameters[name][...] = value
            else:
                super().__setattr__(name, value)

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        """Make the parameters for images of `shape`; the shape of what comes out."""
        return shape

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        """y (N, …) for x (N, …), and the function from dy to (dx, gradients)."""
        raise TypeError(f"{type(self).__name__} must define forward")

    def adopt(self, key: str, view: Array) -> None:
        """Keep the parameter or running statistic `key` in `view` from now on; its values go there."""
        home = self.parameters if key in self.parameters else self.statistics
        view[...] = home[key]
        home[key] = view

    def adapt(self, x: Array) -> None:
        """Take statistics from the layer's input over the training images, once, before the first step."""

    def adapt_to(self, blocks: Blocks) -> None:
        """`adapt` to input that `blocks()` gives in parts; overridden by layers that need not join them."""
        self.adapt(np.concatenate(list(blocks())))

    def operations(self, shape: Shape) -> int:
        """Multiplications with additions in one forward pass of one image of `shape`."""
        return 0

    def describe(self) -> dict[str, Any]:
        """{"type": name, option: value, …}, ready for JSON."""
        names = (*self.options, *self.hidden_options)
        return {"type": type(self).__name__, **{name: _plain(getattr(self, name)) for name in names}}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self.options)})"


def _plain(value: Any) -> Any:
    """An option as JSON: pairs as lists, layers and initializers as their descriptions."""
    if isinstance(value, Layer):
        return value.describe()
    if is_dataclass(value):
        return describe(value)
    return [_plain(part) for part in value] if isinstance(value, (list, tuple)) else value


def require_room(layer: Layer, *shapes: Shape) -> None:
    """Refuse parameters or statistics of these shapes where they do not fit into memory: float64, twice while drawn."""
    numbers = sum(map(prod, shapes))
    hint = tr("fewer units or filters, or smaller images before the layer")
    require_memory(16 * numbers, tr("its {numbers:,} parameters and statistics", numbers=numbers), repr(layer), hint)


def walk(layers: Iterable[Layer]) -> Iterator[Layer]:
    """All layers, each before those inside it."""
    for layer in layers:
        yield layer
        for branch in layer.branches:
            yield from walk(branch)


def require_axes(layer: Layer, shape: Shape, axes: tuple[int, ...], what: str, expected: str) -> None:
    """Refuse images whose number of axes is not among `axes`."""
    if len(shape) not in axes:
        flat = tr("put it before any Flatten()") if len(shape) == 1 else None
        raise ShapeError(
            what,
            where=type(layer).__name__,
            expected=expected,
            received=tr("images of shape {shape}", shape=shape),
            hint=tr("put a Flatten() before it") if axes == (1,) else flat,
        )


def require_flat(layer: Layer, shape: Shape) -> int:
    """The one axis of `shape`, or the error that says what to put before the layer."""
    if len(shape) != 1:
        require_axes(layer, shape, (1,), tr("{layer} takes flat images.", layer=type(layer).__name__), tr("one axis"))
    return shape[0]


LAYERS: dict[str, type[Layer]] = {}  # by name; nn/__init__.py fills it


def as_layer(value: Layer | str | dict[str, Any], where: str) -> Layer:
    """A layer from itself, its name, or {"type": name, option: value}."""
    return value if isinstance(value, Layer) else make_named(value, LAYERS, tr("layer"), where)
