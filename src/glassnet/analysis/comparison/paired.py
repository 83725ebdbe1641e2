"""Paired tests of two classifiers on the same images: McNemar's for two networks, one over images and seeds for several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, nan, sqrt

import numpy as np
from numpy.typing import NDArray

from glassnet.nn.metrics import Z, wilson
from glassnet.support.i18n import Message, mark, tr

Right = NDArray[np.bool_]  # (seeds, images): which images each network classifies correctly


@dataclass(frozen=True)
class Variance:
    """Where the variance of a mean over images and seeds comes from.

    `images`: the choice of images, ∝ 1/images; `seeds`: the choice of seeds, ∝ 1/seeds; `both`: their interaction, the images
    that one seed gets wrong and another doesn't, ∝ 1/(images·seeds). `freedom`: degrees of freedom of the sum.
    """

    images: float
    seeds: float
    both: float
    freedom: float = inf

    @property
    def total(self) -> float:
        return self.images + self.seeds + self.both

    @property
    def half_width(self) -> float:
        """Of the 95 % interval: t·√variance."""
        return quantile(0.975, self.freedom) * sqrt(self.total)


@dataclass(frozen=True)
class Effect:
    """`value`: the accuracy of the first minus that of the second, its 95 % `interval`, and the p-value of no difference."""

    value: float
    interval: tuple[float, float]
    p: float
    variance: Variance
    test: Message


def quantile(share: float, freedom: float) -> float:
    """Of Student's t distribution, or of the normal one for infinitely many degrees of freedom."""
    from scipy.special import ndtri, stdtrit

    return float(ndtri(share) if freedom > 1e6 else stdtrit(freedom, share))


def mcnemar(first: Right, second: Right, *, mid_p: bool = False) -> float:
    """p-value of McNemar's test, of the images (N,) that only one of two networks classifies correctly.

    Exact: 2·P(X ≤ min(b, c)) for X ~ Binomial(b + c, ½). It never exceeds its level; `mid_p` counts half of P(X = min(b, c)),
    as Fagerland, Lydersen and Laake recommend (BMC Medical Research Methodology 2013), and is nearer to it.
    McNemar, Psychometrika 1947.

    >>> import numpy as np
    >>> mcnemar(np.array([True] * 8), np.array([True] * 3 + [False] * 5))
    0.0625
    """
    from scipy.stats import binom

    b, c = int((first & ~second).sum()), int((second & ~first).sum())
    if b == c:
        return 1.0
    tail = 2 * float(binom.cdf(min(b, c), b + c, 0.5))
    return min(1.0, tail - float(binom.pmf(min(b, c), b + c, 0.5)) if mid_p else tail)


def effect(first: Right, second: Right, seeds: tuple[Sequence[int] | None, Sequence[int] | None]) -> Effect:
    """How much more accurate the first is, from correctness (seeds, images) on the same images.

    `seeds`: those of each; None for a classifier that has none, such as an SVC. One network each: `mcnemar`, with the
    interval of Bonett and Price (Journal of Educational and Behavioral Statistics 2012). Several: D / √V is compared with
    Student's t, V the variance of two random factors, images and seeds, as in studies of several readers and
    cases (Dorfman, Berbaum and Metz 1992), its degrees of freedom those of Hillis (Statistics in Medicine 2007). Where both
    have the same seeds, differences are taken seed by seed.
    """
    several = [len(right) > 1 for right in (first, second)]
    if not any(several):
        return _of_networks(first[0], second[0])
    if all(several) and seeds[0] is not None and seeds[0] == seeds[1]:
        variance = crossed(first.astype(float) - second)
        test = tr("t-test over images and {count} pairs of the same seed", count=len(first))
    else:
        variance = _unpaired(first, second, seeds)
        counts = [str(len(right)) for right in (first, second)]
        test = tr("t-test over images and seeds, {first} and {second} seeds", first=counts[0], second=counts[1])
        if None in seeds:
            test = tr("t-test over images and {count} seeds", count=max(len(first), len(second)))
    value = float(first.mean() - second.mean())
    return Effect(value, _around(value, variance), _p(value, variance), variance, test)


