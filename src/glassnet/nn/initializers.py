"""Initializers: each draws the initial values of a parameter array from an explicit generator.

fan-in and fan-out are the numbers of values that a unit reads and that read it: for a weight (inputs, outputs) its two sides.
"""

from __future__ import annotations

from math import prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import InputError
from glassnet.support.checks import positive
from glassnet.support.habits import option_class
from glassnet.support.i18n import tr
from glassnet.support.registry import find_named


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(fan-in, fan-out) of a weight: its last axis is the output, the one before the input, the rest a window."""
    if len(shape) < 2:
        return max(1, prod(shape)), max(1, prod(shape))
    window = prod(shape[:-2])
    return window * shape[-2], window * shape[-1]


@option_class
class Initializer:
    """Call it with a shape and a generator."""

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        raise TypeError(f"{type(self).__name__} draws nothing: use one of its subclasses")


@option_class
class Zeros(Initializer):
    """All zeros. Right for biases; a weight that starts so never breaks the symmetry of its units."""

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        return np.zeros(shape)


@option_class
class Normal(Initializer):
    """N(0, std²); std = 1 is the start of the MNIST tutorial, for weights and biases."""

    std: float = 1.0

    def __post_init__(self) -> None:
        positive(self.std, tr("std must be positive."), "Normal")

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        return self.std * rng.standard_normal(shape)


@option_class
class Uniform(Initializer):
    """Uniform in ±limit; 0.12 is the start of the numerals' tutorial."""

    limit: float = 0.05

    def __post_init__(self) -> None:
        positive(self.limit, tr("limit must be positive."), "Uniform")

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        return rng.uniform(-self.limit, self.limit, shape)


@option_class
class LecunNormal(Initializer):
    """N(0, 1/fan-in): N(0,1)/√fan-in, the start of the cats' tutorial. LeCun et al., "Efficient BackProp", 1998."""

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        return rng.standard_normal(shape) / sqrt(fans(shape)[0])


@option_class
class GlorotUniform(Initializer):
    """Uniform in ±√(6 / (fan-in + fan-out)). Glorot and Bengio, AISTATS 2010."""

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        limit = sqrt(6 / sum(fans(shape)))
        return rng.uniform(-limit, limit, shape)


@option_class
class GlorotNormal(Initializer):
    """N(0, 2 / (fan-in + fan-out)). Glorot and Bengio, AISTATS 2010."""

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        return rng.standard_normal(shape) * sqrt(2 / sum(fans(shape)))


@option_class
class HeNormal(Initializer):
    """N(0, 2/fan-in), for layers followed by a ReLU. He et al., ICCV 2015."""

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        return rng.standard_normal(shape) * sqrt(2 / fans(shape)[0])


@option_class
class HeUniform(Initializer):
    """Uniform in ±√(6/fan-in), for layers followed by a ReLU. He et al., ICCV 2015."""

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        limit = sqrt(6 / fans(shape)[0])
        return rng.uniform(-limit, limit, shape)


@option_class
class Orthogonal(Initializer):
    """Rows or columns, whichever are fewer, orthogonal and of length `gain`: a product by it keeps the length of vectors.

    All axes but the last count as rows. Saxe, McClelland, Ganguli, arXiv 1312.6120.
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        positive(self.gain, tr("gain must be positive."), "Orthogonal")

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        rows, columns = prod(shape[:-1]), prod(shape[-1:])
        drawn = rng.standard_normal((max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(drawn)
        q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)  # without this, the signs would not be random
        return self.gain * (q if rows >= columns else q.T).reshape(shape)


@option_class
class Dirac(Initializer):
    """Filter j is 1 at the middle of channel j, else 0: it passes the channel on. Those beyond are uniform in ±1/√fan-in.

    Of filters (rows, columns, channels, filters); of a weight (inputs, outputs), the unit matrix.
    """

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        limit = 1 / sqrt(fans(shape)[0])
        drawn = rng.uniform(-limit, limit, shape)
        if len(shape) > 1:
            same = min(shape[-2:])
            drawn[..., :same] = 0
            middle = tuple(size // 2 for size in shape[:-2])
            drawn[middle][np.arange(same), np.arange(same)] = 1
        return drawn


@option_class
class Whitening(Initializer):
    """Filters that whiten patches of the training images: eigenvectors e of the covariance of patches, e / √(λ + epsilon).

    First those of the largest eigenvalues λ, as many as half of the filters, then the same negated: a ReLU or GELU loses
    neither. `Conv2D(…, initializer=Whitening())` takes them from its input at the first `fit`, and starts with zeros;
    at most twice as many filters as a patch has numbers. `rates={"conv2d1.weight": 0}` of an optimizer keeps them.
    Source: Page, "How to train your ResNet", 2019; Jordan, "94% on CIFAR-10 in 3.29 seconds", arXiv 2404.00498.
    """

    epsilon: float = 5e-4

    def __post_init__(self) -> None:
        positive(self.epsilon, tr("epsilon must be positive."), "Whitening(epsilon)")

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        patch, filters = prod(shape[:-1]), shape[-1]
        if filters % 2 or filters > 2 * patch:
            raise InputError(
                tr("Whitening needs an even number of filters, at most twice the numbers in a patch."),
                where="Whitening",
                expected=tr("an even number up to {most}", most=2 * patch),
                received=filters,
            )
        return np.zeros(shape)

    def filters(self, covariance: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Filters of `shape` from the mean of p·pᵀ over patches p, (numbers, numbers)."""
        values, vectors = np.linalg.eigh(covariance)
        half = shape[-1] // 2
        chosen = vectors[:, ::-1][:, :half] / np.sqrt(np.maximum(values[::-1][:half], 0) + self.epsilon)
        chosen *= np.where(chosen[np.abs(chosen).argmax(axis=0), np.arange(half)] < 0, -1, 1)  # eigenvectors have no sign
        return np.concatenate([chosen, -chosen], axis=1).reshape(shape)


INITIALIZERS: dict[str, type[Initializer]] = {kind.__name__: kind for kind in Initializer.__subclasses__()}


def as_initializer(value: Initializer | str | dict[str, Any], where: str) -> Initializer:
    """An initializer from itself, its name, or {"type": name, option: value}."""
    return find_named(value, Initializer, INITIALIZERS, where)
