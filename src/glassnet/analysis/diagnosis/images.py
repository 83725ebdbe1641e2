"""The images without the network: their nearest neighbours, and whether two sets can be separated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glassnet.data import Dataset
from glassnet.support.arrays import Array

SIDE = 14  # pixels per side, to which images are averaged before their neighbours are found
COARSE = 7  # and before two sets are separated
NEAREST = 10
CLEAR = 1 / 3  # of the images: those whose neighbours agree most

Numbers = NDArray[np.float64]


def spread(data: Dataset, count: int) -> Dataset:
    """At most `count` images, evenly spaced in a set that may be sorted by class."""
    return data if len(data) <= count else data[np.linspace(0, len(data) - 1, count).astype(np.int64)]


def shrink(images: Array, side: int) -> Numbers:
    """Images (N, H, W, C) as rows of at most `side`² grey values, means over blocks; rows of features unchanged."""
    if images.ndim != 4:
        return images.reshape(len(images), -1).astype(np.float64)
    grey = images.mean(axis=3, dtype=np.float64)
    for axis in (1, 2):
        if grey.shape[axis] > side:
            starts = np.linspace(0, grey.shape[axis], side + 1).astype(int)
            counts = np.diff(starts)
            grey = np.add.reduceat(grey, starts[:-1], axis=axis) / (counts[:, None] if axis == 1 else counts)
    return np.asarray(grey.reshape(len(grey), -1))


@dataclass(frozen=True)
class Neighbours:
    """`accuracy`: of the label of the nearest training image, on images that were not trained on.

    `wrong` and `clear_wrong`: how often the majority label of the ten nearest is not a training image's own, among all and
    among the third whose neighbours agree most; `held_out_wrong`: that of the same third of the validation images.
    """

    accuracy: float
    images: int
    wrong: float
    clear_wrong: float
    held_out_wrong: float | None


def neighbours(train: Dataset, validation: Dataset | None) -> Neighbours:
    """Neighbours among all images, by cosine similarity."""
    parts = [train] if validation is None else [train, validation]
    features = _directions(np.concatenate([shrink(part.images, SIDE) for part in parts]))
    labels = np.concatenate([part.labels for part in parts])
    alike = (features @ features.T).astype(np.float32)
    np.fill_diagonal(alike, -np.inf)
    k = min(NEAREST, len(labels) - 1)
    if k < 1:
        return Neighbours(0.0, len(labels), 0.0, 0.0, None)
    nearest = np.argpartition(-alike, k - 1, axis=1)[:, :k]
    votes = np.zeros((len(labels), int(labels.max()) + 1))
    np.add.at(votes, (np.arange(len(labels))[:, None], labels[nearest]), 1)
    share, wrong = votes.max(axis=1) / k, votes.argmax(axis=1) != labels
    n = len(train)
    if validation is None:
        right = labels[alike.argmax(axis=1)] == labels
    else:
        right = labels[:n][alike[n:, :n].argmax(axis=1)] == labels[n:]
    return Neighbours(
        float(right.mean()),
        n,
        float(wrong[:n].mean()),
        _of_the_clear(share[:n], wrong[:n]),
        None if validation is None else _of_the_clear(share[n:], wrong[n:]),
    )


def _of_the_clear(share: Numbers, wrong: NDArray[np.bool_]) -> float:
    return float(wrong[share >= np.quantile(share, 1 - CLEAR)].mean())


def _directions(rows: Numbers) -> Array:
    rows = rows - rows.mean(axis=1, keepdims=True) if rows.shape[1] > 2 else rows
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def separability(first: Dataset, second: Dataset) -> float:
    """The AUC of a linear discriminant between two sets, on images that it was not fitted to; 0.5 is chance."""
    x = [_features(part.images) for part in (first, second)]
    if min(map(len, x)) < 20:
        return 0.5
    fitted, tested = ([part[start::2] for part in x] for start in (0, 1))
    together = np.concatenate(fitted)
    middle, scale = together.mean(axis=0), together.std(axis=0)
    scale = np.where(scale > 1e-9 * (1 + np.abs(middle)), scale, np.inf)
    a, b = (np.clip((part - middle) / scale, -5, 5) for part in fitted)
    inside = np.cov(np.concatenate([a - a.mean(axis=0), b - b.mean(axis=0)]), rowvar=False)
    ridge = np.eye(len(inside)) * (0.3 + 1e-6)  # features of few images: their covariance is only roughly known
    line = np.linalg.solve(inside + ridge, b.mean(axis=0) - a.mean(axis=0))
    scores = [np.clip((part - middle) / scale, -5, 5) @ line for part in tested]
    order = np.sort(scores[0])
    below = (np.searchsorted(order, scores[1], "left") + np.searchsorted(order, scores[1], "right")) / 2
    return float(below.mean() / len(order))


def _features(images: Array) -> Numbers:
    """The coarse pixels, brightness, contrast and roughness of each image."""
    rows = images.reshape(len(images), -1)
    columns = [rows.mean(axis=1, dtype=np.float64), rows.std(axis=1, dtype=np.float64)]
    if images.ndim == 4:
        columns += [
            np.abs(np.diff(images.astype(np.float32), axis=axis)).mean(axis=(1, 2, 3), dtype=np.float64) for axis in (1, 2)
        ]
    return np.column_stack([shrink(images, COARSE), *columns])


def shares(data: Dataset) -> Numbers:
    """The share of each class."""
    return np.asarray(data.counts / len(data))
