"""Where weights start: the spread each initializer promises, from the generator it is given and nothing else."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from glassnet.errors import InputError
from glassnet.nn.initializers import INITIALIZERS, Initializer, Normal, Uniform, as_initializer, fans
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
}


def test_every_initializer_is_here() -> None:
    assert set(SPREAD) == set(INITIALIZERS)


@pytest.mark.parametrize("name", INITIALIZERS)
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
