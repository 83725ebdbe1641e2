"""Images that are there more than once: the same pixels, or nearly the same."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from glassnet.analysis.inspection.features import shrunk
from glassnet.analysis.inspection.neighbours import Neighbours
from glassnet.analysis.inspection.pool import Indices, grey

Rows = npt.NDArray[np.float32]
ALIKE = 0.15
"""A pair is a near duplicate where √(distance share × difference share) is below this.

Natural pairs, drawn by hand or photographed, stay above 0.17 in MNIST, the Chinese numerals, the bundled digits and the
cats; images saved anew as JPEG of quality 75 or changed in brightness come to 0.01 to 0.12.
"""
SAME = 0.003
"""… or where they differ by less than this at all: natural pairs differ by 0.008 and more."""
_CANDIDATES, _FAR = (0, 1, 2), (8, 10, 12)
_WORTH_A_LOOK = 0.4
_COARSE, _FINE = 16, 64
_CHUNK = 2048


def exact_groups(images: npt.NDArray[Any], places: Indices) -> list[Indices]:
    """Groups of two or more places whose images have the same pixels, in the order of their first."""
    found: dict[bytes, list[int]] = {}
    for place in places:
        found.setdefault(hashlib.blake2b(images[place].tobytes(), digest_size=16).digest(), []).append(int(place))
    return [np.array(group, np.intp) for group in found.values() if len(group) > 1]


def near_groups(images: npt.NDArray[Any], neighbours: Neighbours) -> list[Indices]:
    """Groups of two or more places whose images are nearly the same, in the order of their first.

    An image's nearest neighbours are its candidates. A pair counts where it is much closer than images that are merely
    alike: its distance by features against that of the 11th neighbour, and its difference pixel by pixel (`differences`)
    against that of the 9th to 13th. Ones and horizontal strokes, of which many look the same, so set a measure of their
    own. Where it has fewer neighbours, or more copies, the difference alone decides. Found are copies that were
    saved anew as good JPEG, made lighter, darker or inverted, and where images are large enough to bear it (64 pixels)
    also shifted by a pixel; many of those that were resized or made noisy. Missed are those that were cropped, turned or
    mirrored, and most shifted ones of small images: they are as far apart as one hand's digits are.
    """
    first, second = _pairs(images, neighbours)
    if not len(first):
        return []
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(neighbours.places)
    graph = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(count, count))
    labels = connected_components(graph, directed=False)[1]
    involved = np.unique(np.concatenate([first, second]))
    order = involved[np.argsort(labels[involved], kind="stable")]
    ends = np.flatnonzero(np.diff(labels[order])) + 1
    groups = [neighbours.places[group] for group in np.split(order, ends)]
    return sorted(groups, key=lambda group: int(group[0]))


def _pairs(images: npt.NDArray[Any], neighbours: Neighbours) -> tuple[Indices, Indices]:
    """Near duplicates as two arrays of positions in `places`."""
    rows = np.arange(len(neighbours.places))
    candidates = [rank for rank in _CANDIDATES if rank < neighbours.count]
    far = [rank for rank in _FAR if rank < neighbours.count] if neighbours.count > max(_FAR) else []
    share = neighbours.distances[:, candidates]
    share = share / (neighbours.distances[:, far[1:2]] + np.float32(1e-6)) if far else np.ones_like(share)
    scores, small = _scores(images, neighbours, rows, share, candidates, far, _COARSE)
    worth = (scores < _WORTH_A_LOOK) | (small < 2 * SAME)
    rows = np.flatnonzero(worth.any(axis=1))  # most are plainly not copies: seen in small
    scores, found = _scores(images, neighbours, rows, share[rows], candidates, far, _FINE)
    row, column = np.nonzero((scores < ALIKE) | (found < SAME))
    first, second = rows[row], neighbours.nearest[rows[row], np.array(candidates, np.intp)[column]]
    rows = np.unique(first)  # where there is one copy there may be many
    for rank in range(len(candidates), neighbours.count):
        others = neighbours.nearest[rows, rank]
        same = differences(images, neighbours.places[rows], neighbours.places[others], _FINE) < SAME
        first, second = np.concatenate([first, rows[same]]), np.concatenate([second, others[same]])
    return first, second


def _scores(
    images: npt.NDArray[Any],
    neighbours: Neighbours,
    rows: Indices,
    share: Rows,
    candidates: list[int],
    far: list[int],
    side: int,
) -> tuple[Rows, Rows]:
    """√(share × share of the difference), 1 where nothing is `far`, and the difference, `(rows, candidates)`."""

    def against(rank: int) -> Rows:
        return differences(images, neighbours.places[rows], neighbours.places[neighbours.nearest[rows, rank]], side)

    found = np.stack([against(rank) for rank in candidates], axis=1)
    if not far:
        return np.ones_like(found), found
    usual = np.median([against(rank) for rank in far], axis=0)
    return np.sqrt(share * found / (usual[:, np.newaxis] + np.float32(1e-6))), found


def differences(images: npt.NDArray[Any], first: Indices, second: Indices, side: int) -> Rows:
    """1 − |correlation| of pairs of images, the least over shifts of up to one pixel (two above 32), `(n,)`."""
    parts = [
        _differences(shrunk(grey(images[first[start:end]]), side), shrunk(grey(images[second[start:end]]), side))
        for start, end in ((start, start + _CHUNK) for start in range(0, len(first), _CHUNK))
    ]
    return np.concatenate(parts) if parts else np.empty(0, np.float32)


def _differences(first: Rows, second: Rows) -> Rows:
    count, height, width = first.shape
    most = 0 if min(height, width) < 8 else 1 if max(height, width) <= 32 else 2
    best = np.zeros(count, np.float32)
    for down in range(-most, most + 1):
        for right in range(-most, most + 1):
            a = _overlap(first, down, right)
            b = _overlap(second, -down, -right)
            size = np.sqrt(np.einsum("np,np->n", a, a) * np.einsum("np,np->n", b, b)) + np.float32(1e-6)
            best = np.maximum(best, np.abs(np.einsum("np,np->n", a, b)) / size)
    return np.asarray(np.maximum(1 - best, 0))


def _overlap(images: Rows, down: int, right: int) -> Rows:
    height, width = images.shape[1:]
    rows = slice(max(0, down), height + min(0, down))
    columns = slice(max(0, right), width + min(0, right))
    flat = images[:, rows, columns].reshape(len(images), -1)
    return np.asarray(flat - flat.mean(axis=1, keepdims=True))
