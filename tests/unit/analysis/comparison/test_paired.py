"""The statistics of comparisons: by hand, against scipy, and on pairs with a planted difference."""

from __future__ import annotations

from math import comb, isnan, sqrt

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray
from scipy.stats import binomtest, norm, ttest_1samp, ttest_ind

from benchmarks import comparison as bench
from glassnet.analysis.comparison.paired import Effect, Variance, crossed, effect, holm, mcnemar, mean_interval, quantile
from glassnet.analysis.comparison.power import Needed, needed
from glassnet.nn.metrics import wilson
from glassnet.support.i18n import same

Right = NDArray[np.bool_]


def pair(both: int, first: int, second: int, neither: int) -> tuple[Right, Right]:
    """Two networks of which so many images both have right, only the first, only the second, and neither."""
    counts = [both, first, second, neither]
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_is_the_binomial_test_of_what_only_one_has_right(b: int, c: int) -> None:
    first, second = pair(30, b, c, 7)
    wanted = binomtest(b, b + c).pvalue if b + c else 1.0
    assert mcnemar(first, second) == pytest.approx(wanted)
    if b != c:
        outcome = comb(b + c, b) / 2 ** (b + c)
        assert mcnemar(first, second, mid_p=True) == pytest.approx(wanted - outcome)


def test_the_level_of_mcnemar_is_kept_for_every_number_of_images() -> None:
    """Over all outcomes of n images that only one has right, P(p ≤ 0.05) ≤ 0.05 exactly; with mid-p it is a little above."""
    rejected: dict[bool, list[float]] = {False: [], True: []}
    for n in range(1, 80):
        for mid in rejected:
            share = sum(comb(n, b) for b in range(n + 1) if mcnemar(*pair(0, b, n - b, 0), mid_p=mid) <= 0.05)
            rejected[mid].append(share / 2**n)
    assert max(rejected[False]) <= 0.05 < max(rejected[True]) < 0.08


def test_two_networks_by_hand() -> None:
    first, second = pair(90, 12, 4, 14)
    found = effect(first[None], second[None], ((1,), (2,)))
    assert found.value == pytest.approx(8 / 120)
    assert found.p == pytest.approx(binomtest(4, 16).pvalue)
    more, less = 13 / 122, 5 / 122  # Bonett and Price
    half = 1.959964 * sqrt((more + less - (more - less) ** 2) / 122)
    assert found.interval == pytest.approx((8 / 122 - half, 8 / 122 + half))
    assert isnan(found.variance.seeds)
    turned = effect(second[None], first[None], ((2,), (1,)))
    assert (turned.value, turned.p) == (-found.value, found.p)


def test_the_variance_is_that_of_seeds_and_images_together() -> None:
    """Values made of a part of each image, of each seed and of both: each variance is found."""
    rng = np.random.default_rng(0)
    k, n = 40, 3000
    values = 0.3 * rng.standard_normal(n) + 0.02 * rng.standard_normal((k, 1)) + 0.5 * rng.standard_normal((k, n))
    found = crossed(values)
    assert found.images * n == pytest.approx(0.09, rel=0.1)
    assert found.seeds * k == pytest.approx(0.0004, rel=0.7)
    assert found.both * k * n == pytest.approx(0.25, rel=0.03)
    assert found.total == pytest.approx(found.images + found.seeds + found.both)


def test_without_a_difference_between_images_it_is_students_test_of_the_seeds() -> None:
    """All images alike, so only seeds vary: the paired t-test, and Welch's with its degrees of freedom."""
    n = 400
    of_seeds = np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    first = np.repeat(of_seeds[:, None].astype(bool), n, axis=1)
    second = np.zeros_like(first)
    paired = effect(first, second, (range(5), range(5)))
    assert paired.p == pytest.approx(ttest_1samp(of_seeds, 0).pvalue)
    third = np.repeat(np.array([[True], [False], [False], [True]]), n, axis=1)
    other = effect(first, third, (range(5), range(5, 9)))
    wanted = ttest_ind(of_seeds, [1, 0, 0, 1], equal_var=False)
    assert other.p == pytest.approx(wanted.pvalue)
    interval = wanted.confidence_interval()
    assert other.interval == pytest.approx((interval.low, interval.high))


def test_seeds_that_are_all_alike_leave_the_images() -> None:
    first, second = pair(60, 9, 3, 8)
    found = effect(np.stack([first] * 3), np.stack([second] * 3), ((0, 1, 2), (0, 1, 2)))
    difference = first.astype(float) - second
    assert found.variance.total == pytest.approx(difference.var(ddof=1) / 80)
    assert found.variance.freedom > 1e6
    z = abs(difference.mean()) / difference.std(ddof=1) * sqrt(80)
    assert found.p == pytest.approx(2 * norm.sf(z), rel=1e-4)


def test_nothing_differs() -> None:
    right = np.ones((3, 50), dtype=bool)
    found = effect(right, right, ((0, 1, 2), (0, 1, 2)))
    assert (found.value, found.p, found.interval) == (0.0, 1.0, (0.0, 0.0))
    assert effect(right[:1], right[:1], ((0,), (1,))).p == 1.0


