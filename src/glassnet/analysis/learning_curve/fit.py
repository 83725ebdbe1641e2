"""The fit of a learning curve: a Bayesian average over three families of curves, on a grid.

The error of a network trained on n images falls from chance e₀ (the error of always naming the largest class) to a floor a,

    e(n) = a + (e₀ − a)·g(n),    g = (1 + n/d)^−c    or    1 / (1 + (n/d)^c)    or    exp(−(n/d)^c):

the families pow4, mmf4 and wbl4, which extrapolate best in the Learning Curve Database (Mohr et al., 2022; Viering and Loog,
The Shape of Learning Curves: a Review, 2021), with their start fixed at chance. A measured error differs from the curve's by
the luck of one training (seed and images), logit e = logit e(n) + σ·(n/n₀)^−h·z, where n₀ is the middle of the measured
sizes; and it is seen on a sample of V validation images. As all trainings are judged on the same sample, half of its binomial
noise is taken to be common to them.

Prior: the families alike; a log-uniform between 0.001 and 1 times the lowest mean error measured; c uniform in 0.05 … 1.5;
the error at n₀ uniform on the logit scale; σ log-uniform in 0.005 … 0.6; h one of 0, ¼ and ½, as the luck of a few images, or
of a few writers, is larger. Beyond the largest measured size the luck is taken to be that of this size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
POWER, HILL = 0, 1
FLOORS = np.geomspace(0.001, 1, 49)[1::2]  # as a share of the lowest mean error measured
SLOPES = 0.05 + 1.45 * (np.arange(30) + 0.5) / 30
MIDDLES = np.linspace(-6, 6, 61)  # standard errors around the error at the middle size
SPREADS = np.geomspace(0.005, 0.6, 13)  # σ
CALMING = (0.0, 0.25, 0.5)  # h
SHARED = 0.5  # of the binomial variance, common to all trainings
WORLDS = 8000  # drawn from the posterior
TINY = 1e-12


@dataclass(frozen=True)
class Worlds:
    """Curves drawn from the posterior, each with the luck of one more training and of one sample of new images.

    `family`, `floor` a, `scale` d, `slope` c, `noise` σ·z on the logit scale, `sampling` z/(2·√V) on that of arcsin √e, on
    which a proportion has the same variance everywhere; all (worlds,). `chance`: e₀.
    """

    family: Floats
    floor: Floats
    scale: Floats
    slope: Floats
    noise: Floats
    sampling: Floats
    chance: float

    def errors(self, images: Floats) -> Floats:
        """The error that one training on so many images (n,) has on new images: (n, worlds)."""
        n = np.asarray(images, np.float64)[:, np.newaxis]
        curve = self.floor + (self.chance - self.floor) * decay(self.family, n / self.scale, self.slope)
        return np.sin(np.clip(np.arcsin(np.sqrt(_expit(_logit(curve) + self.noise))) + self.sampling, 0, np.pi / 2)) ** 2

    def images(self, error: float) -> Floats:
        """With how many images the error falls to this one, (worlds,): the inverse of `errors`; ∞ where it never does."""
        seen = np.sin(np.clip(np.arcsin(np.sqrt(error)) - self.sampling, 0, np.pi / 2)) ** 2
        curve = _expit(_logit(seen) - self.noise)
        left = (curve - self.floor) / (self.chance - self.floor)
        with np.errstate(over="ignore"):
            needed = self.scale * reach(self.family, np.clip(left, TINY, 1 - TINY), self.slope)
        return np.where(left <= TINY, np.inf, needed)


def decay(family: Floats, ratio: Floats, slope: Floats) -> Floats:
    """g: the part of the way from the floor to chance that is left at n/d = `ratio`."""
    with np.errstate(over="ignore"):
        risen = ratio**slope
        return np.select([family == POWER, family == HILL], [(1 + ratio) ** -slope, 1 / (1 + risen)], np.exp(-risen))


def reach(family: Floats, left: Floats, slope: Floats) -> Floats:
    """The n/d at which g is `left`: the inverse of `decay`."""
    with np.errstate(over="ignore"):
        power = left ** (-1 / slope) - 1
        return np.select(
            [family == POWER, family == HILL], [power, (1 / left - 1) ** (1 / slope)], (-np.log(left)) ** (1 / slope)
        )


def fit(images: Floats, wrong: Floats, total: int, chance: float, seed: int = 0) -> Worlds:
    """Worlds drawn from the posterior of trainings (n,) on so many `images`, each with so many `wrong` of `total`.

    `chance`: the error of always naming the largest class. The same arguments give the same worlds.
    """
    error = (wrong + 0.5) / (total + 1)
    chance = max(chance, min(1.0, 1.02 * float(error.max())))
    seen, sampled = _logit(error), 1 / (total * error * (1 - error))
    middle_size = float(np.exp(np.log(images).mean()))
    means = [error[images == size].mean() for size in np.unique(images)]
    lowest = float(np.min(means))
    axes = np.arange(3.0), lowest * FLOORS, SLOPES, _middles(images, seen, sampled)
    family, floor, slope, middle = np.stack([part.ravel() for part in np.meshgrid(*axes, indexing="ij")])
    left = np.clip((_expit(middle) - floor) / (chance - floor), TINY, 1 - TINY)
    scale = middle_size / np.maximum(reach(family, left, slope), TINY)
    square = np.empty((len(images), len(family)))
    for row, (size, value) in enumerate(zip(images, seen, strict=True)):
        square[row] = (value - _logit(floor + (chance - floor) * decay(family, size / scale, slope))) ** 2
    luck = [(spread, h) for h in CALMING for spread in SPREADS]
    fits = np.empty((len(luck), len(family)))
    for row, (spread, h) in enumerate(luck):
        variance = (spread * (images / middle_size) ** -h) ** 2 + (1 - SHARED) * sampled
        fits[row] = -0.5 * (np.log(variance).sum() + (1 / variance) @ square)
    weight = np.exp(fits - fits.max()).ravel()
    rng = np.random.default_rng(seed)
    places = np.searchsorted(np.cumsum(weight), weight.sum() * (np.arange(WORLDS) + rng.random()) / WORLDS)
    row, chosen = np.divmod(np.minimum(places, weight.size - 1), len(family))
    largest = np.array([spread * (images.max() / middle_size) ** -h for spread, h in luck])
    return Worlds(
        family[chosen], floor[chosen], scale[chosen], slope[chosen],
        largest[row] * rng.standard_normal(WORLDS), rng.standard_normal(WORLDS) / (2 * np.sqrt(total)), chance,
    )  # fmt: skip


def _middles(images: Floats, seen: Floats, sampled: Floats) -> Floats:
    """Values for the logit of the error at the middle size: around that of a parabola through the points."""
    x = np.log(images) - np.log(images).mean()
    design = np.stack([np.ones_like(x), x, x * x], axis=1)
    solution, *_ = np.linalg.lstsq(design, seen)
    variance = np.mean((seen - design @ solution) ** 2) + (1 - SHARED) * sampled.mean()
    inverse = np.linalg.pinv(design.T @ design)[0, 0]
    return np.asarray(solution[0] + np.sqrt(variance * inverse) * MIDDLES)


def _logit(p: Floats) -> Floats:
    p = np.clip(p, TINY, 1 - TINY)
    return np.asarray(np.log(p) - np.log1p(-p))


def _expit(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x)))
