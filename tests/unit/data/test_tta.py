"""Test-time augmentation: the mean over views, seeded, the first of them the image as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from glassnet.data import Splits, load_dataset
from glassnet.data.augmentation import BLOCK, Augmentation, views_of
from glassnet.errors import InputError, ShapeError
from glassnet.experiment.ensemble import Ensemble
from glassnet.network import Network
from glassnet.nn import Dense, Flatten, Pixels, ReLU
from glassnet.nn.losses import BinaryCrossEntropy, SoftmaxCrossEntropy

Array = np.ndarray[Any, Any]
SHIFT = Augmentation(shift=1.5, rotation=10)


@pytest.fixture(scope="module")
def digits() -> Splits:
    return load_dataset("digits")


@pytest.fixture(scope="module")
def net(digits: Splits) -> Network:
    layers = [Flatten(), Pixels(), Dense(40), ReLU(), Dense(10)]
    network = Network(layers, input_shape=(8, 8, 1), loss=SoftmaxCrossEntropy(), seed=1)
    network.fit(digits.train, 5, optimizer="Adam", seed=1)
    return network


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_the_mean_over_views(net: Network, digits: Splits, dtype: Any) -> None:
    images = digits.train.images[:50]
    images = images if dtype == np.uint8 else images.astype(dtype) / 255
    views = list(views_of(net.rows(images), (8, 8, 1), SHIFT, 4, seed=3))
    assert len(views) == 4
    np.testing.assert_array_equal(views[0], images.reshape(50, 64))
    for i, view in enumerate(views):
        assert view.dtype == dtype
        assert all(not np.array_equal(view, other) for other in views[:i])
    mean = np.mean([net.predict_proba(view) for view in views], axis=0)
    found = net.predict_proba(images, augmentation=SHIFT, views=4, seed=3)
    np.testing.assert_allclose(found, mean, rtol=1e-12)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(found, net.predict_proba(images, augmentation=SHIFT, views=4, seed=3))
    assert (found != net.predict_proba(images, augmentation=SHIFT, views=4, seed=4)).any()
    eight = net.predict_proba(images, augmentation={"shift": 1.5, "rotation": 10}, views=8, seed=3)
    np.testing.assert_array_equal(eight, net.predict_proba(images, augmentation=SHIFT, seed=3))


def test_one_view_is_the_image_as_it_is(net: Network, digits: Splits) -> None:
    images = digits.train.images[:20]
    plain = net.predict_proba(images)
    for options in ({"augmentation": SHIFT, "views": 1}, {"augmentation": Augmentation()}, {"views": 1}):
        np.testing.assert_array_equal(net.predict_proba(images, **options), plain)
    assert net.predict_proba(images[0], augmentation=SHIFT).shape == (1, 10)  # one image


def test_images_beyond_a_block_have_changes_of_their_own() -> None:
    rng = np.random.default_rng(0)
    rows = np.tile(rng.integers(0, 256, (1, 64)), (BLOCK + 3, 1)).astype(np.uint8)
    _, view = views_of(rows, (8, 8, 1), SHIFT, 2, seed=0)
    assert len(np.unique(view[[0, 1, BLOCK, BLOCK + 1]], axis=0)) == 4


def test_evaluation_over_views(net: Network, digits: Splits) -> None:
    test = digits.test
    assert test is not None
    result = net.evaluate(test, augmentation=SHIFT, views=6, seed=2)
    shares = net.predict_proba(test.images, augmentation=SHIFT, views=6, seed=2)
    assert result.correct == (shares.argmax(axis=1) == test.labels).sum()
    assert result.loss == pytest.approx(-np.log(shares[np.arange(len(test)), test.labels]).mean())
    assert net.evaluate(test, views=1).loss == net.evaluate(test).loss
    both = Ensemble([net, net]).evaluate(test, augmentation=SHIFT, views=6, seed=2)
    assert (both.correct, both.loss) == (result.correct, pytest.approx(result.loss))


def test_a_network_of_rows_takes_the_shape_of_the_images(digits: Splits) -> None:
    net = Network([64, 10], seed=1)
    assert net.input_shape == (64,)
    assert net.predict_proba(digits.train.images[:5], augmentation=SHIFT).shape == (5, 10)
    with pytest.raises(ShapeError, match="the height and width"):
        net.predict_proba(digits.train.flat[:5], augmentation=SHIFT)


@pytest.mark.parametrize("views", [0, -1, True, 2.0, "8"])
def test_views_that_are_none(net: Network, digits: Splits, views: Any) -> None:
    for use in (net.predict_proba, lambda images, **options: net.evaluate((images, np.zeros(5, int)), **options)):
        with pytest.raises(InputError, match="views must be a whole number above 0") as caught:
            use(digits.train.images[:5], augmentation=SHIFT, views=views)
        assert caught.value.received == repr(views)


def test_views_without_an_augmentation(net: Network, digits: Splits) -> None:
    images = digits.train.images[:5]
    with pytest.raises(InputError, match="Several views need an augmentation"):
        net.predict_proba(images, views=4)
    with pytest.raises(InputError, match="Several views need an augmentation"):
        net.evaluate(digits.train, views=4)
    with pytest.raises(InputError, match="not an augmentation"):
        net.predict_proba(images, augmentation="shift")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="A seed is a whole number"):
        net.predict_proba(images, augmentation=SHIFT, seed=-1)
    signs = Network([Flatten(), Dense(1)], input_shape=(8, 8, 1), loss=BinaryCrossEntropy(), seed=1)
    with pytest.raises(InputError, match="are defined only for classes"):
        signs.evaluate((images, np.ones((5, 1))), augmentation=SHIFT)
