"""Convolution of pictures (N, H, W, C) with weights (kh, kw, C, F), as sums of matrix products."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from glassnet.reference.arrays import Array

Pair = tuple[int, int]
Margins = tuple[int, int, int, int]  # top, bottom, left, right


def pad(x: Array, margins: Margins, value: float = 0.0) -> Array:
    """x (N, H, W, C) with so many rows and columns of `value` around each picture."""
    top, bottom, left, right = margins
    if not any(margins):
        return x
    return np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=value)


def crop(x: Array, margins: Margins) -> Array:
    """The inverse of `pad`, as a view."""
    top, bottom, left, right = margins
    return x[:, top : x.shape[1] - bottom, left : x.shape[2] - right]


def windows(x: Array, size: Pair, strides: Pair) -> Array:
    """The windows of padded pictures: a view (N, Ho, Wo, C, kh, kw)."""
    return sliding_window_view(x, size, axis=(1, 2))[:, :: strides[0], :: strides[1]]


def tap(x: Array, i: int, j: int, rows: int, columns: int, strides: Pair) -> Array:
    """What place (i, j) of every window holds: a view (N, Ho, Wo, C) of padded pictures."""
    down, across = strides
    return x[:, i : i + down * (rows - 1) + 1 : down, j : j + across * (columns - 1) + 1 : across]


def conv2d(x: Array, weight: Array, bias: Array | None, strides: Pair, margins: Margins) -> Array:
    """y[n, p, q] = Σ x[n, p·s + i − top, q·t + j − left]·W[i, j] + b over i, j and the channels; zeros outside."""
    kh, kw = weight.shape[:2]
    y = np.tensordot(windows(pad(x, margins), (kh, kw), strides), weight, axes=((4, 5, 3), (0, 1, 2)))
    return y if bias is None else y + bias


def conv2d_backward(dy: Array, x: Array, weight: Array, strides: Pair, margins: Margins) -> tuple[Array, Array, Array]:
    """dx: dy·Wᵀ of each place of the window, added where it was read; dW = Σ window·dy; db = Σ dy."""
    kh, kw = weight.shape[:2]
    padded = pad(x, margins)
    dweight = np.tensordot(windows(padded, (kh, kw), strides), dy, axes=((0, 1, 2), (0, 1, 2))).transpose(1, 2, 0, 3)
    dpadded = np.zeros(padded.shape, dtype=dy.dtype)
    for i in range(kh):
        for j in range(kw):
            tap(dpadded, i, j, dy.shape[1], dy.shape[2], strides)[...] += dy @ weight[i, j].T
    return crop(dpadded, margins), np.ascontiguousarray(dweight), dy.sum(axis=(0, 1, 2))
