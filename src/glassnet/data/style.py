"""What the images of a data set look like: on what ground, how large, how centred, with what strokes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from glassnet.data.dataset import Dataset
from glassnet.data.ink import Plane, full_ink, ink_box, ink_centre, stroke_width
from glassnet.data.parts import find_parts, frame, longest, widest_gaps

_SAMPLES = 300
_NEAR = 0.12  # of the range of pixels: as near the ground's value as noise and compression leave it
_SPECK = 0.03  # of an image's ink: less is no part of a character


@dataclass(frozen=True)
class ImageStyle:
    """What images of ink on a plain ground have in common, learnt from training images; lengths in their pixels.

    `ink`: whether they are that at all; if not (photographs, colour), nothing else is known. `ground`: the value of the
    border, 0…1; `contrast`: of full ink against it, below 0 for dark ink. `height`, `width`, `side`: typical sizes of the
    ink's box, and of its longer side; `stretched`: whether each box fills both. `centring`: whether the centre of "mass" or
    of the "box" varies less; it is typically at `y`, `x`. `stroke`: typical width of a stroke; `thin`: of the thinnest tenth.
    `gap_y`, `gap_x`: the gaps between the parts of one character, as shares of its longer side. `least`, `most`: between
    which the longer sides lie; `off`: the farthest that a centre lies from `y`, `x`.

        gn.ImageStyle.of(splits.train).centring        "mass" for MNIST
    """

    ink: bool
    ground: float = 0.0
    contrast: float = 0.0
    height: float = 0.0
    width: float = 0.0
    side: float = 0.0
    stretched: bool = False
    centring: Literal["mass", "box"] = "mass"
    y: float = 0.0
    x: float = 0.0
    stroke: float = 0.0
    thin: float = 0.0
    gap_y: float = 0.0
    gap_x: float = 0.0
    least: float = 0.0
    most: float = 0.0
    off: float = 0.0

    @classmethod
    def of(cls, data: Dataset) -> Self:
        """Learnt from up to 300 images of the data, evenly spaced."""
        chosen = np.linspace(0, len(data) - 1, min(len(data), _SAMPLES)).round().astype(int)
        images = data.images[chosen]
        if images.ndim != 4 or images.shape[-1] != 1:
            return cls(ink=False)
        values = (images[..., 0].astype(np.float32)) / (255 if images.dtype == np.uint8 else 1)
        if not (values.min() >= 0 and values.max() <= 1):
            return cls(ink=False)
        return cls._measured(values)

    @classmethod
    def _measured(cls, values: NDArray[np.float32]) -> Self:
        ground = float(np.median([np.median(frame(image)) for image in values]))
        plain = np.mean([np.mean(np.abs(frame(image) - ground) < _NEAR) > 0.6 for image in values])
        covered = float(np.median(np.mean(np.abs(values - ground) >= _NEAR, axis=(1, 2))))
        sign = 1 if values.mean() > ground else -1
        strengths = np.maximum(sign * (values - ground), 0)
        full = float(np.median([full_ink(strength) for strength in strengths]))
        if plain < 0.9 or covered > 0.6 or full < 2 * _NEAR:
            return cls(ink=False)
        found = [measured for strength in strengths if (measured := _measures(strength)) is not None]
        if len(found) < len(values) / 2:
            return cls(ink=False)
        table = np.array(found)
        height, width, mass_y, mass_x, box_y, box_x, stroke, gap_y, gap_x = table.T
        side = np.maximum(height, width)
        by_mass = mass_y.std() + mass_x.std() <= box_y.std() + box_x.std()
        ys, xs = (mass_y, mass_x) if by_mass else (box_y, box_x)
        y, x = float(np.median(ys)), float(np.median(xs))
        even = max(height.std() / height.mean(), width.std() / width.mean())
        numbers = {
            "ground": ground,
            "contrast": sign * full,
            "height": np.median(height),
            "width": np.median(width),
            "side": np.median(side),
            "y": y,
            "x": x,
            "stroke": np.median(stroke),
            "thin": np.quantile(stroke, 0.1),
            "gap_y": np.quantile(gap_y, 0.95),
            "gap_x": np.quantile(gap_x, 0.95),
            "least": side.min(),
            "most": side.max(),
            "off": np.hypot(ys - y, xs - x).max(),
        }
        rounded = {name: round(float(value), 4) for name, value in numbers.items()}
        return cls(ink=True, stretched=bool(even < 0.08), centring="mass" if by_mass else "box", **rounded)

    def describe(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) if self.ink else {"ink": False}

    @classmethod
    def from_description(cls, description: object) -> Self:
        """What `describe` gave. Raises TypeError or ValueError for anything else."""
        if not isinstance(description, dict):
            raise TypeError("image_style")
        for field in fields(cls):
            value = description.get(field.name, field.default)
            fits = value in ("mass", "box") if field.name == "centring" else isinstance(value, type(field.default))
            if not (isinstance(value, bool) if field.name == "ink" else fits):
                raise ValueError(f"image_style: {field.name}")
        return cls(**description)


def _measures(strength: Plane) -> tuple[float, ...] | None:
    """Height, width, centre of mass, centre of box, width of strokes, gaps; None for an image without ink."""
    full = full_ink(strength)
    if full < _NEAR:
        return None
    ink = np.minimum(strength / np.float32(full), 1)
    box = ink_box(ink)
    if box is None:
        return None
    top, left, bottom, right = box
    _, parts = find_parts(ink, 0.3)
    total = sum(part.mass for part in parts)
    parts = [part for part in parts if part.mass > _SPECK * total][:12]
    side = longest(max((part.box for part in parts), key=longest))
    down, across = widest_gaps(parts)
    middle = (top + bottom) / 2, (left + right) / 2
    return (bottom - top, right - left, *ink_centre(ink), *middle, stroke_width(ink), down / side, across / side)
