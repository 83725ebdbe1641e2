"""Sliding windows of convolution and pooling: size, strides, padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from glassnet.errors import InputError, ShapeError
from glassnet.nn.layer import Layer, Shape, require_axes
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr
from glassnet.support.registry import did_you_mean, nearest

Pair = tuple[int, int]
Margins = tuple[int, int, int, int]  # top, bottom, left, right


def pad(x: Array, margins: Margins, value: float = 0.0) -> Array:
    """x (N, H, W, C) with rows and columns of `value` added around each image."""
    top, bottom, left, right = margins
    if not any(margins):
        return x
    return np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=value)


def crop(x: Array, margins: Margins) -> Array:
    """The inverse of `pad`, as a view."""
    top, bottom, left, right = margins
    return x[:, top : x.shape[1] - bottom, left : x.shape[2] - right]


def windows(x: Array, size: Pair, strides: Pair) -> Array:
    """The windows of padded images: a view (N, Ho, Wo, C, kh, kw)."""
    return sliding_window_view(x, size, axis=(1, 2))[:, :: strides[0], :: strides[1]]


def tap(x: Array, i: int, j: int, rows: int, columns: int, strides: Pair) -> Array:
    """What place (i, j) of every window holds: a view (N, Ho, Wo, C) of padded images."""
    down, across = strides
    return x[:, i : i + down * (rows - 1) + 1 : down, j : j + across * (columns - 1) + 1 : across]


Size = int | Sequence[int]


def as_pair(value: Any, where: str) -> Pair:
    """(down, across) from one whole number above 0 or two."""
    numbers = [value, value] if isinstance(value, (int, np.integer)) else value
    if not (
        isinstance(numbers, (list, tuple))
        and len(numbers) == 2
        and all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n > 0 for n in numbers)
    ):
        raise InputError(
            tr("A window size is one whole number or two."),
            where=where,
            expected=tr("for example 3, or (3, 3)"),
            received=repr(value),
        )
    return int(numbers[0]), int(numbers[1])


def as_padding(value: str, where: str) -> str:
    if value not in ("valid", "same"):
        hint = did_you_mean(nearest(str(value), ("valid", "same")))
        raise InputError(tr("Unknown padding."), where=where, expected="'valid' | 'same'", received=repr(value), hint=hint)
    return value


def require_image(layer: Layer, shape: Shape) -> tuple[int, int, int]:
    """(rows, columns, channels) of `shape`, or the error that says what the layer takes."""
    what = tr("{layer} takes images with channels.", layer=type(layer).__name__)
    require_axes(layer, shape, (3,), what, "(rows, columns, channels)")
    return shape[0], shape[1], shape[2]


class Windows(Layer):
    """What layers with sliding windows share: `window` and `strides` as pairs, and `padding`."""

    window: Pair
    strides: Pair
    padding: str

    def __repr__(self) -> str:
        values = {name: getattr(self, name) for name in self.options}
        shown = {
            name: value[0] if isinstance(value, tuple) and len({*value}) == 1 else value for name, value in values.items()
        }
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    def margins(self, shape: Shape) -> Margins:
        """Rows and columns of padding (top, bottom, left, right) around an image of `shape`.

        "same" gives ⌈size / stride⌉ windows; of odd padding, the greater half lies at the bottom and right, as in Keras.
        """
        if self.padding == "valid":
            return 0, 0, 0, 0
        sides = []
        for size, window, stride in zip(shape, self.window, self.strides, strict=False):
            total = max((-(-size // stride) - 1) * stride + window - size, 0)
            sides += [total // 2, total - total // 2]
        return sides[0], sides[1], sides[2], sides[3]

    def positions(self, shape: Shape) -> Pair:
        """How many windows lie below each other and side by side."""
        rows, columns, _ = require_image(self, shape)
        if self.padding == "same":
            return -(-rows // self.strides[0]), -(-columns // self.strides[1])
        if rows < self.window[0] or columns < self.window[1]:
            hint = tr("a smaller window, padding='same', or fewer layers before it that make images smaller")
            if shape[0] in (1, 3) and shape[2] > 3:
                hint = tr("the channels come first: images.transpose(0, 2, 3, 1)")
            raise ShapeError(
                tr("The window is larger than its image."),
                where=type(self).__name__,
                expected=tr("a window of at most {rows} × {columns}", rows=rows, columns=columns),
                received=f"{self.window[0]} × {self.window[1]}",
                hint=hint,
            )
        return (rows - self.window[0]) // self.strides[0] + 1, (columns - self.window[1]) // self.strides[1] + 1
