"""What the report tells, gathered from a run: which images it is about, and what the network says of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from glassnet.data import Dataset
from glassnet.errors import InputError
from glassnet.experiment.run import Run
from glassnet.experiment.run_files import read_ledger
from glassnet.experiment.run_folder import LEDGER
from glassnet.nn.metrics import Calibration, Evaluation, calibrate
from glassnet.present.figures.images import drawable
from glassnet.support.arrays import Array

Subject = Literal["validation", "test", "train"]
MOST_TRAINING = 10_000  # training images looked at where there are no validation images


@dataclass(frozen=True)
class Facts:
    """`data`: the images that the report is about. `found` (N,): what they were called; `shares` (N, classes): how surely.

    `result` is None where nothing can be counted, `shares` where the outputs are no probabilities.
    """

    run: Run
    subject: Subject
    data: Dataset
    result: Evaluation | None
    found: NDArray[np.int64] | None
    shares: NDArray[np.float64] | None
    views: int

    @property
    def classes(self) -> tuple[str, ...]:
        return self.run.network.classes

    @property
    def has_images(self) -> bool:
        return drawable(self.data.shape)

    @property
    def is_finite(self) -> bool:
        """Whether the network's numbers are finite: after a training that ran away they are not, and explain nothing."""
        return bool(np.isfinite(self.run.network.state).all())

    @property
    def calibration(self) -> Calibration | None:
        if self.shares is None or self.found is None:
            return None
        return calibrate(self.shares, self.data.labels)

    @property
    def sureness(self) -> NDArray[np.float64] | None:
        """The probability of what each image was called."""
        return None if self.shares is None else self.shares.max(axis=1)

    @property
    def mistakes(self) -> NDArray[np.int64]:
        """Places of the images called wrongly, the surest mistakes first."""
        if self.found is None:
            return np.zeros(0, dtype=np.int64)
        wrong = np.flatnonzero(self.found != self.data.labels)
        return wrong if self.sureness is None else wrong[np.argsort(-self.sureness[wrong], kind="stable")]

    def drawn(self, count: int) -> NDArray[np.int64]:
        """Places of images drawn by chance, the same for the same data."""
        return np.sort(np.random.default_rng(0).permutation(len(self.data))[:count])


def gather(run: Run, *, test: bool = False) -> Facts:
    """The facts about the validation images, or with `test` about the test set: that is a look, and the ledger says so.

    Where there are no validation images, about those of the training.
    """
    read_ledger(run.folder / LEDGER)  # of which the report tells: refused before anything is drawn
    if test:
        result = run.evaluate()
        return _facts(run, "test", run.test, result)
    if run.splits.validation is not None:
        return _facts(run, "validation", run.splits.validation)
    return _facts(run, "train", run.splits.train.head(MOST_TRAINING))


def _facts(run: Run, subject: Subject, data: Dataset, result: Evaluation | None = None) -> Facts:
    options = run.views() if subject == "test" else {}
    if result is None:
        try:
            result = run.network.evaluate(data)
        except InputError:  # several floating targets: nothing can be counted
            result = None
    if not data.is_classification:
        return Facts(run, subject, data, result, None, None, 1)
    try:
        shares: Array | None = run.network.predict_proba(data.images, **options)
    except InputError:  # outputs that are no probabilities
        shares = None
    if shares is not None and not np.isfinite(shares).all():
        shares = None
    found = shares.argmax(axis=1) if options and shares is not None else run.network.predict(data.images)
    return Facts(run, subject, data, result, found, shares, options.get("views", 1))
