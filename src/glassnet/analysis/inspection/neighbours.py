"""The nearest neighbours of every image, by edge directions: invariant to brightness, contrast and inversion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from glassnet.analysis.inspection.pool import Indices
from glassnet.data.polarity import grey

Matrix = npt.NDArray[np.float32]
SIDE = 32
"""Larger images are averaged down to this many pixels per side."""
COUNT = 16  # neighbours
CELLS, DIRECTIONS, DIMENSIONS = 8, 8, 64
_FLOOR = 0.5
"""Edges weaker than this fraction of the image's root mean square are treated as noise."""
_CHUNK = 1024


@dataclass(frozen=True)
class Neighbours:
    """The neighbours of the images at `indices` `(n,)` of a pool, as positions in `indices`, and the distances, `(n, k)`."""

    indices: Indices
    nearest: Indices
    distances: npt.NDArray[np.float32]

    @property
    def count(self) -> int:
        return int(self.nearest.shape[1])


def find_neighbours(images: npt.NDArray[Any], indices: Indices) -> Neighbours:
    """Up to 16 nearest neighbours by `edge_features`, nearest first, by exact search: O(n²), 20 s for 70,000 images."""
    from sklearn.neighbors import NearestNeighbors

    features = edge_features(images[indices] if len(indices) < len(images) else images)
    count = min(COUNT, len(indices) - 1)
    search = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(features)
    distances, nearest = search.kneighbors()
    return Neighbours(indices, nearest.astype(np.intp), distances.astype(np.float32))


def edge_features(images: npt.NDArray[Any]) -> Matrix:
    """Histograms of edge directions `(N, 64)`: gradients in 8 × 8 overlapping cells, 8 directions, principal components.

    Opposite directions are the same, and each image is normalised: changes of brightness and contrast, and inversion, do
    not change the features; small shifts, noise and compression change them little.
    Cf. N. Dalal, B. Triggs, "Histograms of Oriented Gradients", 2005.
    """
    chunks = [_histograms(grey(images[start : start + _CHUNK])) for start in range(0, len(images), _CHUNK)]
    features = np.concatenate(chunks)
    features -= features.mean(axis=0)
    sample = features[:: max(1, len(features) // 10_000)]
    axes = np.linalg.eigh(sample.T @ sample)[1][:, ::-1][:, :DIMENSIONS]
    return np.ascontiguousarray(features @ axes)


def shrunk(images: Matrix, side: int) -> Matrix:
    """Images `(N, H, W)` averaged down to at most `side` rows and columns."""
    height, width = images.shape[1:]
    if height > side:
        images = np.matmul(_averages(height, side), images)
    return np.matmul(images, _averages(width, side).T) if width > side else images


def _histograms(images: Matrix) -> Matrix:
    images = shrunk(images, SIDE)
    down, right = np.zeros_like(images), np.zeros_like(images)
    down[:, 1:-1] = images[:, 2:] - images[:, :-2]
    right[:, :, 1:-1] = images[:, :, 2:] - images[:, :, :-2]
    magnitude = np.sqrt(right * right + down * down) + np.float32(1e-6)
    noise = _FLOOR * np.sqrt((magnitude * magnitude).mean(axis=(1, 2), keepdims=True))
    weight = np.maximum(magnitude - noise, 0) / (magnitude * magnitude)
    cosine, sine = (right * right - down * down) * weight, 2 * right * down * weight  # of the doubled angle
    height, width = images.shape[1:]
    rows, columns = _cells(height), _cells(width).T
    histograms = np.empty((len(images), DIRECTIONS, len(rows), columns.shape[1]), np.float32)
    for number, angle in enumerate(2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS):
        projection = np.maximum(cosine * np.float32(np.cos(angle)) + sine * np.float32(np.sin(angle)), 0)
        histograms[:, number] = np.matmul(np.matmul(rows, projection), columns)
    flat = histograms.reshape(len(images), -1)
    return np.asarray(np.sqrt(flat / (flat.sum(axis=1, keepdims=True) + np.float32(1e-9))))


def _averages(pixels: int, fewer: int) -> Matrix:
    """`(fewer, pixels)`: each row averages an equal interval of the pixels."""
    edges, pixel = np.linspace(0, pixels, fewer + 1), np.arange(pixels)
    overlap = np.minimum(edges[1:, np.newaxis], pixel + 1) - np.maximum(edges[:-1, np.newaxis], pixel)
    return _normalised(overlap)


def _cells(pixels: int) -> Matrix:
    """`(cells, pixels)`: overlapping cells with triangular weights."""
    count = min(CELLS, (pixels + 1) // 2)
    centres = (np.arange(count) + 0.5) * pixels / count - 0.5
    return _normalised(1 - np.abs(np.arange(pixels) - centres[:, np.newaxis]) / (pixels / count))


def _normalised(weights: npt.NDArray[np.float64]) -> Matrix:
    weights = np.maximum(weights, 0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)
