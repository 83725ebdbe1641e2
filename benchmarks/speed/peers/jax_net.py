"""Networks of layers in JAX, images (N, rows, columns, channels): a jitted step, or a jitted scan over the steps."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.speed.images import Images
from benchmarks.speed.peers.base import Peer, Predictor
from benchmarks.speed.weights import Weights
from benchmarks.speed.workloads import Description, LayeredWorkload, Order

EPSILON = 1e-5  # of normalisation
SLOW_IN_SCAN = ("Conv2D", "Residual", "Concatenate")  # XLA's convolutions are slower in a loop on the CPU than alone


class JaxNet(Peer[LayeredWorkload]):
    """The number of threads is set by the environment and the processor affinity of the process.

    bfloat16: parameters in float32, layers in bfloat16, the loss in float32.
    """

    def prepare(self, images: Images) -> None:
        self.jax: Any = importlib.import_module("jax")
        self.np: Any = self.jax.numpy
        self.x = self.np.asarray(images.floats().reshape(-1, *self.work.shape))
        self.y = self.np.asarray(images.labels)
        kinds = {layer if isinstance(layer, str) else layer["type"] for layer in self.work.layers}
        self.scans = not kinds & {*SLOW_IN_SCAN}
        self.run = self.jax.jit(self._scan if self.scans else self._step, donate_argnums=0)

    def _outputs(self, arrays: Sequence[Any], x: Any) -> Any:
        if self.work.precision == "bfloat16":
            arrays, x = self.jax.tree.map(lambda a: a.astype(self.np.bfloat16), (list(arrays), x))
        return self._chain(self.work.layers, iter(arrays), x).astype(np.float32)

    def _chain(self, layers: Sequence[Description], arrays: Iterator[Any], x: Any) -> Any:
        for layer in layers:
            options = {} if isinstance(layer, str) else {key: value for key, value in layer.items() if key != "type"}
            x = getattr(self, f"_{layer if isinstance(layer, str) else layer['type']}".lower())(x, arrays, **options)
        return x

    def _loss(self, arrays: Sequence[Any], x: Any, y: Any) -> Any:
        scores = self.jax.nn.log_softmax(self._outputs(arrays, x))
        return -self.np.take_along_axis(scores, y[:, None], axis=1).mean()

    def _step(self, arrays: Sequence[Any], x: Any, y: Any, batch: Any) -> list[Any]:
        gradients = self.jax.grad(self._loss)(arrays, x[batch], y[batch])
        return [array - self.work.rate * gradient for array, gradient in zip(arrays, gradients, strict=True)]

    def _scan(self, arrays: Sequence[Any], x: Any, y: Any, order: Any) -> Any:
        return self.jax.lax.scan(lambda arrays, batch: (self._step(arrays, x, y, batch), None), list(arrays), order)[0]

    # Layers: (values, the arrays that are left, options) → values.

    def _pixels(self, x: Any, arrays: Iterator[Any]) -> Any:
        """The images are already scaled."""
        return x

    def _flatten(self, x: Any, arrays: Iterator[Any]) -> Any:
        return x.reshape(len(x), -1)

    def _relu(self, x: Any, arrays: Iterator[Any]) -> Any:
        return self.jax.nn.relu(x)

    def _gelu(self, x: Any, arrays: Iterator[Any]) -> Any:
        return self.jax.nn.gelu(x, approximate=False)

    def _sigmoid(self, x: Any, arrays: Iterator[Any]) -> Any:
        return self.jax.nn.sigmoid(x)

    def _dense(self, x: Any, arrays: Iterator[Any], units: int) -> Any:
        return x @ next(arrays) + next(arrays)

    def _conv2d(
        self, x: Any, arrays: Iterator[Any], filters: int, kernel_size: int,
        padding: str = "valid", strides: int = 1, use_bias: bool = True,
    ) -> Any:  # fmt: skip
        form = ("NHWC", "HWIO", "NHWC")
        y = self.jax.lax.conv_general_dilated(x, next(arrays), (strides, strides), padding.upper(), dimension_numbers=form)
        return y + next(arrays) if use_bias else y

    def _batchnorm(self, x: Any, arrays: Iterator[Any]) -> Any:
        """With the statistics of the mini-batch in training, with the untrained running ones in prediction."""
        weight, bias = next(arrays), next(arrays)
        if self.work.kind == "predict":
            return x * (1 + EPSILON) ** -0.5 * weight + bias
        return self._normal(x, (0, 1, 2)) * weight + bias

    def _layernorm(self, x: Any, arrays: Iterator[Any]) -> Any:
        return self._normal(x, (-1,)) * next(arrays) + next(arrays)

    def _normal(self, x: Any, axes: tuple[int, ...]) -> Any:
        mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
        return (x - mean) * self.jax.lax.rsqrt(variance + EPSILON)

    def _maxpool2d(self, x: Any, arrays: Iterator[Any], pool_size: int) -> Any:
        window = (1, pool_size, pool_size, 1)
        return self.jax.lax.reduce_window(x, -np.inf, self.jax.lax.max, window, window, "VALID")

    def _globalaveragepool2d(self, x: Any, arrays: Iterator[Any]) -> Any:
        return x.mean((1, 2))

    def _residual(
        self, x: Any, arrays: Iterator[Any], layers: Sequence[Description], projection: Sequence[Description] = ()
    ) -> Any:
        y = self._chain(layers, arrays, x)
        return y + self._chain(projection, arrays, x)

    def _concatenate(self, x: Any, arrays: Iterator[Any], branches: Sequence[Sequence[Description]]) -> Any:
        return self.np.concatenate([self._chain(branch, arrays, x) for branch in branches], axis=-1)

    def _through_time(self, x: Any, weight: Any, bias: Any, start: Any, step: Callable[[Any, Any], Any]) -> Any:
        """The state after the last row; the products with the rows are taken for all of them at once."""
        rows = x.reshape(*x.shape[:2], -1).swapaxes(0, 1)
        return self.jax.lax.scan(lambda state, row: (step(state, row), None), start, rows @ weight + bias)[0]

    def _lstm(self, x: Any, arrays: Iterator[Any], units: int) -> Any:
        weight, recurrent, bias = (next(arrays) for _ in range(3))

        def step(state: Any, row: Any) -> Any:
            h, c = state
            i, f, g, o = self.np.split(row + h @ recurrent, 4, axis=1)
            c = self.jax.nn.sigmoid(f) * c + self.jax.nn.sigmoid(i) * self.np.tanh(g)
            return self.jax.nn.sigmoid(o) * self.np.tanh(c), c

        zeros = self.np.zeros((len(x), units), x.dtype)
        return self._through_time(x, weight, bias, (zeros, zeros), step)[0]

    def _gru(self, x: Any, arrays: Iterator[Any], units: int) -> Any:
        weight, recurrent, bias, inner = (next(arrays) for _ in range(4))

        def step(h: Any, row: Any) -> Any:
            (r, z, n), (hr, hz, hn) = (self.np.split(values, 3, axis=1) for values in (row, h @ recurrent))
            z = self.jax.nn.sigmoid(z + hz)
            n = self.np.tanh(n + self.jax.nn.sigmoid(r + hr) * (hn + inner))
            return (1 - z) * n + z * h

        return self._through_time(x, weight, bias, self.np.zeros((len(x), units), x.dtype), step)

    def set_weights(self, weights: Weights) -> None:
        self.counts = [len(layer) for layer in weights]
        self.arrays = [self.np.array(array, np.float32) for layer in weights for array in layer]

    def weights(self) -> Weights:
        arrays = iter(self.arrays)
        return [tuple(np.asarray(next(arrays), np.float64) for _ in range(count)) for count in self.counts]

    def train(self, order: Order) -> None:
        rows = order.astype(np.int32)
        for batches in (rows,) if self.scans else rows:
            self.arrays = self.run(self.arrays, self.x, self.y, batches)
        self.jax.block_until_ready(self.arrays)

    def predictor(self) -> Predictor:
        classes = self.jax.jit(lambda arrays, x: self._outputs(arrays, x).argmax(1))
        parts = self.np.split(self.x, len(self.x) // self.work.batch)
        return lambda: np.concatenate([np.asarray(classes(self.arrays, part)) for part in parts])
