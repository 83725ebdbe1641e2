"""A photo, scan or drawing becomes an image like those that a network was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from glassnet.data.background import Plane, background, reduced
from glassnet.data.find import ONE, PAGE, Character, Found, View, find_all, find_one, look
from glassnet.data.ink import full_ink, ink_box, ink_centre, stroke_width
from glassnet.data.parts import Cells, find_parts, frame
from glassnet.data.style import ImageStyle
from glassnet.support.i18n import Message, listing, tr

Kind = Literal["unchanged", "resized", "ink", "blank"]

_CUT = 120  # the longer side of the piece of the page in which a character is measured
_MARGIN = 0.25  # around the box, as a share of its longer side
_JOIN = 0.35  # of its longer side: parts of the one character on an image are joined over such gaps
_JOIN_PAGE = 0.1, 0.05  # vertical, horizontal: what is joined on a page at least
_UNEVEN = 12.0  # grey levels: a background that varies by less needs no word


@dataclass(frozen=True)
class Prepared:
    """An image as the network takes it, and what was done to get there.

    `pixels`: (H, W, C). `kind`: "unchanged" (it looked like a training image), "resized" (as training images were; the data
    is not ink on a plain ground), "ink" (found, cut out, scaled, centred) or "blank" (nothing found). `steps`: a sentence
    each. `box`: left, top, right, bottom in the image, None unless ink was found. `line`: of the page, from 0.
    """

    pixels: NDArray[Any]
    kind: Kind
    steps: tuple[Message, ...] = ()
    box: tuple[int, int, int, int] | None = None
    line: int = 0

    def __str__(self) -> str:
        return listing(self.steps)

    def describe(self) -> dict[str, Any]:
        """For JSON: all but the pixels."""
        return {"kind": self.kind, "steps": list(self.steps), "box": None if self.box is None else list(self.box)}


def looks_trained(pixels: NDArray[np.uint8], style: ImageStyle) -> bool:
    """Whether an image of the network's size is as the training images are: ground, size and place of its ink."""
    values = pixels.reshape(pixels.shape[:2]).astype(np.float32) / np.float32(255)
    if abs(float(np.median(frame(values))) - style.ground) > abs(style.contrast) / 4:
        return False
    sign = 1 if style.contrast > 0 else -1
    strength = np.maximum(sign * (values - np.float32(style.ground)), 0)
    full = full_ink(strength)
    if full < abs(style.contrast) / 4:
        return False
    ink = np.minimum(strength / np.float32(full), 1)
    box = ink_box(ink)
    if box is None:
        return False
    top, left, bottom, right = box
    y, x = ink_centre(ink) if style.centring == "mass" else ((top + bottom) / 2, (left + right) / 2)
    slack = 0.05 * max(values.shape)
    side = max(bottom - top, right - left)
    near = np.hypot(y - style.y, x - style.x) <= style.off + slack
    return bool(near and style.least - slack <= side <= style.most + slack)


def prepare_one(grey: NDArray[np.uint8], style: ImageStyle, shape: tuple[int, int]) -> Prepared:
    """The one character of an image, (H, W) of bytes: found, cut out, scaled and centred as in training."""
    plane = grey.astype(np.float32)
    view = look(plane, ONE)
    found = find_one(view, max(_JOIN, 1.3 * style.gap_y, 1.3 * style.gap_x))
    made = None if found is None else _prepared(plane, view, found, found.lines[0][0], style, shape)
    return made or blank(style, shape)


def prepare_all(grey: NDArray[np.uint8], style: ImageStyle, shape: tuple[int, int]) -> list[Prepared]:
    """All characters of a page, in reading order; empty for a blank one."""
    plane = grey.astype(np.float32)
    view = look(plane, PAGE)
    least_y, least_x = _JOIN_PAGE
    found = find_all(view, max(least_y, 1.3 * style.gap_y), max(least_x, 1.3 * style.gap_x))
    if found is None:
        return []
    return [
        made
        for number, line in enumerate(found.lines)
        for one in line
        if (made := _prepared(plane, view, found, one, style, shape, number)) is not None
    ]


def blank(style: ImageStyle, shape: tuple[int, int]) -> Prepared:
    """An image of the ground alone."""
    pixels = np.full((*shape, 1), round(255 * style.ground), np.uint8)
    return Prepared(pixels, "blank", (tr("blank: no ink was found"),))


def _prepared(
    plane: Plane, view: View, found: Found, one: Character, style: ImageStyle, shape: tuple[int, int], line: int = 0
) -> Prepared | None:
    ink = cut_out(plane, view, found, one)
    if ink is None:
        return None
    strength, words = place(ink, style, shape)
    values = np.clip(style.ground + style.contrast * strength, 0, 1)
    height, width = plane.shape
    top, left, bottom, right = (edge / view.factor for edge in one.box)
    box = round(left), round(top), min(width, round(right)), min(height, round(bottom))
    steps = [
        tr("light ink on dark") if found.sign > 0 else tr("dark ink on light"),
        *([tr("shading of {levels:.0f} grey levels removed", levels=view.spread)] if view.spread > _UNEVEN else []),
        tr(
            "ink of {wide} × {high} pixels at {left}, {top}",
            wide=box[2] - box[0],
            high=box[3] - box[1],
            left=box[0],
            top=box[1],
        ),
        *words,
    ]
    return Prepared(np.rint(255 * values).astype(np.uint8)[..., None], "ink", tuple(steps), box, line)


