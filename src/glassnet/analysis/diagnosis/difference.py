"""Whether one training is really better than another, or the difference is no larger than chance makes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from glassnet.analysis.diagnosis.finding import Diagnosis, Finding
from glassnet.data import Dataset
from glassnet.errors import InputError
from glassnet.network import Network
from glassnet.support.i18n import Message, clauses, mark, tr
from glassnet.training import History

LEVEL = 0.05  # probability that chance alone makes such a difference, above which it is taken for chance
NORMAL = 1.959964  # standard errors on either side of 95 %


@dataclass(frozen=True)
class Difference:
    """Of two accuracies: `better` less `worse`, its 95 % `interval`, and the probability of as large a one by chance."""

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
        first, second = (f"{100 * accuracy:.2f}" for accuracy in self.accuracies)
        low, high = (f"{100 * end:+.2f}" for end in self.interval)
        return tr(
            "{better} {first} %, {worse} {second} %: {value:+.2f} points, 95 % interval {low} to {high}; chance alone makes "
            "as large a difference with probability {probability:.2g} ({how})",
            better=self.better,
            first=first,
            worse=self.worse,
            second=second,
            value=100 * self.value,
            low=low,
            high=high,
            probability=self.probability,
            how=self.how,
        )

    def __str__(self) -> str:
        return self.message


def compare(
    groups: Sequence[Sequence[Network]],
    data: Dataset,
    names: Sequence[str],
    histories: Sequence[Sequence[History]] | None = None,
) -> list[Difference]:
    """The best of several trainings, each of one or more seeds, against each other one, on the same images.

    One network each: McNemar's exact test of the images on which two disagree; with `histories`, how much the validation
    accuracy goes up and down between late epochs counts too, as another epoch might have been the last. Several seeds each:
    Welch's t-test of the seeds' accuracies. Raises `InputError` for fewer than two groups, and for one seed against several.
    """
    if len(groups) < 2 or any(not group for group in groups) or len(names) != len(groups):
        raise InputError(
            tr("A difference needs two trainings at least."),
            where="compare(groups)",
            expected=tr("two or more, each of one or more networks, and a name for each"),
            received=tr("{groups} groups, {names} names", groups=len(groups), names=len(names)),
        )
    several = {len(group) > 1 for group in groups}
    if len(several) > 1:
        raise InputError(
            tr("One seed can't be compared with several."),
            where="compare(groups)",
            expected=tr("one network each, or several seeds each"),
            received=", ".join(f"{name}: {len(group)}" for name, group in zip(names, groups, strict=True)),
            hint=tr("train each with several seeds: glassnet train RECIPE --seeds 5"),
        )
    right = [np.array([network.predict(data.images) == data.labels for network in group]) for group in groups]
    order = sorted(range(len(groups)), key=lambda place: -right[place].mean())
    best, *others = order
    if several.pop():
        return [_welch(names[best], names[other], right[best], right[other]) for other in others]
    restless = [0.0 if histories is None else wobble(histories[place][0]) for place in range(len(groups))]
    return [
        _mcnemar(names[best], names[other], right[best], right[other], restless[best] ** 2 + restless[other] ** 2)
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
    """The finding difference-within-noise, where the best is not clearly better than another."""
    differences = compare(groups, data, names, histories)
    noise = [difference for difference in differences if difference.is_noise]
    if not noise:
        return Diagnosis((), tuple(difference.message for difference in differences))
    seeds = len(groups[0])
    on = tr(". On {count:,} validation images.", count=len(data))
    more = tr("more") if seeds > 1 else tr("several")
    finding = Finding(
        mark("difference-within-noise"),
        clauses(difference.message for difference in noise) + on,
        tr(
            "Other images, or other seeds, would have given another order as easily: the difference is no larger than "
            "chance makes it, and choosing by it is choosing by lot."
        ),
        (
            tr("treat them as equal, and take the smaller or quicker one"),
            tr(
                "train each with {more} seeds, and compare means: glassnet train RECIPE --seeds {count}",
                more=more,
                count=2 * seeds if seeds > 1 else 5,
            ),
            tr("compare on more images: the interval halves with four times as many"),
        ),
    )
    return Diagnosis((finding,), tuple(difference.message for difference in differences if not difference.is_noise))


def _mcnemar(
    better: str, worse: str, first: NDArray[np.bool_], second: NDArray[np.bool_], variance: float = 0.0
) -> Difference:
    """McNemar, Psychometrika 1947: only images that one gets right and the other wrong tell anything.

    `variance`: of the difference, from one late epoch to the next; with any, the normal approximation of the test.
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
        how += tr("; from one late epoch to the next it changes by {points:.2f} points", points=100 * sqrt(variance))
    return Difference(better, worse, (float(a.mean()), float(b.mean())), (value - half, value + half), probability, how)


def _welch(better: str, worse: str, first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Difference:
    """Welch, Biometrika 1947: two means whose spreads may differ."""
    from scipy.stats import ttest_ind

    a, b = first.mean(axis=1), second.mean(axis=1)
    probability, interval = (1.0 if a[0] == b[0] else 0.0), (float(a[0] - b[0]),) * 2  # where no seed differs from another
    if np.ptp(a) or np.ptp(b):
        found = ttest_ind(a, b, equal_var=False)
        low, high = found.confidence_interval(0.95)
        probability, interval = float(found.pvalue), (float(low), float(high))
    how = tr("Welch's test over {first} and {second} seeds", first=len(a), second=len(b))
    return Difference(better, worse, (float(a.mean()), float(b.mean())), interval, probability, how)