def test_a_baseline_has_no_seeds_and_one_run_is_taken_to_vary_as_the_others() -> None:
    rng = np.random.default_rng(1)
    several = rng.random((5, 2000)) < 0.9
    several[0, :100] = False  # one seed is much worse
    one = rng.random((1, 2000)) < 0.9
    baseline, run = effect(several, one, (range(5), None)), effect(several, one, (range(5), (9,)))
    assert baseline.value == run.value
    assert baseline.variance.seeds == pytest.approx(crossed(several.astype(float)).seeds)
    assert run.variance.seeds == pytest.approx(6 * baseline.variance.seeds)  # of the mean of five, and of one
    assert run.p > baseline.p


def test_the_interval_of_several_seeds_is_wider_than_that_of_their_images_alone() -> None:
    rng = np.random.default_rng(2)
    right = rng.random((4, 1000)) < np.array([[0.8], [0.9], [0.95], [0.7]])
    low, high = mean_interval(right)
    assert low < right.mean() < high
    alone = np.ptp(wilson(int(right.mean(axis=0).sum()), 1000))
    assert high - low > 2 * alone
    assert mean_interval(right[:1]) == wilson(int(right[0].sum()), 1000)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == [0.03, 0.06, 0.06]
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_the_value_and_bonferronis(values: list[float]) -> None:
    found = holm(values)
    assert all(p <= q <= min(1.0, len(values) * p) for p, q in zip(values, found, strict=True))
    in_order = [found[place] for place in np.argsort(values)]
    assert in_order == sorted(in_order)


def test_so_many_more_images_give_a_power_of_80_percent() -> None:
    """Simulated: networks that differ in 3 % and 2 % of the images, which 500 images don't show."""
    first, second = pair(900, 30, 20, 50)
    found = effect(first[::2][None], second[::2][None], ((1,), (2,)))
    assert found.p > 0.05
    more = needed(found, 500, 1)
    assert more.seeds is None
    assert more.images is not None
    rng, shown = np.random.default_rng(3), 0
    for _ in range(400):
        places = rng.integers(0, 1000, 500 + more.images)
        shown += mcnemar(first[places], second[places]) <= 0.05
    assert 0.70 * 400 < shown < 0.88 * 400


def test_seeds_or_images_may_be_of_no_use() -> None:
    def of(images: float, seeds: float, both: float) -> Needed:
        variance = Variance(images, seeds, both, freedom=4.0)
        return needed(Effect(0.005, (-0.01, 0.02), 0.3, variance, same("")), 1000, 5)

    by_seeds = of(0.0, 0.005**2, 0.0)
    assert by_seeds.images is None
    assert by_seeds.seeds is not None
    by_images = of(0.005**2, 0.0, 0.0)
    assert by_images.seeds is None or by_images.seeds > 100
    assert by_images.images is not None
    again = of(0.005**2 / 2, 0.005**2 / 2, 0.0)
    assert (again.images, again.seeds) == (None, None)
    assert again.together is not None
    assert again.together[0] == 200 * again.together[1]  # 1,000 images for five seeds
    assert "more images and " in again.message
    for k in (by_seeds.seeds, by_seeds.seeds - 1):  # it is the smallest number
        freedom = 4.0 * (5 + k) / 5
        detectable = (quantile(0.975, freedom) + quantile(0.8, freedom)) * 0.005 * sqrt(5 / (5 + k))
        assert (detectable <= 0.005) == (k == by_seeds.seeds)


def drawn(spread: float) -> bench.Planted:
    """Twelve seeds of two recipes: few hard images and many easy ones, and odds of an error that vary from seed to seed."""
    rng = np.random.default_rng(4)
    hard = np.minimum(0.95, rng.gamma(0.04, 0.5, 20_000))
    found = []
    for worse in (1.0, 1.8):
        odds = worse * np.exp(spread * rng.standard_normal((12, 1))) * hard / (1 - hard)
        found.append(rng.random((12, 20_000)) >= odds / (1 + odds))
    return bench.Planted(found[0], found[1])


@pytest.fixture(scope="module")
def planted() -> bench.Planted:
    return drawn(0.05)


@pytest.mark.parametrize(
    "case", ["1 network each, McNemar exact", "5 seeds each, the same", "5 seeds each, others", "1 seed against 5"]
)
def test_equal_pairs_are_called_equal_and_half_a_point_is_seen(planted: bench.Planted, case: str) -> None:
    assert 0.97 < planted.first.mean() < 0.985
    assert bench.called_different(planted, case, 0.0, 100, seed=5) <= 8  # P(more) < 1 % at a level of 5 %, over four cases
    if case != "1 seed against 5":
        assert bench.called_different(planted, case, 0.005, 100, seed=6) >= 80


def test_the_planted_difference_is_exact(planted: bench.Planted) -> None:
    rng = np.random.default_rng(7)
    for seeds in ((1, 1), (5, 5)):
        for difference in (0.0, 0.005):
            drawn = [planted.draw(rng, seeds, difference) for _ in range(60)]
            found = np.array([first.mean() - second.mean() for first, second in drawn])
            assert found.mean() == pytest.approx(difference, abs=4 * found.std() / sqrt(60))


def test_a_test_over_images_alone_would_call_too_many_different() -> None:
    """Why the test counts seeds, too."""
    restless = drawn(0.3)
    images_only = bench.called_different(restless, "(5 seeds, images only)", 0.0, 100, seed=8)
    assert bench.called_different(restless, "5 seeds each, others", 0.0, 100, seed=8) <= 10 < 25 < images_only
