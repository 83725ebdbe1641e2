"""Whether one training is better than another: chance, and more than chance."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_ind

from benchmarks.faults import FAULTS, healthy
from glassnet.analysis.diagnosis import compare, diagnose, diagnose_difference
from glassnet.analysis.diagnosis.difference import Difference, wobble
from glassnet.data import Dataset, Splits, load_dataset
from glassnet.errors import InputError
from glassnet.network import Network
from glassnet.support.i18n import Message, same
from glassnet.training import Epoch, History


def answering(answers: list[int]) -> Network:
    """A network that gives these answers, 0 or 1, to images that are one-hot."""
    from glassnet.nn import Dense

    net = Network([Dense(1, use_bias=False)], input_shape=(len(answers),), seed=0, dtype="float64")
    net.parameters = np.array(answers, dtype=float)
    return net


DATA = Dataset(np.eye(20, dtype=np.float32), np.ones(20, dtype=np.int64), classes=("no", "yes"))


def test_two_networks_by_hand() -> None:
    good, poor = answering([1] * 18 + [0] * 2), answering([0] * 7 + [1] * 11 + [0, 1])
    (found,) = compare([[poor], [good]], DATA, ["poor", "good"])
    assert (found.better, found.worse) == ("good", "poor")
    assert found.accuracies == (18 / 20, 12 / 20)
    assert found.probability == pytest.approx(binomtest(7, 8).pvalue)  # 7 images only the one has, 1 only the other
    half = 1.959964 * np.sqrt(8 - 36 / 20) / 20
    assert found.interval == pytest.approx((0.3 - half, 0.3 + half))
    assert found.is_noise
    assert diagnose_difference([[poor], [good]], DATA, ["poor", "good"]).names == ("difference-within-noise",)
    bad = answering([0] * 20)
    assert diagnose_difference([[bad], [good]], DATA, ["bad", "good"]).healthy


def test_seeds_by_hand() -> None:
    first = [answering([1] * right + [0] * (20 - right)) for right in (18, 17, 19)]
    second = [answering([1] * right + [0] * (20 - right)) for right in (12, 14, 13, 11)]
    (found,) = compare([second, first], DATA, ["a", "b"])
    wanted = ttest_ind([0.9, 0.85, 0.95], [0.6, 0.7, 0.65, 0.55], equal_var=False)
    assert found.better == "b"
    assert found.probability == pytest.approx(wanted.pvalue)
    interval = wanted.confidence_interval()
    assert found.interval == pytest.approx((interval.low, interval.high))
    assert not found.is_noise


def test_seeds_without_a_spread() -> None:
    """Equal means are equal for certain, others differ for certain."""
    good, poor = answering([1] * 18 + [0] * 2), answering([1] * 12 + [0] * 8)
    (found,) = compare([[good, good], [poor, poor]], DATA, ["a", "b"])
    assert found.probability == 0
    assert found.interval == pytest.approx((0.3, 0.3))
    assert found.message.en.startswith("a 90.00 %, b 60.00 %: +30.00 points, 95 % interval +30.00 to +30.00, p = 0 ")
    (equal,) = compare([[good, good], [good, good]], DATA, ["a", "b"])
    assert equal.probability == 1
    assert equal.is_noise


def test_noise_is_what_chance_makes_more_often_than_once_in_twenty() -> None:
    found = Difference("a", "b", (0.9, 0.8), (0.0, 0.2), 0.05, same("by hand"))
    assert not found.is_noise
    assert replace(found, probability=np.nextafter(0.05, 1)).is_noise


def test_equal_networks_are_equal() -> None:
    (found,) = compare([[answering([1] * 20)], [answering([1] * 20)]], DATA, ["a", "b"])
    assert found.probability == 1
    assert found.value == 0


def history(accuracies: list[float]) -> History:
    return History([Epoch(n, 0.1, a, 0.1, a, 1, 2, 0.1, 0.1) for n, a in enumerate(accuracies, 1)])


def test_a_restless_accuracy_makes_a_difference_smaller() -> None:
    assert wobble(history([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])) == pytest.approx(0)  # a trend is no unrest
    assert wobble(history([0.5, 0.5, 0.5, 0.9, 0.8, 0.9])) == pytest.approx(np.std([-0.1, 0.1], ddof=1) / np.sqrt(2))
    assert wobble(history([0.5, 0.9])) == 0
    good, bad = answering([1] * 20), answering([1] * 8 + [0] * 12)
    calm, restless = history([0.9] * 6), history([0.9, 0.4] * 6)
    (quiet,) = compare([[good], [bad]], DATA, ["a", "b"], [[calm], [calm]])
    (loud,) = compare([[good], [bad]], DATA, ["a", "b"], [[calm], [restless]])
    assert not quiet.is_noise
    assert loud.probability > quiet.probability
    assert loud.interval[0] < quiet.interval[0]


def test_of_trainings() -> None:
    digits = load_dataset("digits")
    one, other = (healthy(digits, seed) for seed in (1, 2))
    short = next(fault for fault in FAULTS if fault.name == "too-few-steps").train(digits, 1)
    assert diagnose([one[0], other[0]], [one[1], other[1]], digits).names == ("difference-within-noise",)
    found = diagnose([one[0], short[0]], [one[1], short[1]], digits)
    assert found.healthy
    assert "network 1" in found.remarks[0]
    assert "network 1" in found.remarks[0].zh


def test_told_in_both_languages() -> None:
    seeds = [answering([1] * right + [0] * (20 - right)) for right in (17, 18, 17, 18)]
    restless = history([0.9, 0.4] * 6)
    single = diagnose_difference([seeds[:1], seeds[1:2]], DATA, ["a", "b"], [[restless], [restless]])
    several = diagnose_difference([seeds[:2], seeds[2:]], DATA, ["a", "b"])
    for (finding,) in (single, several):
        for message in (finding.evidence, *finding.try_next):
            assert isinstance(message, Message)
            english, chinese = message.en, message.zh
            assert re.search(r"[一-鿿]", chinese)
            assert sorted(re.findall(r"[\d.]*\d", english)) == sorted(re.findall(r"[\d.]*\d", chinese))
    assert "McNemar 检验" in single.findings[0].evidence.zh
    assert "Welch 检验：2 个与 2 个种子" in several.findings[0].evidence.zh


def test_wrong_input() -> None:
    net = answering([1] * 20)
    with pytest.raises(InputError, match="at least"):
        compare([[net]], DATA, ["a"])
    with pytest.raises(InputError, match="One seed"):
        compare([[net], [net, net]], DATA, ["a", "b"])
    with pytest.raises(InputError, match="do not match"):
        diagnose([history([0.5])], [net, net], DATA)
    with pytest.raises(InputError, match="not a data set"):
        diagnose(history([0.5]), net, Splits)  # type: ignore[arg-type]
