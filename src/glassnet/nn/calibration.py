"""Calibration: whether the confidence of predictions agrees with their accuracy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import InputError
from glassnet.support.i18n import tr


@dataclass(frozen=True)
class Calibration:
    """Predictions in bins of equal confidence: `counts`, mean `confidence` and `accuracy` of each bin, NaN where empty."""

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]

    @property
    def error(self) -> float:
        """The expected calibration error Σ nᵢ/n·|accuracyᵢ − confidenceᵢ|. Guo et al., arXiv 1706.04599."""
        gaps = np.abs(self.accuracy - self.confidence)
        return float(np.where(self.counts > 0, gaps * self.counts, 0).sum() / self.counts.sum())

    @property
    def overconfidence(self) -> float:
        """Mean confidence minus accuracy, over all images; positive for an overconfident network."""
        gaps = self.confidence - self.accuracy
        return float(np.where(self.counts > 0, gaps * self.counts, 0).sum() / self.counts.sum())


def calibrate(probabilities: NDArray[np.float64], labels: NDArray[np.int64], bins: int = 10) -> Calibration:
    """Calibration of probabilities (N, classes) for labels (N,), over `bins` of equal width.

    Raises `InputError` where the numbers of both differ, and where there is no bin.
    """
    if bins < 1 or len(probabilities) != len(labels) or not len(labels):
        raise InputError(
            tr("These can't be compared."),
            where="calibrate",
            expected=tr("as many labels as rows of probabilities, and at least one bin"),
            received=tr("{rows} rows, {total} labels, {bins} bins", rows=len(probabilities), total=len(labels), bins=bins),
        )
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    index = np.minimum((sure * bins).astype(int), bins - 1)
    counts = np.bincount(index, minlength=bins)
    safe = np.where(counts > 0, counts, np.nan)
    return Calibration(
        np.linspace(0, 1, bins + 1),
        counts,
        np.bincount(index, sure, minlength=bins) / safe,
        np.bincount(index, right, minlength=bins) / safe,
    )
