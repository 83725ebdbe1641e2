"""Finding ink on a photographed or scanned page: its polarity, one character, or all of them in reading order."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from glassnet.data.background import Plane, background, fit_background, reduced
from glassnet.data.parts import Cells, Part, around, find_parts, gaps, longest

ONE, PAGE = 400, 1000  # the longer side at which one character and a page are looked for
_LEAST = 8.0  # grey levels: less contrast is no ink
_PEAK = 16.0  # grey levels: the darkest tenth of a stroke has more
_SMALL = 100  # pixels: below, noise is not smoothed, as strokes may be one pixel wide
_ALONG = 0.9  # of a part's longer side: with more pixels at the edge it is a table or a shadow
_STEP = 1.4  # from one threshold to the next, where ink touches what is darker than the page
_STRAY = 0.15  # of a character's longer side: how far a small part may be from it, such as the bar of a 5
_SPECK = 0.02  # of the largest part's ink: less is a speck


@dataclass(frozen=True)
class View:
    """A page at reduced size: `rest`, the pixels minus the background, whose coefficients are `c`; the standard deviation of
    its noise; `spread`, between which the background lies, in grey levels."""

    rest: Plane
    factor: float
    c: NDArray[np.float64]
    noise: float
    spread: float


@dataclass(frozen=True)
class Character:
    """Labels of its parts in the map of labels, and the box around them; `peak`: how far full ink is from the background."""

    labels: tuple[int, ...]
    box: Cells
    peak: float


@dataclass(frozen=True)
class Found:
    """The characters in lines, the map of labels, and `sign`: −1 for ink darker than the background, else 1."""

    lines: list[list[Character]]
    labels: NDArray[np.int32]
    sign: int


def look(grey: Plane, size: int) -> View:
    """The page reduced to `size` pixels, smoothed a little, with its background subtracted."""
    from scipy import ndimage

    small, factor = reduced(grey, size)
    if min(small.shape) > _SMALL:
        small = ndimage.gaussian_filter(small, 0.7)
    c = fit_background(small)
    surface = background(c, small.shape, (0, 0, *small.shape))
    rest = small - surface
    noise = 1.4826 * float(np.median(np.abs(rest - np.median(rest))))
    if min(small.shape) <= _SMALL:
        noise = min(noise, float(np.abs(rest).max()) / 10)  # ink may cover half of a small image
    return View(rest, factor, c, noise, float(surface.max() - surface.min()))


def find_one(view: View, gap: float) -> Found | None:
    """The character with the most ink, its parts joined over gaps of up to `gap` of its longer side; None on a blank page.

    Ink that touches an edge of the image is only taken where there is no other. What lies along an edge is taken for a table
    or a shadow, in which ink that is darker still is looked for.
    """
    sign, labels, parts = _ink(view)
    if not parts:
        return None
    main = max(parts, key=lambda part: part.mass)
    others = [part for part in parts if part.mass >= _SPECK * main.mass and part is not main]
    box, chosen = main.box, [main]
    side = longest(main.box)
    while near := [part for part in others if max(gaps(part.box, box)) < gap * side]:
        others = [part for part in others if part not in near]
        chosen += near
        box = around([box, *(part.box for part in near)])
    peak = _peak(view, sign, labels, [main])
    if peak < max(_PEAK, 6 * view.noise):
        return None
    return Found([[Character(tuple(part.label for part in chosen), box, peak)]], labels, sign)


def find_all(view: View, gap_y: float, gap_x: float) -> Found | None:
    """All characters, line by line; parts are joined over gaps of up to `gap_y`, `gap_x` of a character's longer side."""
    sign, labels, parts = _ink(view)
    if not parts:
        return None
    size, mass = _typical(parts), _median_by_mass([part.mass for part in parts])
    labels, rescued = _off_the_edge(view, sign, labels, size, mass)
    parts = [part for part in parts if longest(part.box) < 4 * size] + rescued
    groups = _joined(parts, size, gap_y, gap_x)
    mass = _median_by_mass([sum(part.mass for part in group) for group in groups])
    characters = []
    for group in groups:
        box = around([part.box for part in group])
        peak = _peak(view, sign, labels, group)
        if (
            sum(part.mass for part in group) >= 0.1 * mass
            and longest(box) > 0.25 * size
            and peak > max(_PEAK, 6 * view.noise)
        ):
            characters.append(Character(tuple(part.label for part in group), box, peak))
    return Found(reading_order(characters), labels, sign) if characters else None


def _ink(view: View) -> tuple[int, NDArray[np.int32], list[Part]]:
    """The polarity whose largest part has more ink, the map of labels, and its parts (those inside the image, if any)."""
    threshold = max(4 * view.noise, _LEAST)
    seen = [(sign, *find_parts(sign * view.rest, threshold)) for sign in (-1, 1)]
    for most in (0.0, _ALONG):
        inside = [
            (sign, labels, [part for part in parts if part.edge <= most * longest(part.box)]) for sign, labels, parts in seen
        ]
        inside = [found for found in inside if _large(found[2])]
        if inside:
            return max(inside, key=lambda found: max(part.mass for part in found[2]))
    if min(view.rest.shape) <= _SMALL:  # cut out closely
        return max(seen, key=lambda found: max((part.mass for part in found[2]), default=0))
    while threshold < np.abs(view.rest).max():
        threshold *= _STEP
        for sign in (-1, 1):
            labels, parts = find_parts(sign * view.rest, threshold)
            parts = [part for part in parts if not part.edge]
            if _large(parts):
                return sign, labels, parts
    return -1, seen[0][1], []


