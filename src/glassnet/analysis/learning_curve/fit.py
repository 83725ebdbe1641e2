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
FLOORS = np.geomspace(0.001, 1, 25)[1::2]  # as a share of the lowest mean error measured
SLOPES = (0.05, 1.5)
CELLS = (np.arange(24) + 0.5) / 24  # of the range of slopes
MIDDLES = np.linspace(-6, 6, 31)  # standard errors around the error at the middle size
SPREADS = np.geomspace(0.005, 0.6, 9)  # σ
CALMING = (0.0, 0.25, 0.5)  # h
SHARED = 0.5  # of the binomial variance, common to all trainings
WORLDS = 6000  # drawn from the posterior
UNLIKELY = 10.0  # log-likelihood below the best, from which slopes are left out
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
    sizes, size_of = np.unique(images, return_inverse=True)
    lowest = float(np.min(np.bincount(size_of, error) / np.bincount(size_of)))
    luck = [(spread, h) for h in CALMING for spread in SPREADS]
    variances = np.stack([(spread * (images / middle_size) ** -h) ** 2 + (1 - SHARED) * sampled for spread, h in luck])
    axes = np.arange(3.0), lowest * FLOORS, CELLS, _middles(images, seen, sampled)
    shape = tuple(map(len, axes))
    family, floor, cell, middle = np.stack([part.ravel() for part in np.meshgrid(*axes, indexing="ij")])
    left = np.clip((_expit(middle) - floor) / (chance - floor), TINY, 1 - TINY)
    first, width = np.full(shape[:2], SLOPES[0]), np.full(shape[:2], SLOPES[1] - SLOPES[0])
    for _ in range(2):  # on all slopes, then finely on those that are likely for the family and the floor
        start, range_ = (np.repeat(part.ravel(), shape[2] * shape[3]) for part in (first, width))
        slope = start + range_ * cell
        scale = middle_size / np.maximum(reach(family, left, slope), TINY)
        curves = np.stack([_logit(floor + (chance - floor) * decay(family, size / scale, slope)) for size in sizes])
        square = (seen[:, np.newaxis] - curves[size_of]) ** 2
        fits = -0.5 * ((1 / variances) @ square + np.log(variances).sum(axis=1, keepdims=True))
        first, width = _narrowed(fits.max(axis=0).reshape(shape).max(axis=3), first, width)
    weight = (np.exp(fits - fits.max()) * range_).ravel()
    rng = np.random.default_rng(seed)
    places = np.searchsorted(np.cumsum(weight), weight.sum() * (np.arange(WORLDS) + rng.random()) / WORLDS)
    row, chosen = np.divmod(np.minimum(places, weight.size - 1), len(family))
    largest = np.array([spread * (images.max() / middle_size) ** -h for spread, h in luck])
    return Worlds(
        family[chosen], floor[chosen], scale[chosen], slope[chosen],
        largest[row] * rng.standard_normal(WORLDS), rng.standard_normal(WORLDS) / (2 * np.sqrt(total)), chance,
    )  # fmt: skip


def _narrowed(best: Floats, first: Floats, width: Floats) -> tuple[Floats, Floats]:
    """Start and width of the slopes that are likely, and one cell more on each side: (families, floors).

    `best` (families, floors, cells): the highest log-likelihood in each.
    """
    likely = best > best.max(axis=2, keepdims=True) - UNLIKELY
    cells = likely.shape[2]
    low = np.maximum(likely.argmax(axis=2) - 1, 0)
    high = np.minimum(cells - likely[..., ::-1].argmax(axis=2) + 1, cells)
    return first + width * low / cells, width * (high - low) / cells


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
