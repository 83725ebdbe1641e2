"""The facts of a report: the run, the images it is about, and the predictions for them."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from glassnet.data import Dataset
from glassnet.errors import InputError
from glassnet.experiment.run import Run
from glassnet.experiment.run_folder import LEDGER, read_ledger
from glassnet.network import Network
from glassnet.nn.metrics import Calibration, Evaluation, calibrate_confidence
from glassnet.present.figures.images import drawable
from glassnet.support.arrays import Array

Part = Literal["validation", "test", "train"]
NUMBERS = 1 << 21  # probabilities in memory at a time
MOST_TRAINING = 10_000  # training images evaluated if there are no validation images


@dataclass(frozen=True)
class Facts:
    """`data`: the images of the report, from the split `part`. `predicted` (N,): their classes, with `confidence` (N,).

    `result` is None if the targets have no accuracy, the confidence if the outputs are not probabilities.
    """

    run: Run
    part: Part
    data: Dataset
    result: Evaluation | None
    predicted: NDArray[np.int64] | None
    confidence: NDArray[np.float64] | None
    views: int

    @property
    def classes(self) -> tuple[str, ...]:
        return self.run.network.classes

    @property
    def has_images(self) -> bool:
        return drawable(self.data.shape)

    @property
    def is_finite(self) -> bool:
        """Whether all parameters are finite; after a diverged training nothing can be explained."""
        return bool(np.isfinite(self.run.network.state).all())

    @property
    def calibration(self) -> Calibration | None:
        if self.confidence is None or self.predicted is None:
            return None
        return calibrate_confidence(self.confidence, self.predicted == self.data.labels)

    @property
    def mistakes(self) -> NDArray[np.int64]:
        """Indices of the wrong predictions, the most confident first."""
        if self.predicted is None:
            return np.zeros(0, dtype=np.int64)
        wrong = np.flatnonzero(self.predicted != self.data.labels)
        return wrong if self.confidence is None else wrong[np.argsort(-self.confidence[wrong], kind="stable")]

    def drawn(self, count: int) -> NDArray[np.int64]:
        """Indices of random images, the same for the same data."""
        return np.sort(np.random.default_rng(0).permutation(len(self.data))[:count])


def gather(run: Run, *, test: bool = False) -> Facts:
    """The facts about the validation images, or the training images if there are none.

    With `test` about the test set: that is an evaluation, which the ledger records.
    """
    read_ledger(run.folder / LEDGER)  # raises before anything is drawn
    network, result = run.network, None
    part: Part = "train"
    data, options = run.splits.train.head(MOST_TRAINING), {}
    if test:
        part, data, options, result = "test", run.test, run.views(), run.evaluate()
    else:
        if run.splits.validation is not None:
            part, data = "validation", run.splits.validation
        with contextlib.suppress(InputError):  # several floating targets have no accuracy
            result = network.evaluate(data)
    if not data.is_classification:
        return Facts(run, part, data, result, None, None, 1)
    confidence: Array | None = None
    with contextlib.suppress(InputError):  # outputs that are not probabilities
        predicted, confidence = _answers(network, data.images, options)
    if confidence is not None and not np.isfinite(confidence).all():
        confidence = None
    if confidence is None or not options:
        predicted = network.predict(data.images)
    return Facts(run, part, data, result, predicted, confidence, options.get("views", 1))


def _answers(network: Network, images: Array, options: dict[str, Any]) -> tuple[NDArray[np.int64], Array]:
    """Classes and their probabilities (N,); many images at a time, but all where views are drawn for the whole set."""
    many = len(images) if options else max(1, NUMBERS // len(network.classes))
    pairs = []
    for start in range(0, len(images), many):
        p = network.predict_proba(images[start : start + many], **options)
        pairs.append((p.argmax(axis=1), p.max(axis=1)))
    classes, shares = zip(*pairs, strict=True)
    return np.concatenate(classes), np.concatenate(shares)
