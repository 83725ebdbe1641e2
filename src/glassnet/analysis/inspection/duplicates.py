"""Exact and near duplicates."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from glassnet.analysis.inspection.neighbours import Neighbours, shrunk
from glassnet.analysis.inspection.pool import Indices
from glassnet.data.polarity import grey

Rows = npt.NDArray[np.float32]
MAX_SCORE = 0.15
"""A pair is a near duplicate if √(relative distance × relative difference) is below this.

Distinct images stay above 0.17 in MNIST, the Chinese numerals, the bundled digits and the cats; images saved again as JPEG
of quality 75 or changed in brightness are at 0.01 to 0.12.
"""
SAME = 0.003
"""A pair with a smaller difference always counts; distinct images differ by 0.008 or more."""
_CANDIDATES, _FAR = (0, 1, 2), (8, 10, 12)
_PRESELECTED = 0.4
_COARSE, _FINE = 16, 64
_CHUNK = 2048


def exact_groups(images: npt.NDArray[Any], indices: Indices) -> list[Indices]:
    """Groups of two or more images, of those at `indices`, with the same pixels; ordered by their first index."""
    groups: dict[bytes, list[int]] = {}
    for index in indices:
        groups.setdefault(hashlib.blake2b(images[index].tobytes(), digest_size=16).digest(), []).append(int(index))
    return [np.array(group, np.intp) for group in groups.values() if len(group) > 1]


def near_groups(images: npt.NDArray[Any], neighbours: Neighbours) -> list[Indices]:
    """Groups of two or more images that are nearly the same, ordered by their first index.

    An image's nearest neighbours are its candidates. A pair counts if it is much closer than images that are merely similar:
    its feature distance relative to that of the 11th neighbour, and its pixel difference (`differences`) relative to that of
    the 9th to 13th. The scale thus adapts to classes in which many images look the same. With fewer neighbours, or more
    copies, only the difference counts. This finds copies saved again as good JPEG, made lighter, darker or inverted, and in
    large images (64 pixels) shifted by one pixel; also many resized or noisy ones. It misses cropped, rotated and mirrored
    copies, and most shifted ones of small images, which differ as much as two digits by one writer.
    """
    first, second = _pairs(images, neighbours)
    if not len(first):
        return []
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(neighbours.indices)
    graph = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(count, count))
    labels = connected_components(graph, directed=False)[1]
    involved = np.unique(np.concatenate([first, second]))
    order = involved[np.argsort(labels[involved], kind="stable")]
    ends = np.flatnonzero(np.diff(labels[order])) + 1
    groups = [neighbours.indices[group] for group in np.split(order, ends)]
    return sorted(groups, key=lambda group: int(group[0]))


def _pairs(images: npt.NDArray[Any], neighbours: Neighbours) -> tuple[Indices, Indices]:
    """Near duplicates as two arrays of positions in `neighbours.indices`."""
    rows = np.arange(len(neighbours.indices))
    candidates = [rank for rank in _CANDIDATES if rank < neighbours.count]
    far = _FAR if neighbours.count > max(_FAR) else ()
    ratios = neighbours.distances[:, candidates]
    ratios = ratios / (neighbours.distances[:, far[1:2]] + np.float32(1e-6)) if far else np.ones_like(ratios)

    def compared(rows: Indices, side: int) -> tuple[Rows, Rows]:
        """√(ratio × relative difference), 1 without `far` neighbours, and the difference, both `(rows, candidates)`."""

        def to_neighbour(rank: int) -> Rows:
            return differences(images, neighbours.indices[rows], neighbours.indices[neighbours.nearest[rows, rank]], side)

        difference = np.stack([to_neighbour(rank) for rank in candidates], axis=1)
        if not far:
            return np.ones_like(difference), difference
        typical = np.median([to_neighbour(rank) for rank in far], axis=0)
        return np.sqrt(ratios[rows] * difference / (typical[:, np.newaxis] + np.float32(1e-6))), difference

    scores, difference = compared(rows, _COARSE)
    rows = np.flatnonzero(((scores < _PRESELECTED) | (difference < 2 * SAME)).any(axis=1))
    scores, difference = compared(rows, _FINE)
    row, column = np.nonzero((scores < MAX_SCORE) | (difference < SAME))
    first, second = rows[row], neighbours.nearest[rows[row], np.array(candidates, np.intp)[column]]
    rows = np.unique(first)  # images with one copy may have more
    for rank in range(len(candidates), neighbours.count):
        others = neighbours.nearest[rows, rank]
        same = differences(images, neighbours.indices[rows], neighbours.indices[others], _FINE) < SAME
        first, second = np.concatenate([first, rows[same]]), np.concatenate([second, others[same]])
    return first, second


def differences(images: npt.NDArray[Any], first: Indices, second: Indices, side: int) -> Rows:
    """1 − |correlation| of pairs of images `(n,)`, the minimum over shifts of up to one pixel (two above 32 pixels)."""
    parts = [
        _differences(shrunk(grey(images[first[start:end]]), side), shrunk(grey(images[second[start:end]]), side))
        for start, end in ((start, start + _CHUNK) for start in range(0, len(first), _CHUNK))
    ]
    return np.concatenate(parts) if parts else np.empty(0, np.float32)


def _differences(first: Rows, second: Rows) -> Rows:
    count, height, width = first.shape
    shift = 0 if min(height, width) < 8 else 1 if max(height, width) <= 32 else 2
    best = np.zeros(count, np.float32)
    for down in range(-shift, shift + 1):
        for right in range(-shift, shift + 1):
            a = _overlap(first, down, right)
            b = _overlap(second, -down, -right)
            norm = np.sqrt(np.einsum("np,np->n", a, a) * np.einsum("np,np->n", b, b)) + np.float32(1e-6)
            best = np.maximum(best, np.abs(np.einsum("np,np->n", a, b)) / norm)
    return np.asarray(np.maximum(1 - best, 0))


def _overlap(images: Rows, down: int, right: int) -> Rows:
    height, width = images.shape[1:]
    rows = slice(max(0, down), height + min(0, down))
    columns = slice(max(0, right), width + min(0, right))
    flat = images[:, rows, columns].reshape(len(images), -1)
    return np.asarray(flat - flat.mean(axis=1, keepdims=True))
