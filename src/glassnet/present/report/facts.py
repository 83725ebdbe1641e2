"""The facts of a report: the run, the images it is about, and the predictions for them."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from glassnet.data import Dataset
from glassnet.errors import InputError
from glassnet.experiment.run import Run
from glassnet.experiment.run_folder import LEDGER, read_ledger
from glassnet.nn.metrics import Calibration, Evaluation, calibrate
from glassnet.present.figures.images import drawable
from glassnet.support.arrays import Array

Part = Literal["validation", "test", "train"]
MOST_TRAINING = 10_000  # training images evaluated if there are no validation images


@dataclass(frozen=True)
class Facts:
    """`data`: the images of the report, from the split `part`. `predicted` (N,): classes; `probabilities` (N, classes).

    `result` is None if the targets have no accuracy, `probabilities` if the outputs are not probabilities.
    """

    run: Run
    part: Part
    data: Dataset
    result: Evaluation | None
    predicted: NDArray[np.int64] | None
    probabilities: NDArray[np.float64] | None
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
        if self.probabilities is None or self.predicted is None:
            return None
        return calibrate(self.probabilities, self.data.labels)

    @property
    def confidence(self) -> NDArray[np.float64] | None:
        """The probability of each prediction."""
        return None if self.probabilities is None else self.probabilities.max(axis=1)

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
    probabilities: Array | None = None
    with contextlib.suppress(InputError):  # outputs that are not probabilities
        probabilities = network.predict_proba(data.images, **options)
    if probabilities is not None and not np.isfinite(probabilities).all():
        probabilities = None
    predicted = probabilities.argmax(axis=1) if options and probabilities is not None else network.predict(data.images)
    return Facts(run, part, data, result, predicted, probabilities, options.get("views", 1))
