"""What images are compared by: where their edges run which way, whatever their brightness and polarity."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from glassnet.analysis.inspection.pool import grey

Matrix = npt.NDArray[np.float32]
SIDE = 32
"""Images are averaged down to at most so many pixels a side."""
CELLS, DIRECTIONS, DIMENSIONS = 8, 8, 64
_FLOOR = 0.5
"""Edges below this share of the image's own root mean square are noise or grain of JPEG."""
_CHUNK = 1024


def edge_features(images: npt.NDArray[Any]) -> Matrix:
    """Histograms of edge directions `(N, 64)`: gradients in 8 × 8 overlapping cells, 8 directions, principal components.

    A direction and its opposite count as one, and each image has length 1: a change of brightness or contrast, and
    inverting it, leave its features as they are. A small shift, noise and compression change them little.
    Cf. N. Dalal, B. Triggs, "Histograms of Oriented Gradients", 2005.
    """
    chunks = [_histograms(grey(images[start : start + _CHUNK])) for start in range(0, len(images), _CHUNK)]
    features = np.concatenate(chunks)
    features -= features.mean(axis=0)
    some = features[:: max(1, len(features) // 10_000)]
    axes = np.linalg.eigh(some.T @ some)[1][:, ::-1][:, :DIMENSIONS]
    return np.ascontiguousarray(features @ axes)


def shrunk(images: Matrix, side: int) -> Matrix:
    """Images `(N, H, W)` averaged down to at most `side` pixels either way."""
    height, width = images.shape[1:]
    if height > side:
        images = np.matmul(_averages(height, side), images)
    return np.matmul(images, _averages(width, side).T) if width > side else images


def _histograms(images: Matrix) -> Matrix:
    images = shrunk(images, SIDE)
    down, right = np.zeros_like(images), np.zeros_like(images)
    down[:, 1:-1] = images[:, 2:] - images[:, :-2]
    right[:, :, 1:-1] = images[:, :, 2:] - images[:, :, :-2]
    size = np.sqrt(right * right + down * down) + np.float32(1e-6)
    least = _FLOOR * np.sqrt((size * size).mean(axis=(1, 2), keepdims=True))
    kept = np.maximum(size - least, 0) / (size * size)
    along, across = (right * right - down * down) * kept, 2 * right * down * kept  # of twice the angle: ± are one
    height, width = images.shape[1:]
    rows, columns = _cells(height), _cells(width).T
    found = np.empty((len(images), DIRECTIONS, len(rows), columns.shape[1]), np.float32)
    for number, angle in enumerate(2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS):
        towards = np.maximum(along * np.float32(np.cos(angle)) + across * np.float32(np.sin(angle)), 0)
        found[:, number] = np.matmul(np.matmul(rows, towards), columns)
    flat = found.reshape(len(images), -1)
    return np.asarray(np.sqrt(flat / (flat.sum(axis=1, keepdims=True) + np.float32(1e-9))))


def _averages(pixels: int, fewer: int) -> Matrix:
    """`(fewer, pixels)`: each row the mean of an equal share of the pixels."""
    edges, pixel = np.linspace(0, pixels, fewer + 1), np.arange(pixels)
    inside = np.minimum(edges[1:, np.newaxis], pixel + 1) - np.maximum(edges[:-1, np.newaxis], pixel)
    return _rows_of_one(inside)


def _cells(pixels: int) -> Matrix:
    """`(cells, pixels)`: overlapping cells, each a tent over its share and half of its neighbours'."""
    count = min(CELLS, (pixels + 1) // 2)
    centres = (np.arange(count) + 0.5) * pixels / count - 0.5
    return _rows_of_one(1 - np.abs(np.arange(pixels) - centres[:, np.newaxis]) / (pixels / count))


def _rows_of_one(weights: npt.NDArray[np.float64]) -> Matrix:
    weights = np.maximum(weights, 0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)