def cut_out(plane: Plane, view: View, found: Found, one: Character) -> Plane | None:
    """How much ink each pixel around the character has, 0…1, background and all other characters taken away."""
    from scipy import ndimage

    height, width = plane.shape
    edges = [edge / view.factor for edge in one.box]
    margin = _MARGIN * max(edges[2] - edges[0], edges[3] - edges[1]) + 1
    top, left = int(max(0, edges[0] - margin)), int(max(0, edges[1] - margin))
    bottom, right = int(np.ceil(min(height, edges[2] + margin))), int(np.ceil(min(width, edges[3] + margin)))
    piece = found.sign * (plane[top:bottom, left:right] - background(view.c, plane.shape, (top, left, bottom, right)))
    ink = reduced(piece.astype(np.float32), _CUT)[0]
    owner = _labels_there(found, ink.shape, (top, left, bottom, right), view.factor)
    ink = np.where((owner > 0) & ~np.isin(owner, one.labels), 0, ink)
    noise = 1.4826 * float(np.median(np.abs(ink - np.median(ink))))
    labels, parts = find_parts(ink, max(0.35 * one.peak, min(3 * noise, 0.6 * one.peak)))
    touched = {int(label) for label in np.unique(labels[np.isin(owner, one.labels)])} - {0}
    parts = [part for part in parts if part.label in touched]
    if not parts:
        return None
    most = max(part.mass for part in parts)
    solid = np.isin(labels, [part.label for part in parts if part.mass >= 0.03 * most])
    full = float(np.percentile(ink[solid], 75))
    faint = min(max(0.12 * full, 2 * noise), 0.5 * full)
    near = ndimage.binary_dilation(solid, iterations=max(1, round(0.03 * max(ink.shape))))
    return np.asarray(np.clip((ink - faint) / (full - faint), 0, 1) * near, np.float32)


def _labels_there(found: Found, size: tuple[int, int], box: Cells, factor: float) -> NDArray[np.int32]:
    """The map of labels at the pixels of a piece of the page: that of the nearest pixel of the reduced page."""
    top, left, bottom, right = box
    y = (top + (np.arange(size[0]) + 0.5) * (bottom - top) / size[0]) * factor
    x = (left + (np.arange(size[1]) + 0.5) * (right - left) / size[1]) * factor
    rows = np.minimum(y.astype(int), found.labels.shape[0] - 1)
    columns = np.minimum(x.astype(int), found.labels.shape[1] - 1)
    return np.asarray(found.labels[np.ix_(rows, columns)])


def place(ink: Plane, style: ImageStyle, shape: tuple[int, int]) -> tuple[Plane, list[Message]]:
    """The ink, 0…1, scaled to the size that it has in training, and centred likewise; and what was done."""
    from PIL import Image

    words: list[Message] = []
    scale_y, scale_x = _scales(ink, style)
    width = stroke_width(ink) / min(scale_y, scale_x)
    if width < style.thin:
        ink = thicker(ink, (style.stroke - width) * min(scale_y, scale_x) / 2)
        scale_y, scale_x = _scales(ink, style)
        words.append(tr("strokes thickened from {now:.1f} to {then:.1f} pixels", now=width, then=style.stroke))
    top, left, bottom, right = ink_box(ink) or (0, 0, *ink.shape)
    y, x = ink_centre(ink) if style.centring == "mass" else ((top + bottom) / 2, (left + right) / 2)
    pad = int(max(shape[0] * scale_y, shape[1] * scale_x)) + 2
    start_y, start_x = y + pad - style.y * scale_y, x + pad - style.x * scale_x
    window = start_x, start_y, start_x + shape[1] * scale_x, start_y + shape[0] * scale_y
    padded = Image.fromarray(np.pad(ink, pad))
    small = np.asarray(padded.resize((shape[1], shape[0]), Image.Resampling.BILINEAR, window), np.float32)
    words.append(
        tr("scaled so that it fills {height:.0f} × {width:.0f} pixels", height=style.height, width=style.width)
        if style.stretched
        else tr("scaled so that its longer side is {side:.0f} pixels", side=style.side)
    )
    words.append(tr("centred by mass") if style.centring == "mass" else tr("centred by its box"))
    return np.clip(small / max(full_ink(small), 0.5), 0, 1), words


def _scales(ink: Plane, style: ImageStyle) -> tuple[float, float]:
    """Pixels of the cut for one of the network's, along y and x."""
    top, left, bottom, right = ink_box(ink) or (0, 0, *ink.shape)
    if style.stretched:
        return (bottom - top) / style.height, (right - left) / style.width
    scale = max(bottom - top, right - left) / style.side
    return scale, scale


def thicker(ink: Plane, radius: float) -> Plane:
    """The largest value within `radius` pixels of each."""
    from scipy import ndimage

    whole = int(np.ceil(radius))
    y, x = np.mgrid[-whole : whole + 1, -whole : whole + 1]
    return np.asarray(ndimage.grey_dilation(np.pad(ink, whole), footprint=y * y + x * x <= radius * radius), np.float32)
