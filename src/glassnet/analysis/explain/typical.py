"""Activation maximisation: an image with a large value of a unit, found by gradient ascent from grey."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glassnet.analysis.explain.values import layer_index
from glassnet.errors import InputError
from glassnet.network import Network
from glassnet.nn import Scale, Standardize
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr


@dataclass(frozen=True)
class TypicalInput:
    """`image` in the network's input shape, within `bounds`; the unit's `value` for it, and `before`, for plain grey."""

    unit: str
    image: NDArray[np.float64]
    value: float
    before: float
    bounds: tuple[float, float]


def typical_input(
    network: Network,
    unit: str,
    *,
    steps: int = 60,
    decay: float = 0.02,
    blur: float = 0.6,
    bounds: tuple[float, float] | None = None,
    seed: int = 0,
) -> TypicalInput:
    """An image x that maximises `unit` ("dense1.3", or "conv2d2.5", the mean of that filter's feature map).

    x ← clip(blur((1 − decay)·(x − grey) + grey + rate·g/max|g|)), g = ∂unit/∂x, starting from grey with noise from `seed`.
    The rate falls from a fifth of the range to a hundredth. `blur`: σ in pixels, used in the first half of the steps.
    `bounds` of the pixels: by default 0…255 if the network begins with `Scale` or `Standardize`, else 0…1.
    Erhan et al., "Visualizing higher-layer features of a deep network", 2009; Yosinski et al., arXiv 1506.06579.
    """
    from scipy.ndimage import gaussian_filter

    stop, index = _find_unit(network, unit)
    if bounds is None:
        raw = isinstance(network.layers[0], (Scale, Standardize)) and not network.takes_pixels
        bounds = (0.0, 255.0 if raw else 1.0)
    low, high = bounds
    if not low < high:
        raise InputError(tr("The bounds are empty."), where="typical_input(bounds)", expected="low < high", received=bounds)
    grey, spread = (low + high) / 2, high - low
    rng = np.random.default_rng(seed)
    x: Array = grey + 0.02 * spread * rng.standard_normal((1, *network.input_shape))
    before = _value_and_gradient(network, np.full_like(x, grey), stop, index)[0]
    best, value = x, -np.inf
    for step in range(steps):
        current, gradient = _value_and_gradient(network, x, stop, index)
        if current > value:
            best, value = x, current
        largest = float(np.abs(gradient).max())
        if largest == 0:  # a dead or saturated unit
            break
        rate = spread * (0.2 * (1 - step / steps) + 0.01)
        x = (1 - decay) * (x - grey) + grey + rate * gradient / largest
        if step < steps // 2 and blur > 0 and x.ndim == 4 and min(x.shape[1:3]) > 4:
            x = gaussian_filter(x, (0, blur, blur, 0), mode="nearest")
        x = np.clip(x, low, high)
    return TypicalInput(unit, np.asarray(best[0], dtype=np.float64), float(value), float(before), (float(low), float(high)))


def _find_unit(network: Network, unit: str) -> tuple[int, int]:
    """The number of layers up to and including a unit's, and the unit's index along the last axis."""
    where = "typical_input(unit)"
    name, _, number = unit.rpartition(".")
    if not name or not number.isdigit():
        what, expected = tr("This is not the name of a unit."), tr("layer.unit, such as dense1.3")
        raise InputError(what, where=where, expected=expected, received=repr(unit))
    stop = layer_index(network, name, where) + 1
    units = network.shapes[stop][-1]
    if int(number) >= units:
        known = f"{name}.0 … {name}.{units - 1}"
        raise InputError(tr("The layer has no such unit."), where=where, expected=known, received=unit)
    return stop, int(number)


def _value_and_gradient(network: Network, x: Array, stop: int, index: int) -> tuple[float, Array]:
    """The unit's value, averaged over its feature map, and its gradient with respect to x."""
    y, backward = network.forward(network.rows(x.astype(network.dtype)), stop=stop)
    dy = np.zeros(y.shape, dtype=network.dtype)
    dy[..., index] = 1 / max(1, y[0, ..., index].size)
    return float(y[..., index].mean()), backward(dy)[0].reshape(x.shape).astype(np.float64)
