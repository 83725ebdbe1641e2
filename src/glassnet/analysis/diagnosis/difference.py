"""Whether the difference between trainings is statistically significant; of networks, and of run folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glassnet.analysis.diagnosis.finding import Diagnosis, Finding
from glassnet.data import Dataset
from glassnet.errors import InputError, RunError
from glassnet.experiment.sweep import check_distinct, check_same_data, load_runs
from glassnet.network import Network
from glassnet.support.i18n import Message, clauses, mark, tr
from glassnet.training import History

LEVEL = 0.05  # of significance
NORMAL = 1.959964  # standard errors on either side of 95 %


@dataclass(frozen=True)
class Difference:
    """Of two accuracies: `better` minus `worse`, its 95 % `interval`, the p-value (`probability`), and the test (`how`)."""

    better: str
    worse: str
    accuracies: tuple[float, float]
    interval: tuple[float, float]
    probability: float
    how: Message

    @property
    def value(self) -> float:
        return self.accuracies[0] - self.accuracies[1]

    @property
    def is_noise(self) -> bool:
        return self.probability > LEVEL

    @property
    def message(self) -> Message:
        first, second = (100 * accuracy for accuracy in self.accuracies)
        low, high = (100 * end for end in self.interval)
        text = mark(
            "{better} {first:.2f} %, {worse} {second:.2f} %: {value:+.2f} points, 95 % interval {low:+.2f} to {high:+.2f}, "
            "p = {probability:.2g} ({how})"
        )
        return tr(text, **vars(self), first=first, second=second, value=100 * self.value, low=low, high=high)

    def __str__(self) -> str:
        return self.message


def compare(
    groups: Sequence[Sequence[Network]],
    data: Dataset,
    names: Sequence[str],
    histories: Sequence[Sequence[History]] | None = None,
) -> list[Difference]:
    """The best of several trainings, each of one or more seeds, against each of the others, on the same images.

    One network each: McNemar's exact test; with `histories`, the fluctuation of the validation accuracy between late epochs
    counts too, as another epoch might have been the last. Several seeds each: Welch's t-test of the seeds' accuracies.
    Raises `InputError` for fewer than two groups, and for one seed against several.
    """
    if len(groups) < 2 or any(not group for group in groups) or len(names) != len(groups):
        raise InputError(
            tr("A comparison needs at least two trainings."),
            where="compare(groups)",
            expected=tr("two or more groups of one or more networks, and a name for each"),
            received=tr("{groups} groups, {names} names", groups=len(groups), names=len(names)),
        )
    several = {len(group) > 1 for group in groups}
    if len(several) > 1:
        raise InputError(
            tr("One seed can't be compared with several."),
            where="compare(groups)",
            expected=tr("one network in each group, or several in each"),
            received=", ".join(f"{name}: {len(group)}" for name, group in zip(names, groups, strict=True)),
            hint=tr("train each with several seeds: glassnet train RECIPE --seeds 5"),
        )
    right = [np.array([network.predict(data.images) == data.labels for network in group]) for group in groups]
    order = sorted(range(len(groups)), key=lambda place: -right[place].mean())
    best, *others = order
    if several.pop():
        return [_welch(names[best], names[other], right[best], right[other]) for other in others]
    fluctuation = [0.0 if histories is None else wobble(histories[place][0]) for place in range(len(groups))]
    return [
        _mcnemar(names[best], names[other], right[best], right[other], fluctuation[best] ** 2 + fluctuation[other] ** 2)
        for other in others
    ]


def wobble(history: History) -> float:
    """The standard deviation of the validation accuracy about its trend, over the later half of the epochs."""
    found = [accuracy for accuracy in history.validation_accuracy if accuracy is not None]
    late = found[len(found) // 2 :]
    return float(np.diff(late).std(ddof=1)) / sqrt(2) if len(late) >= 3 else 0.0


def diagnose_difference(
    groups: Sequence[Sequence[Network]],
    data: Dataset,
    names: Sequence[str],
    histories: Sequence[Sequence[History]] | None = None,
) -> Diagnosis:
    """The finding difference-within-noise, where the best is not significantly better than another."""
    differences = compare(groups, data, names, histories)
    noise = [difference for difference in differences if difference.is_noise]
    if not noise:
        return Diagnosis((), tuple(difference.message for difference in differences))
    seeds = len(groups[0])
    if seeds > 1:
        repeat = tr("train each with more seeds: glassnet train RECIPE --seeds {count}", count=2 * seeds)
    else:
        repeat = tr("train each with several seeds and compare the means: glassnet train RECIPE --seeds 5")
    finding = Finding(
        mark("difference-within-noise"),
        clauses(difference.message for difference in noise) + tr(". On {count:,} validation images.", count=len(data)),
        tr("The difference is not statistically significant: other images or seeds may reverse the order."),
        (
            tr("treat them as equal, and choose the smaller or faster one"),
            repeat,
            tr("compare on more images: four times as many halve the interval"),
        ),
    )
    return Diagnosis((finding,), tuple(difference.message for difference in differences if not difference.is_noise))


def diagnose_runs(folders: Sequence[str | Path]) -> Diagnosis:
    """`diagnose_difference` of runs, or of folders of several seeds, on the validation images, which all must share."""
    paths = [Path(folder) for folder in folders]
    check_distinct(paths)
    groups = [load_runs(path) for path in paths]
    first = groups[0][0]
    data = first.splits.validation
    if data is None or not data.is_classification:
        raise RunError(
            tr("Runs are compared on validation images with class labels."),
            where=first.folder,
            expected=tr("a validation part"),
            received=tr("none") if data is None else tr("targets instead of class labels"),
        )
    check_same_data([run for group in groups for run in group], "validation")
    histories = [[run.history for run in group] for group in groups]
    return diagnose_difference([[run.network for run in group] for group in groups], data, list(map(str, paths)), histories)


def _mcnemar(
    better: str, worse: str, first: NDArray[np.bool_], second: NDArray[np.bool_], variance: float = 0.0
) -> Difference:
    """McNemar, Psychometrika 1947: the test of the images that only one of two classifies correctly.

    `variance`: of the difference, between late epochs; if it is not 0, the normal approximation of the test is used too.
    """
    from scipy.stats import binomtest, norm

    a, b = first[0], second[0]
    gained, lost, n = int((a & ~b).sum()), int((b & ~a).sum()), len(a)
    probability = float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    value = (gained - lost) / n
    error = sqrt(max(gained + lost - (gained - lost) ** 2 / n, 0.0) / n**2 + variance)
    half = NORMAL * error
    how = tr("McNemar's test: {gained} images only the first has right, {lost} only the second", gained=gained, lost=lost)
    if variance:
        probability = max(probability, float(2 * norm.sf(abs(value) / error)))
        how += tr("; between late epochs it fluctuates by {points:.2f} points", points=100 * sqrt(variance))
    return Difference(better, worse, (float(a.mean()), float(b.mean())), (value - half, value + half), probability, how)


def _welch(better: str, worse: str, first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Difference:
    """Welch, Biometrika 1947: the t-test of two means with different variances."""
    from scipy.stats import ttest_ind

    a, b = first.mean(axis=1), second.mean(axis=1)
    probability, interval = (1.0 if a[0] == b[0] else 0.0), (float(a[0] - b[0]),) * 2  # where all seeds of a group are equal
    if np.ptp(a) or np.ptp(b):
        found = ttest_ind(a, b, equal_var=False)
        low, high = found.confidence_interval(0.95)
        probability, interval = float(found.pvalue), (float(low), float(high))
    how = tr("Welch's t-test, {first} and {second} seeds", first=len(a), second=len(b))
    return Difference(better, worse, (float(a.mean()), float(b.mean())), interval, probability, how)
