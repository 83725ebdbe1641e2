"""One image through a network in float64, keeping the inputs, outputs and gradients of each layer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from glassnet.network import Network
from glassnet.nn import Layer, Nested
from glassnet.nn.chain import name_layers
from glassnet.nn.layer import Backward
from glassnet.support.arrays import Array


@dataclass
class Record:
    """One layer's values for one image, without the batch axis: x → y, and dy → dx with the parameters' gradients."""

    name: str
    layer: Layer
    x: Array = field(default_factory=lambda: np.zeros(0))
    y: Array = field(default_factory=lambda: np.zeros(0))
    dy: Array = field(default_factory=lambda: np.zeros(0))
    dx: Array = field(default_factory=lambda: np.zeros(0))
    gradients: dict[str, Array] = field(default_factory=dict)
    of_bytes: bool = False  # whether the input was of integers

    def array(self, what: str) -> Array:
        """x, y, dy, dx, a parameter or statistic by its key, or a parameter's gradient by "d" and its key."""
        if what in ("x", "y", "dy", "dx"):
            found: Array = getattr(self, what)
            return found
        for home in (self.layer.parameters, self.layer.statistics):
            if what in home:
                return home[what]
        return self.gradients[what.removeprefix("d")]


@dataclass
class Pass:
    """A whole pass of one image: `records` of all layers by their full names, raw outputs z, loss, ∂loss/∂z."""

    network: Network  # a float64 copy that records nothing
    row: Array
    label: Array  # (1,) or (1, outputs)
    target: Array  # (outputs,)
    records: dict[str, Record]
    z: Array
    dz: Array
    cost: float
    gradient: Array  # flat, without penalty


def record_pass(network: Network, image: Array, label: Array) -> Pass:
    """Forward and backward with one image as in `evaluate`: dropout off, BatchNorm with its running statistics."""
    exact = network.astype("float64")
    records: dict[str, Record] = {}
    _record(exact.layers, "", records)
    rows = exact.rows(image[None])
    z, back = exact.forward(rows, stop=exact.layers_before_loss)
    flat = z.reshape(1, -1)
    target = exact.loss.targets(label, flat.shape[1], np.float64)
    costs, dz = exact.loss.value_and_gradient(flat, target)
    _, found = back(dz.reshape(z.shape))
    gradient = np.zeros(exact.flat.size)
    for slot in exact.slots:
        if slot.layer < len(found):
            slot.part(gradient)[...] = found[slot.layer][slot.key].ravel()
    if exact.fuses_activation:  # the loss is computed before the last layer, which runs only for its output
        exact.layers[-1].forward(z)
    return Pass(network.astype("float64"), rows, label, target[0], records, flat[0], dz[0], float(costs[0]), gradient)


def cost_of(exact: Network, row: Array, label: Array) -> float:
    """The loss of one image, without penalty."""
    z, _ = exact.forward(row, stop=exact.layers_before_loss)
    flat = z.reshape(1, -1)
    return float(exact.loss.value_and_gradient(flat, exact.loss.targets(label, flat.shape[1], np.float64))[0][0])


def _record(layers: Any, prefix: str, records: dict[str, Record]) -> None:
    """Make each layer of the copy record its values."""
    for name, layer in zip(name_layers(layers), layers, strict=True):
        record = records[prefix + name] = Record(prefix + name, layer)
        _wrap(layer, record)
        if isinstance(layer, Nested):
            for number, branch in enumerate(layer.branches):
                _record(branch, f"{prefix}{name}.{number}.", records)


def _wrap(layer: Layer, record: Record) -> None:
    inner: Any = layer.forward

    def forward(x: Array, **options: Any) -> tuple[Array, Backward]:
        y, backward = inner(x, **options)
        record.x, record.y, record.of_bytes = x[0].astype(np.float64), y[0], x.dtype.kind in "ui"

        def recorded(dy: Array) -> tuple[Array, dict[str, Array]]:
            dx, gradients = backward(dy)
            record.dy, record.dx, record.gradients = dy[0], dx[0], gradients
            return dx, gradients

        return y, recorded

    vars(layer)["forward"] = forward
