"""Networks that answer together: the mean of their probabilities, and what must agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from glassnet.data import Dataset
from glassnet.errors import InputError
from glassnet.experiment.ensemble import Ensemble
from glassnet.network import Network
from glassnet.nn import Dense
from glassnet.nn.losses import BinaryCrossEntropy, SoftmaxCrossEntropy
from glassnet.nn.metrics import Spread

Array = np.ndarray[Any, Any]
Data = tuple[Array, Array]


def network(seed: int, **options: Any) -> Network:
    return Network([Dense(3)], **{"input_shape": (6,), "loss": SoftmaxCrossEntropy(), "seed": seed, **options})


def test_probabilities_are_the_mean(blobs: Data) -> None:
    networks = [network(seed) for seed in range(3)]
    ensemble = Ensemble(networks)
    mean = (
        networks[0].predict_proba(blobs[0]) + networks[1].predict_proba(blobs[0]) + networks[2].predict_proba(blobs[0])
    ) / 3
    np.testing.assert_allclose(ensemble.predict_proba(blobs[0]), mean, rtol=1e-12)
    np.testing.assert_array_equal(ensemble.predict(blobs[0]), mean.argmax(axis=1))
    assert ensemble.predict(blobs[0][0]).shape == (1,)  # one image
    result = ensemble.evaluate(blobs)
    assert result.correct == (mean.argmax(axis=1) == blobs[1]).sum()
    assert result.total == result.confusion.sum() == 90
    assert result.loss == pytest.approx(-np.log(mean[np.arange(90), blobs[1]]).mean())
    assert result.classes == ("0", "1", "2")


def test_an_ensemble_of_one_is_the_network(blobs: Data) -> None:
    one, ensemble = network(1), Ensemble([network(1)])
    np.testing.assert_array_equal(ensemble.predict_proba(blobs[0]), one.predict_proba(blobs[0]))
    mine, its = ensemble.evaluate(blobs), one.evaluate(blobs)
    np.testing.assert_array_equal(mine.confusion, its.confusion)
    assert mine.loss == pytest.approx(its.loss, rel=1e-6)


def test_votes_may_be_outweighed() -> None:
    """Two that are barely for class 0, and one that is sure of class 1."""

    def sure(logit: float) -> Network:
        net = Network([Dense(1)], input_shape=(1,), loss=BinaryCrossEntropy(), seed=1)
        net.parameters = [0.0, logit]
        return net

    ensemble = Ensemble([sure(-0.1), sure(-0.1), sure(5.0)])
    assert ensemble.predict(np.ones((1, 1))).tolist() == [1]
    assert ensemble.predict_proba(np.ones((1, 1))).shape == (1, 2)


def test_a_probability_of_zero_has_a_finite_cost() -> None:
    net = Network([Dense(2)], input_shape=(1,), loss=SoftmaxCrossEntropy(), seed=1)
    net.parameters = [1e4, -1e4, 0.0, 0.0]
    assert 100 < Ensemble([net]).evaluate((np.ones((1, 1)), np.array([1]))).loss < 1000


def test_what_must_agree(blobs: Data) -> None:
    with pytest.raises(InputError, match="needs networks"):
        Ensemble([])
    with pytest.raises(InputError, match="differ in their classes") as caught:
        Ensemble(
            [network(1, classes=["a", "b", "c"]), network(2, classes=["a", "b", "c"]), network(3, classes=["a", "c", "b"])]
        )
    assert caught.value.where == "Ensemble(networks), network 3"
    assert (caught.value.expected, caught.value.received) == ("a, b, c, as the first network", "a, c, b")
    with pytest.raises(InputError, match="differ in their input shape") as caught:
        Ensemble([network(1), network(1, input_shape=(7,))])
    assert (caught.value.expected, caught.value.received) == ("6, as the first network", "7")
    with pytest.raises(InputError, match="are not probabilities"):
        Ensemble([Network([Dense(3)], input_shape=(6,), loss="Quadratic", seed=1)]).predict(blobs[0])
    with pytest.raises(InputError, match="are defined only for classes"):
        Ensemble([network(1)]).evaluate(Dataset(blobs[0], np.zeros((90, 3))))
    with pytest.raises(InputError, match="beyond the network's outputs"):
        Ensemble([network(1)]).evaluate((blobs[0], blobs[1] + 1))


def test_spread_by_hand() -> None:
    spread = Spread((0.96, 0.97, 0.98))
    assert spread.mean == pytest.approx(0.97)
    assert spread.deviation == pytest.approx(0.01)
    low, high = spread.interval  # t of 2 degrees of freedom: 4.3027
    assert (low, high) == (pytest.approx(0.97 - 4.3027 * 0.01 / 3**0.5, abs=1e-6), pytest.approx(0.97 + 0.0248416, abs=1e-6))
    assert spread.percent() == ("97.00 ± 1.00 % (mean ± standard deviation; Student's 95 % interval of the mean 94.52–99.48)")
    assert Spread((0.5,)).percent() == "50.00 %"
    assert np.isnan(Spread((0.5,)).deviation)
    assert np.isnan(Spread((0.5,)).interval).all()


def test_an_interval_does_not_leave_what_is_possible() -> None:
    above, below = Spread((0.995, 0.999, 0.99)), Spread((0.001, 0.01))
    low, high = above.interval
    assert high == 1
    assert low == pytest.approx(above.mean - 4.302653 * above.deviation / 3**0.5)
    assert below.interval[0] == 0
    assert below.interval[1] == pytest.approx(0.0055 + 12.7062 * 0.0045, abs=1e-5)  # t of 1 degree of freedom
    assert above.percent().endswith("interval of the mean 98.35–100.00)")
    assert Spread((1.0, 1.0)).interval == (1, 1)