def crossed(values: NDArray[np.float64]) -> Variance:
    """The variance of the mean of values (seeds, images), both drawn at random; seeds from 2 on.

    From the mean squares of a two-way analysis of variance; what would be a negative variance counts as 0.
    """
    k, n = values.shape
    by_seed, by_image, mean = values.mean(axis=1), values.mean(axis=0), values.mean()
    of_seeds, of_images = n * by_seed.var(ddof=1), k * by_image.var(ddof=1)
    rest = float(((values - by_seed[:, None] - by_image + mean) ** 2).sum()) / ((k - 1) * (n - 1))
    images, seeds, both = (float(max(part, 0.0)) / (k * n) for part in (of_images - rest, of_seeds - rest, rest))
    return Variance(images, seeds, both, _freedom(images + seeds + both, [(seeds + both, k - 1)]))


def mean_interval(right: Right) -> tuple[float, float]:
    """95 % confidence interval of the mean accuracy: Wilson's for one network, else over images and seeds."""
    if len(right) == 1:
        return wilson(int(right.sum()), right.size)
    low, high = _around(float(right.mean()), crossed(right.astype(float)))
    return max(0.0, low), min(1.0, high)


def holm(values: Sequence[float]) -> list[float]:
    """p-values corrected for their number: the i-th smallest of m times m − i + 1, none below the one before it.

    The chance that any of several true null hypotheses is rejected stays below the level. Holm, Scandinavian Journal of
    Statistics 1979.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    found, largest = [0.0] * len(values), 0.0
    for place, index in enumerate(sorted(range(len(values)), key=lambda index: values[index])):
        largest = max(largest, min(1.0, (len(values) - place) * values[index]))
        found[index] = largest
    return found


def _of_networks(first: Right, second: Right) -> Effect:
    n = len(first)
    b, c = int((first & ~second).sum()), int((second & ~first).sum())
    more, less = (b + 1) / (n + 2), (c + 1) / (n + 2)  # adjusted as Bonett and Price do
    half = Z * sqrt((more + less - (more - less) ** 2) / (n + 2))
    value, middle = (b - c) / n, more - less
    variance = Variance(images=(half / Z) ** 2, seeds=nan, both=0.0)
    text = mark("McNemar's exact test: {first:,} images only the first has right, {second:,} only the second")
    interval = max(-1.0, middle - half), min(1.0, middle + half)
    return Effect(value, interval, mcnemar(first, second), variance, tr(text, first=b, second=c))


def _unpaired(first: Right, second: Right, seeds: tuple[Sequence[int] | None, Sequence[int] | None]) -> Variance:
    """Of a difference between groups that share the images, not the seeds.

    One network against several of another recipe: its seed is taken to vary as much as theirs.
    """
    n, groups = first.shape[1], (first, second)
    of_seeds = both = 0.0
    parts: list[tuple[float, int]] = []
    for right, other, own in zip(groups, groups[::-1], seeds, strict=True):
        if own is None:
            continue
        source = right if len(right) > 1 else other
        estimate, scale = crossed(source.astype(float)), len(source) / len(right)
        of_seeds, both = of_seeds + scale * estimate.seeds, both + scale * estimate.both
        parts.append((scale * (estimate.seeds + estimate.both), len(source) - 1))
    if min(map(len, groups)) == 1:  # one estimate
        parts = [(sum(part for part, _ in parts), parts[0][1])]
    of_images = float((first.mean(axis=0) - second.mean(axis=0)).var(ddof=1)) / n
    total = max(of_images, both) + of_seeds
    return Variance(max(of_images - both, 0.0), of_seeds, both, _freedom(total, parts))


def _freedom(total: float, parts: Sequence[tuple[float, int]]) -> float:
    """Of a sum of which these parts are estimated with so many degrees of freedom each. Satterthwaite 1946."""
    error = sum(part**2 / freedom for part, freedom in parts)
    return total**2 / error if error else inf


def _around(value: float, variance: Variance) -> tuple[float, float]:
    return value - variance.half_width, value + variance.half_width


def _p(value: float, variance: Variance) -> float:
    from scipy.special import ndtr, stdtr

    if not variance.total:
        return 1.0 if value == 0 else 0.0
    t = abs(value) / sqrt(variance.total)
    return 2 * float(ndtr(-t) if variance.freedom > 1e6 else stdtr(variance.freedom, -t))