def _off_the_edge(
    view: View, sign: int, labels: NDArray[np.int32], size: float, mass: float
) -> tuple[NDArray[np.int32], list[Part]]:
    """Characters that touch a table or a shadow at the edge of the page: parts of it, of a character's size and darker.

    The map of labels, in which they have numbers of their own, and the parts.
    """
    threshold = max(4 * view.noise, _LEAST)
    _, parts = find_parts(sign * view.rest, threshold)
    outside = np.isin(labels, [part.label for part in parts if part.edge and longest(part.box) > 2 * size])
    rest = np.where(outside, sign * view.rest, np.float32(0))
    labels, rescued = labels.copy(), []
    while outside.any() and threshold < rest.max():
        threshold *= _STEP
        pieces, parts = find_parts(rest, threshold)
        for part in parts:
            if part.edge or not 0.5 * size < longest(part.box) < 1.6 * size or not 0.3 * mass < part.mass < 3 * mass:
                continue
            number = int(labels.max()) + 1
            labels[pieces == part.label] = number
            rest[pieces == part.label] = 0
            rescued.append(replace(part, label=number))
    return labels, rescued


def _large(parts: list[Part]) -> bool:
    return any(longest(part.box) > 3 for part in parts)


def _peak(view: View, sign: int, labels: NDArray[np.int32], parts: list[Part]) -> float:
    top, left, bottom, right = around([part.box for part in parts])
    inside = np.isin(labels[top:bottom, left:right], [part.label for part in parts])
    return float(np.percentile(sign * view.rest[top:bottom, left:right][inside], 90))


def _median_by_mass(masses: list[float]) -> float:
    ordered = np.sort(masses)
    return float(ordered[np.searchsorted(np.cumsum(ordered), ordered.sum() / 2)])


def _typical(parts: list[Part]) -> float:
    """The longer side of a part, in the middle of the ink."""
    ordered = sorted(parts, key=lambda part: longest(part.box))
    half = np.searchsorted(np.cumsum([part.mass for part in ordered]), sum(part.mass for part in parts) / 2)
    return float(longest(ordered[int(half)].box))


def _joined(parts: list[Part], size: float, gap_y: float, gap_x: float) -> list[list[Part]]:
    """Parts joined to characters, the nearest first, while the whole stays below 1.5 of the typical size."""
    groups = [([part], part.box) for part in sorted(parts, key=lambda part: -part.mass) if part.mass > 0]
    merged = True
    while merged:
        merged = False
        best: tuple[float, int, int] | None = None
        for i, (_, a) in enumerate(groups):
            for j in range(i):
                b = groups[j][1]
                y, x = gaps(a, b)
                least = _STRAY if min(longest(a), longest(b)) < 0.5 * size else 0.0
                if y > max(gap_y, least) * size or x > max(gap_x, least) * size or longest(around([a, b])) > 1.5 * size:
                    continue
                if best is None or max(y, x) < best[0]:
                    best = max(y, x), i, j
        if best is not None:
            _, i, j = best
            (first, a), (second, b) = groups[i], groups[j]
            groups = [group for k, group in enumerate(groups) if k not in (i, j)] + [(first + second, around([a, b]))]
            merged = True
    return [group for group, _ in groups]


def reading_order(characters: list[Character]) -> list[list[Character]]:
    """Lines from the top, each from the left; the page may be tilted.

    Its slope is the median over pairs of neighbours. A line ends where the next centre, along that slope, is more than half a
    character below the line's mean, or 1.2 where the line has no character above it.
    """
    size = float(np.median([longest(one.box) for one in characters]))
    y = np.array([(one.box[0] + one.box[2]) / 2 for one in characters])
    x = np.array([(one.box[1] + one.box[3]) / 2 for one in characters])
    slopes = []
    for i in range(len(characters)):
        right, down = x - x[i], y - y[i]
        beside = np.flatnonzero((right > 0.2 * size) & (np.abs(down) < 0.6 * size) & (np.abs(down) < 0.5 * right))
        if len(beside):
            next_one = beside[np.argmin(right[beside] + 2 * np.abs(down[beside]))]
            slopes.append(down[next_one] / right[next_one])
    level = y - (float(np.median(slopes)) if slopes else 0.0) * x
    lines: list[list[int]] = []
    for i in np.argsort(level, kind="stable"):
        below = level[i] - np.mean(level[lines[-1]]) if lines else np.inf
        if below <= 0.5 * size or (below <= 1.2 * size and not (np.abs(x[lines[-1]] - x[i]) < 0.7 * size).any()):
            lines[-1].append(int(i))
        else:
            lines.append([int(i)])
    return [[characters[i] for i in sorted(line, key=lambda i: x[i])] for line in lines]
