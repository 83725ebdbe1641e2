"""How many more images or seeds a comparison would need to show a difference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, isnan, sqrt

from glassnet.analysis.comparison.paired import Effect, quantile
from glassnet.support.i18n import Message, mark, tr

POWER = 0.8
MOST_IMAGES, MOST_SEEDS = 10_000_000, 1000


@dataclass(frozen=True)
class Needed:
    """For a power of 80 %, if the true difference is the one that was found: so many `images` or `seeds` more.

    None where even very many of one kind don't suffice: then `together`, images and seeds. `seeds` is None, too, where each
    has only one. `least`: the difference that would have been shown with this power.
    """

    images: int | None
    seeds: int | None
    together: tuple[int, int] | None
    least: float

    @property
    def message(self) -> Message:
        if self.together is not None:
            return tr(
                "{images} and {seeds} would be needed", images=_images(self.together[0]), seeds=_seeds(self.together[1])
            )
        if self.images is not None and self.seeds is not None:
            return tr("{images} or {seeds} would be needed", images=_images(self.images), seeds=_seeds(self.seeds))
        if self.images is not None:
            return tr("{images} would be needed", images=_images(self.images))
        if self.seeds is not None:
            return tr("about {seeds} would be needed", seeds=_seeds(self.seeds))
        text = mark("a difference of {points:.2f} points would have been shown, in 4 of 5 cases")
        return tr(text, points=100 * self.least)


def _images(count: int) -> Message:
    """To two digits, upwards: it is an estimate."""
    step = int(10 ** max(0, len(str(count)) - 2))
    return tr("about {count:,} more images", count=ceil(count / step) * step)


def _seeds(count: int) -> Message:
    return tr(mark("{count:,} more seeds") if count > 1 else mark("one more seed"), count=count)


def needed(found: Effect, images: int, seeds: int, *, level: float = 0.05) -> Needed:
    """What a two-sided test at `level` needs to show the effect, which was found with so many images and seeds.

    |D| ≥ (t₁₋α⸝₂ + t₀.₈)·√V; V shrinks as `Variance` says, and the seeds' degrees of freedom grow with their number.
    """
    variance, several = found.variance, not isnan(found.variance.seeds)
    of_seeds = variance.seeds if several else 0.0

    def detectable(factor_images: float, factor_seeds: float) -> float:
        total = (
            variance.images / factor_images
            + of_seeds / factor_seeds
            + variance.both / (factor_images * factor_seeds)
        )  # fmt: skip
        freedom = variance.freedom * factor_seeds
        return (quantile(1 - level / 2, freedom) + quantile(POWER, freedom)) * sqrt(total)

    size = abs(found.value) or -1.0  # none suffices where there is no difference
    more_images = _smallest(lambda more: detectable(1 + more / images, 1) <= size, MOST_IMAGES)
    more_seeds = _smallest(lambda more: detectable(1, 1 + more / seeds) <= size, MOST_SEEDS) if several else None
    together = None
    if several and more_images is None and more_seeds is None:
        scale = _smallest(lambda more: detectable(1 + more / seeds, 1 + more / seeds) <= size, MOST_SEEDS)
        together = (ceil(images * scale / seeds), scale) if scale is not None else None
    return Needed(more_images, more_seeds, together, detectable(1, 1))


def _smallest(suffices: Callable[[int], bool], most: int) -> int | None:
    """The smallest number from 1 to `most` that suffices, as all above it do; None if there is none."""
    if not suffices(most):
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high
