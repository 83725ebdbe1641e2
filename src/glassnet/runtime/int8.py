"""Prediction in int8: the ranges of the inputs of products, found on some images, and which answers are computed again.

Rounding changes the class of a few images whose two largest outputs are close. If the outputs of an image in int8 are off by
e, and the largest is a, its class is that of float32 unless its margin, the difference of the two largest, is at most
max (e[a] − e[j]). The limit is the largest of these on the calibration images: an image of no larger margin is computed again
in float32, so no class of the calibration images differs, and others like them seldom do.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.compiler import FEW_IMAGES, Range
from glassnet.errors import InputError
from glassnet.nn import Conv2D, Dense, walk
from glassnet.nn.stack import Stack
from glassnet.runtime.layer_outputs import LayerOutputs
from glassnet.runtime.predictor import Predictor
from glassnet.support.arrays import Array
from glassnet.support.i18n import Message, tr

NEVER = -1.0  # a limit that no margin is below


@dataclass(frozen=True)
class Calibration:
    """What prediction in int8 needs, and its answers beside those of float32 on the `images` that it was found on.

    `ranges`: of the inputs of dense layers and convolutions, by their places among all layers. `limit`: images of no larger
    margin are computed again in float32. Of the images, `changed` have another class, by the limit none; `changed_alone`
    would have one without it; `repeated` are computed again. `largest`: the largest difference of a probability.
    """

    ranges: dict[int, Range]
    limit: float
    images: int
    changed: int
    changed_alone: int
    repeated: int
    largest: float

    @property
    def holds(self) -> bool:
        return self.changed == 0

    @property
    def share_repeated(self) -> float:
        """Of the images."""
        return self.repeated / self.images

    @property
    def text(self) -> Message:
        """The proof in words."""
        return tr(
            "{equal} of {images} images have the class that they have in float32 ({alone} without the {share} % that are "
            "computed again); probabilities differ by at most {largest}",
            equal=f"{self.images - self.changed:,}",
            images=f"{self.images:,}",
            alone=f"{self.images - self.changed_alone:,}",
            share=f"{100 * self.share_repeated:.2f}",
            largest=f"{self.largest:.1e}",
        )

    def describe(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return asdict(self) | {"ranges": {str(place): list(found) for place, found in self.ranges.items()}}

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> Calibration:
        """Of `describe`; raises TypeError, KeyError or ValueError where it is none."""
        ranges = {int(place): (float(low), float(high)) for place, (low, high) in dict(description["ranges"]).items()}
        if not np.isfinite([*ranges.values(), (float(description["limit"]), 0.0)]).all():
            raise ValueError("calibration")
        return cls(**description | {"ranges": ranges})


def margins(outputs: Array, threshold: float) -> Array:
    """How far each row of raw outputs is from another class, (N,)."""
    if outputs.shape[1] == 1:
        return np.abs(outputs[:, 0] - np.float64(threshold))
    top = np.partition(outputs, outputs.shape[1] - 2, axis=1)[:, -2:].astype(np.float64)
    return np.asarray(top[:, 1] - top[:, 0])


def margin_errors(found: Array, exact: Array) -> Array:
    """By how much the margins of raw outputs `found` may be too large, (N,)."""
    errors = found.astype(np.float64) - exact
    if found.shape[1] == 1:
        return np.abs(errors[:, 0])
    return np.asarray(errors[np.arange(len(errors)), found.argmax(axis=1)] - errors.min(axis=1))


def find_ranges(stack: Stack, rows: Array) -> dict[int, Range]:
    """The ranges of the inputs of dense layers and convolutions, by their places among all layers."""
    places = {id(layer): place for place, layer in enumerate(walk(stack.layers)) if isinstance(layer, (Conv2D, Dense))}
    found: dict[int, Range] = {}
    inside = LayerOutputs(stack, rows)
    for layer, x in inside.inputs():
        if id(layer) in places:
            low, high = found.get(places[id(layer)], (0.0, 0.0))
            found[places[id(layer)]] = float(np.minimum(low, x.min())), float(np.maximum(high, x.max()))  # NaN stays
    inside.close()
    return found


class Int8Predictor(Predictor):
    """Predictions in int8; few images, and those of a small margin, by the predictor in float32, `exact`."""

    def __init__(self, stack: Stack, calibration: Calibration, exact: Predictor) -> None:
        super().__init__(stack, ranges=calibration.ranges)
        self._limit, self._exact, self._calibration = calibration.limit, exact, calibration

    def __reduce__(self) -> tuple[type[Predictor], tuple[Any, ...]]:
        return type(self), (self._stack, self._calibration, self._exact)

    def outputs(self, rows: Array, purpose: str) -> tuple[Array, NDArray[np.int64]]:
        """The "raw" outputs (N, outputs), and the classes (N,)."""
        if len(rows) < FEW_IMAGES:
            return self._exact.outputs(rows, purpose)
        found, classes = super().outputs(rows, purpose)
        unsure = np.flatnonzero(margins(found, self._stack.threshold) <= self._limit)
        if len(unsure):
            found[unsure], classes[unsure] = self._exact.outputs(rows[unsure], purpose)
        return found, classes

    def classes(self, rows: Array) -> NDArray[np.int64]:
        """The classes (N,)."""
        return self.outputs(rows, "raw")[1]

    def losses(self, rows: Array, labels: Array) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Losses (N,), without penalty, and classes (N,)."""
        return self._losses_of(*self.outputs(rows, "raw"), labels)


def calibrate(stack: Stack, rows: Array, exact: Predictor) -> Calibration:
    """The calibration on rows of images: ranges, then the limit, then the proof with both."""
    if len(rows) < FEW_IMAGES:
        raise InputError(
            tr("These are too few images to calibrate on."), where="calibrate(images)",
            expected=tr("{count} images or more, such as the validation images", count=FEW_IMAGES), received=len(rows),
        )  # fmt: skip
    raw, wanted = exact.outputs(rows, "raw")
    ranges = find_ranges(stack, rows)
    if not (np.isfinite(raw).all() and np.isfinite([*ranges.values(), (0.0, 0.0)]).all()):
        raise InputError(
            tr("Outputs of the network or of a layer are not finite numbers."), where="calibrate(images)",
            expected=tr("a trained network"),
        )  # fmt: skip
    alone = Calibration(ranges, NEVER, len(rows), 0, 0, 0, 0.0)
    found, classes = Int8Predictor(stack, alone, exact).outputs(rows, "raw")
    limit = float(margin_errors(found, raw).max())
    repeated = int((margins(found, stack.threshold) <= limit).sum())
    with_limit = replace(alone, limit=limit, changed_alone=int((classes != wanted).sum()), repeated=repeated)
    found, classes = Int8Predictor(stack, with_limit, exact).outputs(rows, "raw")
    largest = float(np.abs(stack.probabilities(found) - stack.probabilities(raw)).max())
    return replace(with_limit, changed=int((classes != wanted).sum()), largest=largest)
