"""Learning curves: the fit on curves with known parameters, and what the result says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.analysis.learning_curve.fit import decay, fit, reach
from glassnet.analysis.learning_curve.words import count, report
from glassnet.experiment.shares import Measured

Array = np.ndarray[Any, Any]
SIZES = np.repeat([1000.0, 2000.0, 5000.0, 10_000.0], 3)
CHANCE = 0.9  # error of ten classes alike
VALIDATION = 5000


def simulate(seed: int) -> tuple[Array, Array, int, float, float, int]:
    """Trainings on a random curve: images, wrong answers, validation images, error at 5 times the images, family.

    Validation images have a difficulty each. A training answers those wrong that are more difficult than it can do, and adds
    its own luck to each; so trainings agree on many images, as real ones do.
    """
    rng = np.random.default_rng([seed, 7])
    family, slope = seed % 3, rng.uniform(0.25, 0.9)
    middle, floor_part, noise = rng.uniform(0.04, 0.4), 10 ** rng.uniform(-2.5, 0), 10 ** rng.uniform(-2, -1)
    floor = 0.5 * floor_part * middle
    scale = 3000 / reach(np.array([family]), np.array([(middle - floor) / (CHANCE - floor)]), np.array([slope]))[0]

    def one(images: float) -> float:
        error = floor + (CHANCE - floor) * decay(np.array([family]), np.array([images / scale]), np.array([slope]))[0]
        odds = error / (1 - error) * np.exp(noise * rng.standard_normal())
        return float(odds / (1 + odds))

    difficulty = rng.standard_normal(VALIDATION)
    wrong = []
    for size in SIZES:
        ability = difficulty + rng.standard_normal(VALIDATION)  # of variance 2: half is common to all trainings
        wrong.append((ability > np.sqrt(2) * _upper(one(size))).sum())
    return SIZES, np.array(wrong, float), VALIDATION, one(50_000), 50_000.0, family


def _upper(p: float) -> float:
    """The value that a standard normal variable exceeds with probability p."""
    from scipy.special import ndtri

    return float(-ndtri(p))


def curve_of(accuracies: dict[int, list[float]], images: int = 10_000, validation: int = 10_000) -> gn.LearningCurve:
    measured = tuple(
        Measured(
            share=size / images, draw=draw, images=size, epochs=1, correct=round(accuracy * validation), total=validation,
            seconds=1.0,
        )
        for size, ones in accuracies.items()
        for draw, accuracy in enumerate(ones)
    )  # fmt: skip
    return gn.LearningCurve("a", images, validation, 0.1, measured)


POWER = {
    size: [1 - 0.9 * (1 + size / 20) ** -0.45 + shift for shift in (-0.002, 0, 0.002)] for size in (500, 1000, 2000, 4000)
}


def test_reach_is_the_inverse_of_decay() -> None:
    ratio = np.geomspace(1e-3, 1e3, 50)
    for family in range(3):
        kind, slope = np.full(50, float(family)), np.full(50, 0.3)
        left = decay(kind, ratio, slope)
        assert (np.diff(left) < 0).all()
        assert np.allclose(reach(kind, left, slope), ratio)


def test_the_90_percent_interval_holds_about_90_percent_of_the_truths() -> None:
    """Curves of all families, extrapolated five-fold; 40 of 45 are to be expected, with a deviation of 2."""
    inside = []
    for seed in range(45):
        images, wrong, total, truth, far, _ = simulate(seed)
        low, high = np.quantile(fit(images, wrong, total, CHANCE).errors(np.array([far]))[0], (0.05, 0.95))
        inside.append(low <= truth <= high)
        assert high - low < 0.2
    assert sum(inside) >= 36


def test_a_power_law_is_continued() -> None:
    curve = curve_of(POWER)
    truth = 1 - 0.9 * (1 + 20_000 / 20) ** -0.45
    low, middle, high = curve.predict(20_000)
    assert low < truth < high
    assert abs(middle - truth) < 0.01
    assert high - low < 0.05


def test_more_noise_and_fewer_validation_images_make_it_less_certain() -> None:
    def width(curve: gn.LearningCurve) -> float:
        low, _, high = curve.predict(20_000)
        return high - low

    noisy = {size: [0.02 * k + np.mean(ones) for k in (-1, 0, 1)] for size, ones in POWER.items()}
    assert width(curve_of(noisy)) > 1.5 * width(curve_of(POWER))
    assert width(curve_of(POWER, validation=300)) > 1.5 * width(curve_of(POWER))


def test_needed_is_the_inverse_of_predict() -> None:
    curve = curve_of(POWER)
    low, middle, high = curve.needed(0.95)
    assert low < middle < high
    assert curve.predict(middle)[1] == pytest.approx(0.95, abs=2e-4)
    assert curve.predict(low)[2] == pytest.approx(0.95, abs=2e-4)
    assert curve.predict(high)[0] == pytest.approx(0.95, abs=2e-4)
    assert curve.needed(0.2)[0] < 100


def test_the_same_points_give_the_same_numbers() -> None:
    assert curve_of(POWER).predict(33_333) == curve_of(POWER).predict(33_333)


def test_a_curve_that_is_flat_says_that_more_images_hardly_help() -> None:
    flat = {size: [0.949, 0.95, 0.951] for size in (2000, 4000, 6000, 10_000)}
    said = str(curve_of(flat))
    assert "More images would hardly help: twice as many bring about" in said
    assert "99 % would need more than 1,000,000 images, if it can be reached at all." in said
    assert "More images would help: twice as many remove about" in str(curve_of(POWER))


def test_what_is_said() -> None:
    curve = curve_of(POWER)
    lines = report(curve, (0.95,)).splitlines()
    assert lines[0].split() == ["images", "trainings", "accuracy", "on", "validation", "images"]
    assert lines[1].split()[:2] == ["500", "3"]
    low, middle, high = (100 * value for value in curve.predict(10_000))
    span = f"about {middle:.1f} % ({low:.1f} to {high:.1f})"
    assert f"With the 10,000 training images there are: {span}." in lines
    low, middle, high = curve.needed(0.95)
    assert f"95 % would need about {count(middle)} images ({count(low)} to {count(high)})." in lines
    assert curve.goals == tuple(goal for goal in (0.95, 0.98, 0.99) if goal > curve.predict(10_000)[1])[:2]
    once = curve_of({size: ones[:1] for size, ones in POWER.items()})
    assert "Each size was trained once" in str(once)


def test_numbers_of_images_have_two_digits() -> None:
    assert [count(value) for value in (7, 61_234, 1_950_000, np.inf)] == ["7", "61,000", "2,000,000", "∞"]


def test_all_right_and_nothing_learnt() -> None:
    for accuracy in (1.0, 0.1):
        curve = curve_of({size: [accuracy] * 3 for size in (100, 1000, 5000)}, validation=300)
        low, middle, high = curve.predict(10_000)
        assert 0 <= low <= middle <= high <= 1
        assert abs(middle - accuracy) < 0.02
        assert str(curve)


def test_wrong_questions() -> None:
    curve = curve_of(POWER)
    with pytest.raises(gn.InputError, match=r"The number of images must be positive\.[\s\S]*LearningCurve.predict"):
        curve.predict(0)
    with pytest.raises(gn.InputError, match=r"The accuracy must be a fraction\.[\s\S]*0 < accuracy < 1"):
        curve.needed(98)


def test_a_real_one_on_the_bundled_digits() -> None:
    curve = gn.learning_curve("digits", shares=(0.1, 0.2, 0.4), draws=2, epochs=15)
    assert [point.images for point in curve.points] == pytest.approx([126, 252, 504], abs=2)
    assert [len(point.accuracies) for point in curve.points] == [2, 2, 2]
    assert curve.points[0].mean < curve.points[-1].mean
    low, _, high = curve.predict(curve.images)
    splits = gn.load_dataset("digits")
    recipe = gn.load_recipe("digits").changed({"seed": 99, "epochs": 15})
    network = recipe.make_network(splits)
    network.fit(splits.train, 15, batch_size=32, optimizer=recipe.make_optimizer(), seed=99)
    assert splits.validation is not None
    assert low < network.evaluate(splits.validation).accuracy < high
    assert high - low < 0.12
