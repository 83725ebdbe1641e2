"""The connected parts of an ink image, and which of them belong together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glassnet.support.arrays import Array

Plane = NDArray[np.float32]
Cells = tuple[int, int, int, int]  # top, left, bottom, right, in whole pixels


@dataclass(frozen=True)
class Part:
    """A connected part: its number in the map of labels, its box, the sum of its ink, its pixels at the image's edge."""

    label: int
    box: Cells
    mass: float
    edge: int


def find_parts(strength: Plane, threshold: float) -> tuple[NDArray[np.int32], list[Part]]:
    """The map of labels (0: no ink) and the 8-connected parts above the threshold."""
    from scipy import ndimage

    labels, count = ndimage.label(strength > threshold, np.ones((3, 3)))
    mass = np.bincount(labels.ravel(), strength.ravel(), count + 1)
    edge = np.bincount(frame(labels), minlength=count + 1)
    parts = []
    for label, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        box = rows.start, columns.start, rows.stop, columns.stop
        parts.append(Part(label, box, float(mass[label]), int(edge[label])))
    return labels.astype(np.int32), parts


def frame(image: Array) -> Array:
    """The pixels of the outermost rows and columns."""
    return np.concatenate([image[0], image[-1], image[1:-1, 0], image[1:-1, -1]])


def gaps(a: Cells, b: Cells) -> tuple[float, float]:
    """The vertical and the horizontal gap between two boxes, below 0 where they overlap."""
    return max(a[0] - b[2], b[0] - a[2]), max(a[1] - b[3], b[1] - a[3])


def around(boxes: list[Cells]) -> Cells:
    return min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes)


def longest(box: Cells) -> int:
    return max(box[2] - box[0], box[3] - box[1])


def widest_gaps(parts: list[Part]) -> tuple[float, float]:
    """The widest vertical and horizontal gap that must be crossed to join all parts, nearest first; in pixels."""
    groups = [part.box for part in parts]
    down = right = 0.0
    while len(groups) > 1:
        pairs = ((max(gaps(a, b)), i, j) for i, a in enumerate(groups) for j, b in enumerate(groups[:i]))
        _, i, j = min(pairs)
        y, x = gaps(groups[i], groups[j])
        down, right = (max(down, y), right) if y >= x else (down, max(right, x))
        groups = [box for k, box in enumerate(groups) if k not in (i, j)] + [around([groups[i], groups[j]])]
    return down, right
