"""Metrics: accuracy, confusion matrix, precision and recall, confidence intervals, calibration."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite, nan, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import InputError
from glassnet.nn.confusion import DRAWN, Confused, Matrix, confusion_matrix, default_k, mistakes, top_k_hits
from glassnet.support.checks import whole_number
from glassnet.support.i18n import tr
from glassnet.support.upwards import Shown

Z = 1.959963984540054  # the 97.5 % quantile of the normal distribution


def wilson(correct: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % confidence interval of a proportion p, correct of total. Wilson, JASA 1927.

    (p + z²/2n ± z·√(p(1 − p)/n + z²/4n²)) / (1 + z²/n), z = 1.96; scipy.stats has it, too, but takes a second to import.
    """
    n, p = total, correct / total
    middle, half = p + Z * Z / (2 * n), Z * sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    low, high = (middle - half) / (1 + Z * Z / n), (middle + half) / (1 + Z * Z / n)
    return (low if correct else 0.0), (high if correct < total else 1.0)


@dataclass(frozen=True)
class ClassReport:
    """One class: `correct` of its `total` images were classified correctly; its precision, recall and f1."""

    name: str
    total: int
    correct: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Evaluation(Shown):
    """`loss` is the mean loss without penalty; `confusion[i, j]` counts images of class i that were classified as j.

    `confusion` is an array, and above 1,000 classes a `scipy.sparse.csr_array`. `top_k_correct`: of so many images the
    class is among the `top_k` with the largest outputs; None where that was not measured.
    """

    loss: float
    correct: int
    total: int
    confusion: Matrix
    classes: tuple[str, ...]
    top_k: int | None = None
    top_k_correct: int | None = None

    @property
    def accuracy(self) -> float:
        """Fraction of images classified correctly."""
        return self.correct / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % confidence interval of the accuracy."""
        return wilson(self.correct, self.total)

    @property
    def top_k_accuracy(self) -> float | None:
        """Fraction of images whose class is among the `top_k` with the largest outputs; None where that was not measured."""
        return None if self.top_k_correct is None else self.top_k_correct / self.total

    def most_confused(self, count: int = 10) -> list[Confused]:
        """The most frequent mistakes: which class was taken for which, how often."""
        names = self.classes
        found = zip(*(values[:count].tolist() for values in mistakes(self.confusion)), strict=True)
        return [Confused(names[i], names[j], number, (i, j)) for i, j, number in found]

    @property
    def per_class(self) -> list[ClassReport]:
        """Precision, recall and f1 of each class, in the order of the classes; NaN where they are undefined.

        The precision of a class that is never predicted is, and the recall of one without images. f1 is their harmonic mean,
        2·correct / (predicted + images), undefined where both are.
        """
        right, called, present = self.confusion.diagonal(), self.confusion.sum(axis=0), self.confusion.sum(axis=1)
        return [
            ClassReport(
                name,
                int(present[i]),
                int(right[i]),
                float(right[i] / called[i]) if called[i] else nan,
                float(right[i] / present[i]) if present[i] else nan,
                float(2 * right[i] / (called[i] + present[i])) if called[i] + present[i] else nan,
            )
            for i, name in enumerate(self.classes)
        ]

    def to_dict(self) -> dict[str, Any]:
        """A dictionary that JSON can hold; None for what is undefined, or not finite.

        {"accuracy", "interval", "loss", "correct", "total", "top_k", "top_k_correct", "top_k_accuracy", "classes",
        "confusion", "confused", "per_class": [{"name", "total", "correct", "precision", "recall", "f1"}, …]};
        confusion[i][j] counts images of class i that were classified as j, and is None above 60 classes; "confused" has
        [i, j, count] of all that is off its diagonal and not 0, the most frequent first.
        """
        rows = [{name: _finite(value) for name, value in asdict(report).items()} for report in self.per_class]
        return {
            "accuracy": self.accuracy,
            "interval": list(self.interval),
            "loss": _finite(self.loss),
            "correct": self.correct,
            "total": self.total,
            "top_k": self.top_k,
            "top_k_correct": self.top_k_correct,
            "top_k_accuracy": self.top_k_accuracy,
            "classes": list(self.classes),
            "confusion": np.asarray(self.confusion).tolist() if len(self.classes) <= DRAWN else None,
            "confused": np.stack(mistakes(self.confusion), axis=1).tolist(),
            "per_class": rows,
        }

    def __repr__(self) -> str:
        names = ", ".join(map(repr, self.classes[:10])) + (
            f", … ({len(self.classes)} in all)" if len(self.classes) > 10 else ""
        )
        top = "" if self.top_k is None else f", top_k={self.top_k}, top_k_correct={self.top_k_correct}"
        return f"Evaluation(loss={self.loss!r}, correct={self.correct}, total={self.total}{top}, classes=({names}))"

    def __str__(self) -> str:
        low, high = self.interval
        found = tr(
            "{correct} / {total} correct: {accuracy:.2f} % (95 % interval {low:.2f}–{high:.2f}), loss {loss:.4f}",
            correct=self.correct,
            total=self.total,
            accuracy=100 * self.accuracy,
            low=100 * low,
            high=100 * high,
            loss=self.loss,
        )
        if self.top_k_accuracy is None:
            return found
        return found + tr(", top-{k} accuracy {share:.2f} %", k=self.top_k, share=100 * self.top_k_accuracy)


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not isfinite(value) else value


@dataclass(frozen=True)
class Spread:
    """Fractions from several seeds: mean, standard deviation and confidence interval."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return sum(self.values) / len(self.values)

    @property
    def deviation(self) -> float:
        """Standard deviation of one result, √(Σ (x − mean)² / (n − 1)); NaN for a single one."""
        if len(self.values) < 2:
            return float("nan")
        return sqrt(sum((value - self.mean) ** 2 for value in self.values) / (len(self.values) - 1))

    @property
    def interval(self) -> tuple[float, float]:
        """Student's 95 % confidence interval of the mean: mean ± t·deviation/√n, cut to 0 … 1; NaN for a single value.

        For few seeds t is large: 4.3 for three. Student, Biometrika 1908.
        """
        from scipy.special import stdtrit

        if len(self.values) < 2:
            return float("nan"), float("nan")
        half = float(stdtrit(len(self.values) - 1, 0.975)) * self.deviation / sqrt(len(self.values))
        return max(0.0, self.mean - half), min(1.0, self.mean + half)

    def percent(self) -> str:
        """In words, with the name of the interval."""
        if len(self.values) < 2:
            return f"{100 * self.mean:.2f} %"
        low, high = self.interval
        return tr(
            "{mean:.2f} ± {deviation:.2f} % (mean ± standard deviation; Student's 95 % interval of the mean "
            "{low:.2f}–{high:.2f})",
            mean=100 * self.mean,
            deviation=100 * self.deviation,
            low=100 * low,
            high=100 * high,
        )


