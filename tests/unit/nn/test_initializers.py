"""Where weights start: the spread each initializer promises, from the generator it is given and nothing else."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from glassnet.errors import InputError
from glassnet.network import Network
from glassnet.nn import Conv2D, Dense, Flatten, Pixels
from glassnet.nn.conv import conv2d
from glassnet.nn.initializers import (
    INITIALIZERS,
    Dirac,
    Initializer,
    Normal,
    Uniform,
    Whitening,
    as_initializer,
    fans,
)
from glassnet.nn.optimizers import SGD
from glassnet.support.registry import describe

SHAPE = (200, 300)
SPREAD = {  # standard deviation, and the limit of the uniform ones
    "Zeros": (0.0, 0.0),
    "Normal": (1.0, None),
    "Uniform": (0.05 / sqrt(3), 0.05),
    "LecunNormal": (sqrt(1 / 200), None),
    "GlorotUniform": (sqrt(2 / 500), sqrt(6 / 500)),
    "GlorotNormal": (sqrt(2 / 500), None),
    "HeNormal": (sqrt(2 / 200), None),
    "HeUniform": (sqrt(2 / 200), sqrt(6 / 200)),
    "Orthogonal": (sqrt(1 / 300), None),  # columns of unit length
    "Whitening": (0.0, 0.0),  # until there are images
}


def test_every_initializer_is_here() -> None:
    assert {*SPREAD, "Dirac"} == set(INITIALIZERS)


@pytest.mark.parametrize("name", SPREAD)
def test_spread(name: str) -> None:
    initializer, (std, limit) = INITIALIZERS[name](), SPREAD[name]
    values = initializer(SHAPE, np.random.default_rng(1))
    assert values.shape == SHAPE
    assert abs(values.mean()) <= 4 * std / sqrt(values.size)
    assert values.std() == pytest.approx(std, rel=0.02)
    if limit is not None:
        assert np.abs(values).max() <= limit
        assert np.abs(values).max() == pytest.approx(limit, rel=1e-3)
    np.testing.assert_array_equal(values, initializer(SHAPE, np.random.default_rng(1)))


def test_fans_of_dense_weights_windows_and_vectors() -> None:
    assert fans((784, 30)) == (784, 30)
    assert fans((3, 3, 16, 32)) == (144, 288)
    assert fans((30,)) == (30, 30)
    assert fans(()) == (1, 1)


@pytest.mark.parametrize("name", INITIALIZERS)
def test_described_and_made_again(name: str) -> None:
    initializer = INITIALIZERS[name]()
    assert as_initializer(describe(initializer), "here") == initializer
    assert as_initializer(name.lower(), "here") == initializer


def test_wrong_input_is_refused() -> None:
    for make in (lambda: Normal(0.0), lambda: Normal(float("nan")), lambda: Uniform(-0.1)):
        with pytest.raises(InputError, match="must be positive") as caught:
            make()
        assert "a number above 0" in str(caught.value)
    with pytest.raises(InputError, match="Unknown initializer") as caught:
        as_initializer("HeNormall", "Dense(initializer)")
    assert "did you mean 'HeNormal'?" in str(caught.value)
    assert "Dense(initializer)" in str(caught.value)
    with pytest.raises(TypeError, match="use one of its subclasses"):
        Initializer()((2, 2), np.random.default_rng(1))


def test_dirac_passes_channels_on() -> None:
    """Six filters for four channels: four give the channels themselves, two are drawn from ±1/√(3·3·4)."""
    weight = Dirac()((3, 3, 4, 6), np.random.default_rng(1))
    x = np.random.default_rng(2).standard_normal((2, 5, 5, 4))
    y = conv2d(x, weight, None, (1, 1), (1, 1, 1, 1))
    np.testing.assert_array_equal(y[..., :4], x)
    assert 0.1 < np.abs(weight[..., 4:]).max() <= 1 / 6
    np.testing.assert_array_equal(Dirac()((3, 3), np.random.default_rng(1)), np.eye(3))
    assert np.abs(Dirac()((100,), np.random.default_rng(1))).max() <= 0.1


@pytest.mark.parametrize("filters", [6, 24])
def test_whitened_patches_have_the_unit_matrix_as_covariance(filters: int) -> None:
    """By the first half of the filters; the other half is its negative. Without ε but for the smallest of rounding."""
    images = np.random.default_rng(1).integers(0, 256, (40, 9, 8, 3), dtype=np.uint8)
    images[..., 1] = images[..., 0] // 2 + images[..., 1] // 2  # channels that go together
    layer = Conv2D(filters, 2, initializer=Whitening(1e-12))
    net = Network([Pixels(), layer, Flatten(), Dense(2)], input_shape=(9, 8, 3), loss="SoftmaxCrossEntropy", seed=1)
    assert not layer.adapted
    assert not layer.weight.any()
    net.adapt(images)
    y = conv2d(images / 255, layer.weight.astype(float), None, (1, 1), (0, 0, 0, 0)).reshape(-1, filters)
    half = filters // 2
    np.testing.assert_allclose(y[:, :half].T @ y[:, :half] / len(y), np.eye(half), atol=1e-4)
    np.testing.assert_array_equal(y[:, half:], -y[:, :half])
    before = layer.weight.copy()
    net.fit((images, np.arange(40) % 2), 1, optimizer=SGD(0.1, rates={"conv2d1.weight": 0}), seed=1, progress=False)
    np.testing.assert_array_equal(layer.weight, before)


def test_whitening_by_hand() -> None:
    """Patches of one pixel with mean squares 4 and 1 and no product: filters (1/2, 0) and (0, 1), and the same negated."""
    found = Whitening(1e-12).filters(np.diag([4.0, 1.0]), (1, 1, 2, 4))
    np.testing.assert_allclose(found[0, 0], [[0.5, 0, -0.5, 0], [0, 1, 0, -1]], atol=1e-9)


def test_whitening_refuses_what_it_can_not_do() -> None:
    for filters in (3, 26):
        with pytest.raises(InputError, match="even number of filters") as caught:
            Whitening()((2, 2, 3, filters), np.random.default_rng(1))
        assert "an even number up to 24" in str(caught.value)
    layer = Conv2D(4, 2, initializer="Whitening")
    layer.build((4, 4, 1), np.random.default_rng(1))
    with pytest.raises(InputError, match="no images to take patches from"):
        layer.adapt(np.zeros((0, 4, 4, 1)))


@pytest.mark.parametrize("shape", [(5, 5), (7, 4), (4, 7), (3, 3, 2, 5), (3,), (1, 1)])
def test_orthogonal_rows_or_columns(shape: tuple[int, ...]) -> None:
    values = INITIALIZERS["Orthogonal"](gain=1.5)(shape, np.random.default_rng(1))
    assert values.shape == shape
    flat = values.reshape(-1, shape[-1])
    products = flat @ flat.T if flat.shape[0] < flat.shape[1] else flat.T @ flat
    np.testing.assert_allclose(products, 1.5**2 * np.eye(len(products)), atol=1e-12)


def test_orthogonal_matrices_are_by_chance_in_their_signs_too() -> None:
    rng = np.random.default_rng(1)
    signs = [INITIALIZERS["Orthogonal"]()((2, 2), rng)[0, 0] > 0 for _ in range(400)]
    assert 150 < sum(signs) < 250
