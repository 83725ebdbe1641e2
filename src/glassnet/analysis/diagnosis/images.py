"""What the images themselves tell, without the network: their nearest neighbours, and whether two sets are alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glassnet.data import Dataset
from glassnet.support.arrays import Array

SIDE = 14  # pixels a side, to which images are brought before they are compared
COARSE = 7  # and those that two sets are told apart by
NEAREST = 10
CLEAR = 1 / 3  # of the images: those whose neighbours agree most

Numbers = NDArray[np.float64]


def spread(data: Dataset, count: int) -> Dataset:
    """At most `count` images, evenly from a set that may be sorted by class."""
    return data if len(data) <= count else data[np.linspace(0, len(data) - 1, count).astype(np.int64)]


def shrink(images: Array, side: int) -> Numbers:
    """Images (N, H, W, C) as grey ones of about `side`² numbers, by means over blocks, in rows; others as rows."""
    if images.ndim != 4:
        return images.reshape(len(images), -1).astype(np.float64)
    grey = images.mean(axis=3, dtype=np.float64)
    for axis in (1, 2):
        size = grey.shape[axis]
        if size > side:
            starts = np.linspace(0, size, side + 1).astype(int)
            counts = np.diff(starts)
            grey = np.add.reduceat(grey, starts[:-1], axis=axis)
            grey /= counts[:, None] if axis == 1 else counts
    return np.asarray(grey.reshape(len(grey), -1))


@dataclass(frozen=True)
class Neighbours:
    """`accuracy`: how often the nearest training image has the right label, on images that were not trained on.

    `wrong` and `clear_wrong`: how often the label that most of the ten nearest have is not a training image's own, of all
    and of the third whose neighbours agree most; `held_out_wrong`: the same of that third of the validation images.
    """

    accuracy: float
    images: int
    wrong: float
    clear_wrong: float
    held_out_wrong: float | None


def neighbours(train: Dataset, validation: Dataset | None) -> Neighbours:
    """Compare all images with each other, by the angle between them."""
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


def told_apart(first: Dataset, second: Dataset) -> float:
    """How well a straight line through simple features tells two sets apart, on images it was not fitted to.

    The area under the ROC curve: the probability that an image of the second set is put above one of the first; ½ is chance.
    """
    x = [_features(part.images) for part in (first, second)]
    if min(map(len, x)) < 20:
        return 0.5
    fitted, asked = ([part[place::2] for part in x] for place in (0, 1))
    together = np.concatenate(fitted)
    middle, scale = together.mean(axis=0), together.std(axis=0)
    scale = np.where(scale > 1e-9 * (1 + np.abs(middle)), scale, np.inf)
    a, b = (np.clip((part - middle) / scale, -5, 5) for part in fitted)
    inside = np.cov(np.concatenate([a - a.mean(axis=0), b - b.mean(axis=0)]), rowvar=False)
    ridge = np.eye(len(inside)) * (0.3 + 1e-6)  # features of few images: their covariance is only roughly known
    line = np.linalg.solve(inside + ridge, b.mean(axis=0) - a.mean(axis=0))
    scores = [np.clip((part - middle) / scale, -5, 5) @ line for part in asked]
    order = np.sort(scores[0])
    below = (np.searchsorted(order, scores[1], "left") + np.searchsorted(order, scores[1], "right")) / 2
    return float(below.mean() / len(order))


def _features(images: Array) -> Numbers:
    """Of each image: its coarse pixels, brightness, contrast and roughness."""
    rows = images.reshape(len(images), -1)
    parts = [shrink(images, COARSE)]
    columns = [rows.mean(axis=1, dtype=np.float64), rows.std(axis=1, dtype=np.float64)]
    if images.ndim == 4:
        columns += [
            np.abs(np.diff(images.astype(np.float32), axis=axis)).mean(axis=(1, 2, 3), dtype=np.float64) for axis in (1, 2)
        ]
    return np.concatenate([*parts, np.stack(columns, axis=1)], axis=1)


def shares(data: Dataset) -> Numbers:
    """The share of each class."""
    return np.asarray(data.counts / len(data))
