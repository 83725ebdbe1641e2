"""`LearningCurve`: what was measured, and what it predicts for other numbers of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from glassnet.analysis.learning_curve.fit import Worlds, fit
from glassnet.errors import InputError
from glassnet.experiment.shares import Measured
from glassnet.support.checks import between, is_number
from glassnet.support.i18n import tr
from glassnet.support.upwards import Shown

INTERVAL = (0.05, 0.5, 0.95)
GOALS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)


@dataclass(frozen=True)
class Point:
    """The trainings on one `share` of the training images: how many `images` (their mean) and the accuracy of each draw."""

    share: float
    images: int
    accuracies: tuple[float, ...]

    @property
    def mean(self) -> float:
        return float(np.mean(self.accuracies))


@dataclass(frozen=True)
class LearningCurve(Shown):
    """Accuracies on the validation images over the number of training images, and their extrapolation.

    `measured`: the trainings; `name`: of the recipe; `images`: all training images there are; `validation`: images that
    judged; `chance`: the accuracy of always naming the largest class. The fit is described in `docs/learning-curve.md`.

        curve = gn.learning_curve("digits", epochs=20)
        low, middle, high = curve.predict(2 * curve.images)
        curve.needed(0.99)
    """

    name: str
    images: int
    validation: int
    chance: float
    measured: tuple[Measured, ...]

    @property
    def points(self) -> tuple[Point, ...]:
        """The measured sizes, the smallest first."""
        shares = sorted({one.share for one in self.measured})
        of = {share: [one for one in self.measured if one.share == share] for share in shares}
        return tuple(
            Point(share, round(float(np.mean([one.images for one in ones]))), tuple(one.accuracy for one in ones))
            for share, ones in of.items()
        )

    @cached_property
    def worlds(self) -> Worlds:
        """The curves that fit, drawn from the posterior."""
        images = np.array([one.images for one in self.measured], np.float64)
        wrong = np.array([one.total - one.correct for one in self.measured], np.float64)
        return fit(images, wrong, self.validation, 1 - self.chance)

    def predict(self, images: float) -> tuple[float, float, float]:
        """The accuracy of one training on so many images, on new images like the validation images: low, middle, high.

        A 90 % interval and the median, over the curves that fit, the luck of one training, and the validation images'
        being a sample. Raises `InputError` for less than one image.
        """
        if not is_number(images) or images < 1:
            what, expected = tr("The number of images must be positive."), tr("1 or more")
            raise InputError(what, where="LearningCurve.predict(images)", expected=expected, received=images)
        low, middle, high = 1 - np.quantile(self.worlds.errors(np.array([images]))[0], INTERVAL[::-1])
        return float(low), float(middle), float(high)

    def needed(self, accuracy: float) -> tuple[float, float, float]:
        """With how many images one training reaches this accuracy: low, middle, high of a 90 % interval; ∞ for never.

        The inverse of `predict`. Raises `InputError` for an accuracy outside (0, 1).
        """
        between(accuracy, tr("The accuracy must be a fraction."), "LearningCurve.needed(accuracy)", "accuracy")
        found = np.quantile(self.worlds.images(1 - accuracy), INTERVAL, method="inverted_cdf")
        low, middle, high = (float(max(1.0, value)) for value in found)
        return low, middle, high

    @property
    def goals(self) -> tuple[float, ...]:
        """The next two round accuracies above that of all images there are."""
        now = self.predict(self.images)[1]
        return tuple(goal for goal in GOALS if goal > now)[:2]

    def as_dict(self, goals: Sequence[float] = ()) -> dict[str, Any]:
        """Everything as numbers, for JSON: points, predictions for 0.5 to 10 times the images there are, and `needed`."""
        names = ("low", "middle", "high")
        sizes = [round(times * self.images) for times in (0.5, 1, 2, 5, 10)]
        return {
            "recipe": self.name,
            "images": self.images,
            "validation_images": self.validation,
            "chance": self.chance,
            "points": [
                {"share": point.share, "images": point.images, "accuracies": list(point.accuracies)} for point in self.points
            ],
            "interval": 0.9,
            "predicted": [{"images": size} | dict(zip(names, self.predict(size), strict=True)) for size in sizes],
            "needed": [
                {"accuracy": goal} | {name: value if np.isfinite(value) else None for name, value in
                                      zip(names, self.needed(goal), strict=True)}
                for goal in goals or self.goals
            ],
        }  # fmt: skip

    def __str__(self) -> str:
        from glassnet.analysis.learning_curve.words import report

        return report(self)
