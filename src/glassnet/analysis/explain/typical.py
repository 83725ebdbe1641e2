"""What a unit looks for: the image that excites it most, found by climbing its value from grey."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glassnet.analysis.explain.values import place_of
from glassnet.errors import InputError
from glassnet.network import Network
from glassnet.nn import Scale, Standardize
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr


@dataclass(frozen=True)
class TypicalInput:
    """`image` in the shape of the network's, within `bounds`; `value` of the unit there, and `before` on plain grey."""

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
    """The image x that climbs to a large value of `unit` ("dense1.3", or "conv2d2.5", the mean of that filter's map).

    x ← clip(blur((1 − decay)·(x − grey) + grey + rate·g/max|g|)), g = ∂unit/∂x, from grey with a little noise drawn by
    `seed`; the rate falls from a fifth of the range to a hundredth. `blur`: σ in pixels, in the first half, against speckle.
    `bounds` of the pixels: 0…1 where `Pixels` begins the network, 0…255 where another scaling does.
    Erhan et al., "Visualizing higher-layer features of a deep network", 2009; Yosinski et al., arXiv 1506.06579.
    """
    stop, index = find_unit(network, unit, "typical_input(unit)")
    low, high = _bounds(network) if bounds is None else bounds
    if not low < high:
        raise InputError(
            tr("The bounds leave no room."), where="typical_input(bounds)", expected="low < high", received=bounds
        )
    grey, spread = (low + high) / 2, high - low
    rng = np.random.default_rng(seed)
    x: Array = grey + 0.02 * spread * rng.standard_normal((1, *network.input_shape))
    before = _climb(network, np.full_like(x, grey), stop, index)[0]
    best, value = x, -np.inf
    for step in range(steps):
        reached, slope = _climb(network, x, stop, index)
        if reached > value:
            best, value = x, reached
        largest = float(np.abs(slope).max())
        if largest == 0:  # nothing the unit answers to: a dead unit, or one beyond its range
            break
        rate = spread * (0.2 * (1 - step / steps) + 0.01)
        x = (1 - decay) * (x - grey) + grey + rate * slope / largest
        if step < steps // 2 and blur > 0 and x.ndim == 4 and min(x.shape[1:3]) > 4:
            x = _blurred(x, blur)
        x = np.clip(x, low, high)
    return TypicalInput(unit, np.asarray(best[0], dtype=np.float64), float(value), float(before), (float(low), float(high)))


def find_unit(network: Network, unit: str, where: str) -> tuple[int, int]:
    """How many layers lead to a unit, and its number in the last axis of what they give."""
    name, _, number = unit.rpartition(".")
    if not name or not number.isdigit():
        raise InputError(
            tr("This names no unit."), where=where, expected=tr("layer.unit, such as dense1.3"), received=repr(unit)
        )
    place = place_of(network, name, where)
    units = network.shapes[place + 1][-1]
    if int(number) >= units:
        raise InputError(
            tr("The layer has no such unit."), where=where, expected=f"{name}.0 … {name}.{units - 1}", received=unit
        )
    return place + 1, int(number)


def _climb(network: Network, x: Array, stop: int, index: int) -> tuple[float, Array]:
    """The unit's mean value over places, and its gradient by x."""
    y, back = network.forward(network.rows(x.astype(network.dtype)), stop=stop)
    dy = np.zeros(y.shape, dtype=network.dtype)
    dy[..., index] = 1 / max(1, y[0, ..., index].size)
    return float(y[..., index].mean()), back(dy)[0].reshape(x.shape).astype(np.float64)


def _blurred(x: Array, sigma: float) -> Array:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(x, (0, sigma, sigma, 0), mode="nearest"))


def _bounds(network: Network) -> tuple[float, float]:
    if network.takes_pixels or not isinstance(network.layers[0], (Scale, Standardize)):
        return 0.0, 1.0
    return 0.0, 255.0
