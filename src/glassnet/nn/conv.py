"""Conv2D: two-dimensional convolution."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassnet.errors import InputError
from glassnet.nn.initializers import Initializer, Whitening, as_initializer
from glassnet.nn.layer import Backward, Blocks, Shape, require_room
from glassnet.nn.windows import Margins, Pair, Size, Windows, as_padding, as_pair, crop, pad, require_image, tap, windows
from glassnet.support.arrays import Array
from glassnet.support.checks import whole_number
from glassnet.support.i18n import tr

SAMPLE = 256  # images of a block, evenly spaced, whose patches are looked at


def conv2d(x: Array, weight: Array, bias: Array | None, strides: Pair, margins: Margins) -> Array:
    """y[n, p, q] = Σ x[n, p·s + i − top, q·t + j − left]·W[i, j] + b over i, j and the channels; zeros outside."""
    kh, kw = weight.shape[:2]
    y = np.tensordot(windows(pad(x, margins), (kh, kw), strides), weight, axes=((4, 5, 3), (0, 1, 2)))
    return y if bias is None else y + bias


def conv2d_backward(dy: Array, x: Array, weight: Array, strides: Pair, margins: Margins) -> tuple[Array, Array, Array]:
    """dx: dy·W[i, j]ᵀ added at each input position that was read; dW = Σ window·dy; db = Σ dy."""
    kh, kw = weight.shape[:2]
    padded = pad(x, margins)
    dweight = np.tensordot(windows(padded, (kh, kw), strides), dy, axes=((0, 1, 2), (0, 1, 2))).transpose(1, 2, 0, 3)
    dpadded = np.zeros(padded.shape, dtype=dy.dtype)
    for i, j in np.ndindex(kh, kw):
        tap(dpadded, i, j, dy.shape[1], dy.shape[2], strides)[...] += dy @ weight[i, j].T
    return crop(dpadded, margins), np.ascontiguousarray(dweight), dy.sum(axis=(0, 1, 2))


class Conv2D(Windows):
    """y[p, q] = Σᵢⱼ x[p·s + i, q·t + j]·W[i, j] + b.

    Input shape: (N, rows, columns, channels). Output shape: (N, rows′, columns′, filters). Parameters: weight
    (*kernel_size, channels, filters), bias (filters,). `kernel_size` and `strides`: a whole number, or (down, across).
    `padding`: "valid" keeps to windows inside the image; "same" surrounds it with zeros, so that stride 1 keeps its size.
    """

    options = ("filters", "kernel_size", "strides", "padding", "use_bias")
    hidden_options = ("initializer", "bias_initializer")

    def __init__(
        self,
        filters: int,
        kernel_size: Size,
        *,
        strides: Size = 1,
        padding: str = "valid",
        use_bias: bool = True,
        initializer: Initializer | str | dict[str, Any] = "GlorotUniform",
        bias_initializer: Initializer | str | dict[str, Any] = "Zeros",
    ) -> None:
        super().__init__()
        self.filters = whole_number(filters, tr("A convolution needs at least one filter."), "Conv2D(filters)")
        self.use_bias = bool(use_bias)
        self.kernel_size = self.window = as_pair(kernel_size, "Conv2D(kernel_size)")
        self.strides = as_pair(strides, "Conv2D(strides)")
        self.padding = as_padding(padding, "Conv2D(padding)")
        self.initializer = as_initializer(initializer, "Conv2D(initializer)")
        self.bias_initializer = as_initializer(bias_initializer, "Conv2D(bias_initializer)")
        self.adapted = not isinstance(self.initializer, Whitening)

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        positions, channels = self.positions(shape), require_image(self, shape)[2]
        require_room(self, (*self.kernel_size, channels, self.filters), (self.filters,))
        self.parameters = {"weight": self.initializer((*self.kernel_size, channels, self.filters), rng)}
        if self.use_bias:
            self.parameters["bias"] = self.bias_initializer((self.filters,), rng)
        return (*positions, self.filters)

    def forward(self, x: Array, *, training: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Backward]:
        weight, bias = self.parameters["weight"], self.parameters.get("bias")
        strides, margins = self.strides, self.margins(x.shape[1:])

        def backward(dy: Array) -> tuple[Array, dict[str, Array]]:
            dx, dweight, dbias = conv2d_backward(dy, x, weight, strides, margins)
            return dx, {"weight": dweight} if bias is None else {"weight": dweight, "bias": dbias}

        return conv2d(x, weight, bias, strides, margins), backward

    def adapt(self, x: Array) -> None:
        self.adapt_to(lambda: [x])

    def adapt_to(self, blocks: Blocks) -> None:
        """Filters that whiten the patches of `blocks`."""
        if isinstance(self.initializer, Whitening):
            weight = self.parameters["weight"]
            total, count = np.zeros(2 * (weight[..., 0].size,)), 0
            for x in filter(len, blocks()):
                some = x[:: -(-len(x) // SAMPLE)].astype(np.float64)
                patches = windows(some, self.kernel_size, (1, 1)).transpose(0, 1, 2, 4, 5, 3).reshape(-1, len(total))
                total, count = total + patches.T @ patches, count + len(patches)
            if not count:
                raise InputError(tr("There are no images to take patches from."), where="Conv2D", expected=tr("one or more"))
            weight[...] = self.initializer.filters(total / count, weight.shape)
        self.adapted = True

    def operations(self, shape: Shape) -> int:
        """Includes products with the zeros of padding."""
        down, across = self.positions(shape)
        return down * across * self.kernel_size[0] * self.kernel_size[1] * shape[2] * self.filters
