"""The figures that the rules use, each computed when first used."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import isfinite, sqrt

import numpy as np
from numpy.typing import NDArray

from glassnet.analysis.diagnosis.images import Neighbours, neighbours, spread
from glassnet.data import Dataset
from glassnet.network import Network
from glassnet.nn.stack import Slot
from glassnet.support.arrays import Array
from glassnet.training import History
from glassnet.training.statistics import Statistics, Watch

PREDICTED, VALIDATED = 1000, 10_000  # training and validation images that are classified
COMPARED, HELD_OUT = 1500, 600  # of both, whose nearest neighbours are found
SHORT = 0.05  # below the accuracy of nearest neighbours: a network that has learnt is above it
MARGIN = 3.0  # standard errors
FEW = 1000  # steps: networks of this kind take some thousands
BRIEF = 100  # steps, after which a classifier that is level with the baseline needs no remark
FALLING = 0.01  # of the loss, by which it fell in the last epoch
FALLEN = 0.95  # of the first loss: a network without classes that has learnt something is below it
# Changes of a weight matrix in one step, relative to its norm
HUGE = 0.3  # useful steps change a hundredth or less, early ones a tenth
LARGE = 0.1  # early steps of a good training may, but then the loss falls
TINY = 1e-4  # ten thousand such steps would be needed to replace it
USEFUL = 3e-3
LEAST = 16  # weights in a matrix: a step may well change a smaller one by its whole norm


@dataclass(eq=False)
class Facts:
    """The history, network and data of one training, and figures computed from them.

    `in_force`: what the training already does, of the names in `advice.py`; what the network shows need not be among them.
    """

    history: History
    network: Network
    train: Dataset
    validation: Dataset | None = None
    test: Dataset | None = None
    rate: float | None = None
    in_force: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.rate is None:
            self.rate = max(filter(None, self.history.learning_rate), default=None)

    @property
    def is_classification(self) -> bool:
        return self.train.is_classification

    @property
    def steps(self) -> int:
        return sum(epoch.steps for epoch in self.history.epochs)

    @cached_property
    def not_finite(self) -> bool:
        return self.history.not_finite

    # The network now

    @cached_property
    def learnt(self) -> Dataset:
        """The training images that are classified."""
        return spread(self.train, PREDICTED)

    @cached_property
    def held_out(self) -> Dataset | None:
        return None if self.validation is None else spread(self.validation, VALIDATED)

    @cached_property
    def train_classes(self) -> NDArray[np.int64]:
        return self.network.predict(self.learnt.images)

    @property
    def predicted_shares(self) -> NDArray[np.float64]:
        """The share of each class among the predictions for training images."""
        return np.bincount(self.train_classes, minlength=len(self.train.counts)) / len(self.train_classes)

    @cached_property
    def train_accuracy(self) -> float:
        """On training images, without dropout."""
        return float((self.train_classes == self.learnt.labels).mean())

    @cached_property
    def validation_accuracy(self) -> float | None:
        if self.held_out is None:
            return None
        return float((self.network.predict(self.held_out.images) == self.held_out.labels).mean())

    @property
    def accuracy(self) -> float:
        """On validation data, or else on the training set."""
        return self.train_accuracy if self.validation_accuracy is None else self.validation_accuracy

    @property
    def uncertainty(self) -> float:
        """The standard error of that accuracy."""
        count = len(self.learnt if self.held_out is None else self.held_out)
        return sqrt(max(self.accuracy * (1 - self.accuracy), 1 / count) / count)

    @cached_property
    def cost(self) -> float:
        """The mean loss of these training images, without dropout."""
        return float(self.network.predictor.losses(self.network.rows(self.learnt.images), self.learnt.labels)[0].mean())

    # What accuracy the data allow

    @cached_property
    def chance(self) -> float:
        """The share of the largest class: the accuracy of always predicting it."""
        return float(self.train.counts.max() / len(self.train))

    @cached_property
    def neighbours(self) -> Neighbours:
        held_out = None if self.validation is None else spread(self.validation, HELD_OUT)
        return neighbours(spread(self.train, COMPARED), held_out)

    @property
    def within_reach(self) -> float:
        """The accuracy of the better baseline: nearest neighbours, or always the largest class."""
        return max(self.neighbours.accuracy, self.chance)

    @cached_property
    def falls_short(self) -> bool:
        """Whether the accuracy is clearly below the baseline; without classes, whether the loss has hardly fallen."""
        if self.not_finite:
            return True
        if not self.is_classification:
            start = self.start_cost
            return start is not None and self.cost > FALLEN * start
        return self.accuracy < self.within_reach - SHORT - MARGIN * self.uncertainty

    @cached_property
    def is_stuck(self) -> bool:
        """Whether the training accuracy is not even half way from chance to the baseline."""
        if self.not_finite:
            return True
        if not self.is_classification:
            return self.falls_short
        return self.train_accuracy - self.chance < 0.5 * (self.within_reach - self.chance)

    @cached_property
    def beats_chance(self) -> bool:
        """Whether the mean recall of the classes is clearly above guessing; without classes, whether the loss fell."""
        if self.not_finite:
            return False
        if not self.is_classification:
            return not self.falls_short
        part = self.learnt if self.held_out is None else self.held_out
        found = self.train_classes if self.held_out is None else self.network.predict(part.images)
        counts = np.bincount(part.labels, minlength=len(part.counts))
        right = np.bincount(part.labels[found == part.labels], minlength=len(counts))
        present = counts > 0
        recall, n = right[present] / counts[present], counts[present]
        if len(n) < 2:
            return bool(recall.all())
        guessing = 1 / len(n)
        if self.held_out is None:  # all images there are: no chance in which ones were drawn
            return float(recall.mean()) > guessing
        error = sqrt(float((guessing * (1 - guessing) / n).sum())) / len(n)
        return float(recall.mean()) > guessing + 2 * error

    @cached_property
    def too_short(self) -> bool:
        """Whether the loss still fell after few steps, and the accuracy is below the baseline."""
        found = self.history.train_cost
        if not self.steps:
            return True
        if self.is_classification and (self.steps >= BRIEF or self.accuracy >= self.within_reach - SHORT):
            return False
        if self.steps >= FEW:
            return False
        before, after = (found[-2], found[-1]) if len(found) > 1 else (self.start_cost, self.end_cost)
        return before is not None and after < (1 - FALLING) * before

    # The course of the training

    @cached_property
    def start_cost(self) -> float | None:
        """The loss before the first step."""
        epochs = self.history.epochs
        return epochs[0].first_step.get("cost") if epochs else None

    @cached_property
    def _end(self) -> tuple[Statistics, float]:
        return Watch(self.network, self.train).look()

    @property
    def end_activations(self) -> Statistics:
        return self._end[0]

    @property
    def end_cost(self) -> float:
        """The loss now, of the same images as `start_cost`."""
        return self._end[1]

    @cached_property
    def start_activations(self) -> Statistics:
        """Those before the first step; those of the network where no epoch was complete; empty where not known."""
        epochs = self.history.epochs
        return epochs[0].first_step.get("activations", {}) if epochs else self.end_activations

    @cached_property
    def start_gradients(self) -> dict[str, float]:
        """The RMS gradient of each weight array at the first step; empty where not known."""
        epochs, sizes = self.history.epochs, {slot.name: slot.size for slot in self.weights}
        if epochs:
            first = epochs[0].first_step
            found = first.get("gradient_norms", epochs[0].gradient_norms if first else {})
            return {name: found[name] / sqrt(size) for name, size in sizes.items() if name in found}
        some = spread(self.train, 64)
        gradient: Array = self.network.loss_and_gradient(some.images, some.labels)[1]
        return {slot.name: float(np.sqrt(np.mean(slot.part(gradient) ** 2))) for slot in self.weights}

    @property
    def start_gradient(self) -> float | None:
        """The norm of the whole gradient of the weights at the first step."""
        sizes = {slot.name: slot.size for slot in self.weights}
        if not self.start_gradients:
            return None
        return sqrt(sum(sizes[name] * rms * rms for name, rms in self.start_gradients.items()))  # `rms**2` may raise

    @cached_property
    def weights(self) -> list[Slot]:
        """The weight arrays, without biases, and without very small ones, whose relative change says nothing."""
        return [slot for slot in self.network.slots if len(slot.shape) > 1 and slot.size >= LEAST]

    @cached_property
    def first_change(self) -> float | None:
        """The largest relative change of a weight matrix in the first step of the training."""
        epochs = self.history.epochs
        if not epochs or not epochs[0].first_step:
            return None
        return self._largest(epochs[0].first_step.get("update_norms", epochs[0].update_norms))

    @cached_property
    def changes(self) -> list[float]:
        """The largest relative change of a weight matrix in the last step of each epoch."""
        return [self._largest(epoch.update_norms) for epoch in self.history.epochs if epoch.update_norms]

    @property
    def change(self) -> float:
        """The largest of all these changes."""
        return max([self.first_change or 0.0, *self.changes])

    @property
    def rate_factor(self) -> float:
        """By how much to multiply the learning rate: one factor, so that no two findings suggest different rates."""
        if isfinite(self.change) and self.change > LARGE:
            return min(0.1, 0.03 / self.change)
        if 0 < self.change < TINY and not self.not_finite:
            return min(1e4, max(10.0, USEFUL / self.change))
        return 0.1

    def _largest(self, changes: dict[str, float]) -> float:
        return max((changes[slot.name] for slot in self.weights if slot.name in changes), default=0.0)
