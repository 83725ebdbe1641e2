"""The same numbers once more, from their definitions alone: plain NumPy forward, derivatives by complex steps.

`Own(network, image, target)` computes with complex numbers, so that ∂C/∂v of any number v on the way is
Im C(v + ih) / h, exact to float64. Nothing of the library's layers, costs or optimizers is used: only its arrays.
`value(name)` gives any number that a trace shows, by the name it has there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scipy.special import erf

Array = np.ndarray[Any, Any]
Place = tuple[int, ...]
H = 1e-30
INDEXED = re.compile(r"(?P<base>.+?)\[(?P<index>[-\d, ]*)\]")


def sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


def softmax(z: Array) -> Array:
    return np.exp(z) / np.exp(z).sum()


class Own:
    def __init__(self, network: Any, image: Array, target: Array) -> None:
        self.network, self.target = network, np.asarray(target, dtype=np.float64)
        self.image = np.asarray(image, dtype=np.float64)
        self.of_bytes = image.dtype.kind in "ui"
        self.arrays: dict[str, Array] = {}
        self.layers: dict[str, Any] = dict(zip(network.names, network.layers, strict=True))
        for name, layer in self.layers.items():
            for key, array in {**layer.parameters, **layer.statistics}.items():
                self.arrays[f"{name}.{key}"] = array.astype(np.complex128)
        self.bumps: dict[str, tuple[Place, complex]] = {}
        self.seen: dict[str, Array] = {}
        self.cost = float(self.run().real)
        self.values = dict(self.seen)
        self.slopes: dict[tuple[str, Place], float] = {}

    # ------------------------------------------------------------- forward

    def see(self, name: str, values: Array) -> Array:
        """Note values on the way, with a small step added where one is asked for."""
        if name in self.bumps:
            place, step = self.bumps[name]
            values = values.copy()
            values[place] += step
        self.seen[name] = values
        return values

    def run(self) -> complex:
        x = self.image.reshape(self.network.input_shape).astype(np.complex128)
        for name, layer in self.layers.items():
            kind = type(layer).__name__
            if name == self.network.names[-1] and kind == self.network.loss.link:
                self.seen[f"{name}.x"], self.seen[f"{name}.y"] = x, (sigmoid if kind == "Sigmoid" else softmax)(x)
                break  # the cost takes what goes into the last layer, which only tells the answer
            x = self.see(f"{name}.x", x)
            x = self.see(f"{name}.y", getattr(self, f"_{kind.lower()}")(name, layer, x))
        return self._cost(self.see("z", x.reshape(-1)))

    def _array(self, name: str) -> Array:
        return self.see(name, self.arrays[name])

    def _flatten(self, name: str, layer: Any, x: Array) -> Array:
        return x.reshape(-1)

    def _pixels(self, name: str, layer: Any, x: Array) -> Array:
        return x / 255 if self.of_bytes else x

    def _dense(self, name: str, layer: Any, x: Array) -> Array:
        y = x @ self._array(f"{name}.weight")
        return y + self._array(f"{name}.bias") if f"{name}.bias" in self.arrays else y

    def _sigmoid(self, name: str, layer: Any, x: Array) -> Array:
        return sigmoid(x)

    def _tanh(self, name: str, layer: Any, x: Array) -> Array:
        return np.tanh(x)

    def _relu(self, name: str, layer: Any, x: Array) -> Array:
        return np.where(x.real > 0, x, 0)

    def _gelu(self, name: str, layer: Any, x: Array) -> Array:
        return x * (1 + erf(x / np.sqrt(2))) / 2

    def _swish(self, name: str, layer: Any, x: Array) -> Array:
        return x * sigmoid(x)

    def _softmax(self, name: str, layer: Any, x: Array) -> Array:
        return softmax(x)

    def windows(self, layer: Any, shape: Place) -> Iterator[tuple[int, int, list[tuple[int, int, int, int]]]]:
        """For each output place (p, q): the (i, j, row, column) of its window, also those outside."""
        (kh, kw), (down, across) = layer.window, layer.strides
        same = layer.padding == "same"
        sizes = [-(-n // s) if same else (n - k) // s + 1 for n, k, s in zip(shape, (kh, kw), (down, across), strict=False)]
        starts = [max((m - 1) * s + k - n, 0) // 2 if same else 0
                  for m, s, k, n in zip(sizes, (down, across), (kh, kw), shape, strict=False)]  # fmt: skip
        for p in range(sizes[0]):
            for q in range(sizes[1]):
                corner = p * down - starts[0], q * across - starts[1]
                yield p, q, [(i, j, corner[0] + i, corner[1] + j) for i in range(kh) for j in range(kw)]

    def _conv2d(self, name: str, layer: Any, x: Array) -> Array:
        weight, places = self._array(f"{name}.weight"), list(self.windows(layer, x.shape))
        y = np.zeros((places[-1][0] + 1, places[-1][1] + 1, weight.shape[3]), dtype=complex)
        for p, q, taps in places:
            for i, j, r, c in taps:
                if 0 <= r < x.shape[0] and 0 <= c < x.shape[1]:
                    y[p, q] += x[r, c] @ weight[i, j]
        return y + self._array(f"{name}.bias") if f"{name}.bias" in self.arrays else y

    def _maxpool2d(self, name: str, layer: Any, x: Array) -> Array:
        places = list(self.windows(layer, x.shape))
        y = np.zeros((places[-1][0] + 1, places[-1][1] + 1, x.shape[2]), dtype=complex)
        for p, q, taps in places:
            inside = [(r, c) for _, _, r, c in taps if 0 <= r < x.shape[0] and 0 <= c < x.shape[1]]
            for channel in range(x.shape[2]):
                y[p, q, channel] = max((x[r, c, channel] for r, c in inside), key=lambda value: value.real)
        return y

    def _batchnorm(self, name: str, layer: Any, x: Array) -> Array:
        mean, variance = self.arrays[f"{name}.mean"], self.arrays[f"{name}.variance"]
        normal = self.see(f"{name}.normal", (x - mean) / np.sqrt(variance + layer.epsilon))
        return self._array(f"{name}.gamma") * normal + self._array(f"{name}.beta")

    def _lstm(self, name: str, layer: Any, x: Array) -> Array:
        units, steps = layer.units, x.reshape(len(x), -1)
        weight, recurrent, bias = (self._array(f"{name}.{key}") for key in ("weight", "recurrent_weight", "bias"))
        h, c, states = np.zeros(units, dtype=complex), np.zeros(units, dtype=complex), []
        for t, row in enumerate(steps):
            z = self.see(f"{name}.z.{t}", row @ weight + h @ recurrent + bias)
            i, f, g, o = (z[k * units : (k + 1) * units] for k in range(4))
            gates = {"i": sigmoid(i), "f": sigmoid(f), "g": np.tanh(g), "o": sigmoid(o)}
            for letter, values in gates.items():
                self.seen[f"{name}.{letter}.{t}"] = values
            c = self.see(f"{name}.c.{t}", gates["f"] * c + gates["i"] * gates["g"])
            h = self.see(f"{name}.h.{t}", gates["o"] * np.tanh(c))
            if layer.return_sequences:  # what the cost gets from this state itself, and what later steps get
                states.append(h)
        return np.array(states) if layer.return_sequences else h

    def terms(self, z: Array) -> Array:
        kind, t = type(self.network.loss).__name__, self.target
        if kind == "Quadratic":
            return (z - t) ** 2 / 2
        if kind == "BinaryCrossEntropy":
            return -(t * np.log(sigmoid(z)) + (1 - t) * np.log(1 - sigmoid(z)))
        return -t * np.log(np.exp(z) / np.exp(z).sum())

    def _cost(self, z: Array) -> complex:
        return complex(self.terms(z).sum())

    # ------------------------------------------------------------- derivatives

    def slope(self, name: str, place: Place) -> float:
        """∂C by one number on the way."""
        if (name, place) not in self.slopes:
            self.bumps = {name: (place, 1j * H)}
            self.slopes[name, place] = float(self.run().imag / H)
            self.bumps = {}
        return self.slopes[name, place]

    def cost_with(self, name: str, place: Place, by: float) -> float:
        self.bumps = {name: (place, by)}
        found = self.run().real
        self.bumps = {}
        return float(found)

    def quotient(self, name: str, place: Place, epsilon: float) -> float:
        """(C(v + ε) − C(v − ε)) / 2ε without a difference: the mean of ∂C by v in between, by Gauss' two points, up to ε⁴."""
        slopes = []
        for by in (-epsilon / np.sqrt(3), epsilon / np.sqrt(3)):
            self.bumps = {name: (place, by + 1j * H)}
            slopes.append(self.run().imag / H)
        self.bumps = {}
        return float(np.mean(slopes))

    def gradient(self) -> dict[str, Array]:
        """∂C by every parameter."""
        return {
            slot.name: np.array([self.slope(slot.name, place) for place in np.ndindex(*slot.shape)]).reshape(slot.shape)
            for slot in self.network.slots
        }

    def number(self, name: str) -> float | None:
        """A plain number of a layer: x, y, dy, dx, a parameter, its gradient, a gate; None if the name is none of these."""
        match = INDEXED.fullmatch(name)
        if match is None or not match["index"]:
            return 0.0 if name.endswith(".padding") else None
        layer, _, what = match["base"].rpartition(".")
        place = tuple(int(i) for i in match["index"].split(","))
        kind = type(self.layers.get(layer)).__name__
        if kind == "LSTM" and what == "x":
            return float(self.values[f"{layer}.x"].reshape(len(self.values[f"{layer}.x"]), -1)[place].real)
        if kind == "LSTM" and what in ("i", "f", "g", "o", "c", "h"):
            t, u = place
            return 0.0 if t < 0 else float(self.values[f"{layer}.{what}.{t}"][u].real)
        if kind == "LSTM" and what in ("dgates", "dsteps", "dc", "dh"):
            t, u = place
            return self.slope(f"{layer}.{ {'dgates': 'z', 'dsteps': 'z', 'dc': 'c', 'dh': 'h'}[what] }.{t}", (u,))
        if what in ("x", "y") or (what == "normal" and kind == "BatchNorm"):
            if f"{layer}.{what}" not in self.values:
                return None
            return float(self.values[f"{layer}.{what}"][place].real)
        if what in ("dx", "dy"):
            return self.slope(f"{layer}.{what[1:]}", place)
        if f"{layer}.{what}" in self.arrays:
            return float(self.arrays[f"{layer}.{what}"][place].real)
        if what.startswith("d") and f"{layer}.{what[1:]}" in self.arrays:
            return self.slope(f"{layer}.{what[1:]}", place)
        return None


@pytest.fixture(scope="session")
def own() -> type[Own]:
    return Own