def chosen_k(top_k: int | None, classes: int) -> int | None:
    """The k to measure; by default 5 above 20 classes, else None. Raises `InputError` unless it is 1 to `classes`."""
    if top_k is None:
        return default_k(classes)
    expected = tr("1 to {count}, the number of classes", count=classes)
    what = tr("Top-k accuracy is not defined for this k.")
    if whole_number(top_k, what, "top_k", expected) > classes:
        raise InputError(what, where="top_k", expected=expected, received=top_k)
    return int(top_k)


def evaluate_probabilities(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], classes: tuple[str, ...], top_k: int | None = None
) -> Evaluation:
    """Accuracy, confusion and the mean −ln p of the true class, from probabilities (N, classes) and labels (N,)."""
    k = chosen_k(top_k, len(classes))
    if labels.ndim != 1:
        raise InputError(
            tr("Probabilities are defined only for classes."),
            where="evaluate(data)",
            expected=tr("labels (N,) of classes"),
            received=tr("targets {shape}", shape=labels.shape),
        )
    found = probabilities.argmax(axis=1)
    right = probabilities[np.arange(len(labels)), labels]
    loss = float(-np.log(np.maximum(right, np.finfo(np.float64).tiny)).mean())  # a p of 0 costs 708, not infinity
    confusion, correct = confusion_matrix(labels, found, len(classes)), int((found == labels).sum())
    hits = None if k is None else correct if k == 1 else top_k_hits(probabilities, labels, k)
    return Evaluation(loss, correct, len(labels), confusion, classes, k, hits)


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
            tr("Labels and probabilities do not fit together."),
            where="calibrate",
            expected=tr("as many labels as rows of probabilities, and at least one bin"),
            received=tr("{rows} rows, {total} labels, {bins} bins", rows=len(probabilities), total=len(labels), bins=bins),
        )
    return calibrate_confidence(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels, bins)


def calibrate_confidence(sure: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 10) -> Calibration:
    """Calibration from the largest probability (N,) of each image, and whether its class was right (N,)."""
    index = np.minimum((sure * bins).astype(int), bins - 1)
    counts = np.bincount(index, minlength=bins)
    safe = np.where(counts > 0, counts, np.nan)
    return Calibration(
        np.linspace(0, 1, bins + 1),
        counts,
        np.bincount(index, sure, minlength=bins) / safe,
        np.bincount(index, right, minlength=bins) / safe,
    )
