"""Normalisation where nothing differs: values equal to their mean give β to the bit, and have no gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from glassnet.network import Network
from glassnet.nn import BatchNorm, Conv2D, Dense, Flatten, GlobalMaxPool2D, Layer, LayerNorm, MaxPool2D, Standardize
from glassnet.nn.losses import Quadratic
from glassnet.nn.optimizers import SGD
from glassnet.runtime import CompiledTrainer, Predictor, StepPlan, use_kernels

Array = np.ndarray[Any, Any]
VALUES = np.array([0.1, -3.7, 123.456, 1e-3, 7e5], dtype=np.float32)


def of_one_value(shape: tuple[int, ...], count: int) -> Array:
    """Images of which every channel holds one value everywhere, in all of them."""
    images = np.empty((count, *shape), dtype=np.float32)
    images[...] = VALUES[: shape[-1]]
    return images


def begun(layers: Sequence[Layer], shape: tuple[int, ...], images: Array, targets: Array) -> tuple[Network, CompiledTrainer]:
    """The network with other γ and β than they start with, and a trainer that has taken a step of rate 0."""
    net = Network(layers, input_shape=shape, loss=Quadratic(), seed=1)
    net.adapt(images)
    assert use_kernels(net)
    for slot in net.slots:
        if slot.key.endswith(("gamma", "beta")):
            slot.part(net.flat)[...] = np.random.default_rng(slot.offset).standard_normal(slot.size)
    n = len(images)
    trainer = CompiledTrainer(net, net.rows(images), targets, StepPlan(batch_size=n, optimizer=SGD(), threads=1))
    trainer.begin_epoch(np.arange(n), np.zeros(1), np.random.default_rng(1))
    trainer.run(0, 1, 0, keep_gradient=True)
    return net, trainer


@pytest.mark.parametrize(
    ("layers", "shape", "count"),
    [
        ([BatchNorm()], (5,), 1),
        ([BatchNorm()], (5,), 7),
        ([BatchNorm(), Flatten()], (3, 7, 5), 1),
        ([BatchNorm(), Flatten()], (19, 13, 5), 3),
        ([BatchNorm(), MaxPool2D((3, 7)), Flatten()], (3, 7, 5), 2),
        ([BatchNorm(), GlobalMaxPool2D()], (5, 6, 3), 5),
    ],
    ids=["one image", "flat", "image", "images", "pooled", "pooled as a whole"],
)
def test_batch_norm_of_one_value_gives_beta(layers: list[Layer], shape: tuple[int, ...], count: int) -> None:
    """The cost ½‖y − t‖² is 0 if and only if y is the target: β of each channel, at each place."""
    beta = np.random.default_rng(shape[-1]).standard_normal(shape[-1]).astype(np.float32)  # the slot's offset is behind γ
    places = int(np.prod(shape[:-1])) if isinstance(layers[-1], Flatten) and not isinstance(layers[-2], MaxPool2D) else 1
    targets = np.tile(beta, (count, places)).astype(np.float64)
    _, trainer = begun(layers, shape, of_one_value(shape, count), targets)
    np.testing.assert_array_equal(trainer.losses, np.zeros(count))


def test_batch_norm_of_what_a_convolution_gives() -> None:
    """The same inside a fused stage; a constant image under a 1×1 convolution stays constant."""
    layers: list[Layer] = [Conv2D(5, 1), BatchNorm(), MaxPool2D(2), Flatten()]
    images = of_one_value((4, 6, 3), 3)
    net, trainer = begun(layers, (4, 6, 3), images, np.zeros((3, 30)))
    beta = net.layers[1].parameters["beta"]
    np.testing.assert_allclose(trainer.losses, np.full(3, 3 * np.square(beta.astype(np.float64)).sum()), rtol=1e-6)


def test_layer_norm_of_one_value_gives_beta() -> None:
    images = np.repeat(VALUES, 4).reshape(5, 4)
    beta = np.random.default_rng(4).standard_normal(4).astype(np.float32)
    _, trainer = begun([LayerNorm()], (4,), images, np.tile(beta, (5, 1)).astype(np.float64))
    np.testing.assert_array_equal(trainer.losses, np.zeros(5))


@pytest.mark.parametrize(
    ("layers", "shape", "count"),
    [
        ([Dense(8), BatchNorm(), Dense(2)], (5,), 1),
        ([Conv2D(8, (3, 4)), BatchNorm(), Flatten(), Dense(2)], (3, 4, 2), 1),
        ([Conv2D(8, (3, 4)), BatchNorm(), MaxPool2D(1), Flatten(), Dense(2)], (3, 4, 2), 1),
        ([Dense(1), LayerNorm(), Dense(2)], (5,), 9),
    ],
    ids=["dense", "convolution", "pooled", "layer"],
)
def test_what_is_alone_has_no_gradient(layers: list[Layer], shape: tuple[int, ...], count: int) -> None:
    images = np.random.default_rng(3).standard_normal((count, *shape)).astype(np.float32)
    net, trainer = begun(layers, shape, images, np.ones((count, 2)))
    before, behind = (slot.part(trainer.gradient) for slot in (net.slots[0], net.slots[-1]))
    np.testing.assert_array_equal(before, np.zeros_like(before))
    assert (behind != 0).all()


@pytest.mark.parametrize("shape", [(5,), (3, 4, 5)])
def test_running_mean_gives_beta(shape: tuple[int, ...]) -> None:
    net = Network([BatchNorm(), Flatten()], input_shape=shape, seed=1)
    rng, norm = np.random.default_rng(1), net.layers[0]
    norm.parameters["gamma"][...], norm.parameters["beta"][...] = rng.standard_normal((2, 5))
    norm.statistics["mean"][...], norm.statistics["variance"][...] = VALUES, 1e-3
    found = Predictor(net).outputs(net.rows(of_one_value(shape, 2)), "outputs")[0].reshape(-1, 5)
    np.testing.assert_array_equal(found, np.broadcast_to(norm.parameters["beta"], found.shape))


def test_standardize_keeps_the_digits_of_small_differences() -> None:
    """x/std − mean/std would lose them: mean/std is 10⁵ here."""
    rng = np.random.default_rng(1)
    images = (1000 + 0.01 * rng.standard_normal((50, 6))).astype(np.float32)
    net = Network([Standardize()], input_shape=(6,), seed=1)
    net.adapt(images)
    np.testing.assert_allclose(net(images), net.astype("float64")(images), rtol=1e-6, atol=1e-6)
