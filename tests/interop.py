"""Networks that every export is tried with, and how its answers are compared with ours."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from math import prod, sqrt
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.data.readers.drawn import SETS
from glassnet.errors import InputError
from glassnet.experiment.recipe import Recipe, list_recipes
from glassnet.interop.export import Predict, prove
from glassnet.interop.operations import operations_of
from tests.contract.test_layers import CASES

Array = np.ndarray[Any, Any]
Made = tuple[gn.Network, Array]  # a network and images for it
SHAPES = {
    "mnist": (28, 28, 1),
    "chinese-numerals": (64, 64, 1),
    "cats": (128, 128, 3),
    "digits": (8, 8, 1),
    "cifar10": (32, 32, 3),
    "chain": (1,),
}
OUTPUTS = {"mnist": 10, "chinese-numerals": 15, "cats": 2, "digits": 10, "cifar10": 10, "chain": 1}


def disturb(network: gn.Network, seed: int = 1) -> gn.Network:
    """The network with random parameters and running statistics, of sizes at which its values stay near 1."""
    rng = np.random.default_rng(seed)
    for slot in (*network.slots, *network.running_slots):
        values = rng.standard_normal(slot.shape) / sqrt(max(prod(slot.shape[:-1]), 4))
        if slot.key.endswith(("gamma", "variance")):
            values = rng.uniform(0.5, 2.0, slot.shape)
        slot.part(network.state)[...] = values.ravel()
    network._predictor = None
    return network


def images_for(network: gn.Network, count: int, seed: int = 3) -> Array:
    """Random bytes where the network begins with Pixels, else floats around 0."""
    rng, shape = np.random.default_rng(seed), (count, *network.input_shape)
    if network.takes_pixels:
        return rng.integers(0, 256, shape, dtype=np.uint8)
    return rng.standard_normal(shape).astype(np.float32)


def made(network: gn.Network, count: int = 20) -> Made:
    images = images_for(disturb(network), count)
    network.adapt(images)
    return network, images


def assert_same(network: gn.Network, predict: Predict, images: Array) -> None:
    """The same classes, and probabilities within 1e-5."""
    proof = prove(network, images, predict, "test")
    assert (proof.changed, proof.ties) == (0, 0), proof
    assert proof.largest <= 1e-5, proof


@cache
def of_layer(name: str, number: int) -> Made:
    factory, shape = CASES[name][number]
    layers = [factory(), gn.Flatten(), gn.Dense(3)]
    return made(gn.Network(layers, input_shape=shape, loss="SoftmaxCrossEntropy", seed=5))


@cache
def with_other_end(name: str) -> Made:
    return made(OTHER_ENDS[name]())


OTHER_ENDS: dict[str, Callable[[], gn.Network]] = {
    "quadratic": lambda: gn.Network([784, 30, 10], seed=1),
    "one-sigmoid": lambda: gn.Network([gn.Dense(4), gn.Tanh(), gn.Dense(1)], input_shape=(5,), loss="BinaryCrossEntropy"),
    "one-sigmoid-layer": lambda: gn.Network([gn.Dense(1), gn.Sigmoid()], input_shape=(5,), loss="BinaryCrossEntropy"),
    "several-sigmoids": lambda: gn.Network([gn.Dense(3)], input_shape=(5,), loss="BinaryCrossEntropy"),
    "softmax-layer": lambda: gn.Network([gn.Dense(3), gn.Softmax()], input_shape=(5,), loss="SoftmaxCrossEntropy"),
    "softmax-quadratic": lambda: gn.Network([gn.Dense(3), gn.Softmax()], input_shape=(5,), loss="Quadratic"),
    "not-flat": lambda: gn.Network([gn.Conv2D(2, 3)], input_shape=(4, 3, 1), loss="SoftmaxCrossEntropy"),
}


def network_of(recipe: Recipe) -> gn.Network:
    """The untrained network of a recipe, made for images of the size that its data has."""
    data = recipe.data
    if data.is_drawn:
        shape, outputs = (data.size, data.size, 1), len(SETS[data.characters])
    else:
        shape = SHAPES[data.dataset] if data.size is None else (data.size, data.size, SHAPES[data.dataset][-1])
        outputs = OUTPUTS[data.dataset]
    labels = np.arange(outputs) if outputs > 1 else np.zeros((1, 1), dtype=np.float32)
    classes = [str(label) for label in labels] if outputs > 1 else None
    return recipe.make_network(gn.Splits(gn.Dataset(np.zeros((len(labels), *shape), dtype=np.uint8), labels, classes)))


@cache
def of_recipe(name: str) -> Made:
    return made(network_of(gn.load_recipe(name)), 5)


def _gives_probabilities(network: gn.Network) -> bool:
    try:
        operations_of(network)
    except InputError:
        return False
    return True


# Each value is a function () → (network, images): nothing is built before a test asks for it, and then once.
CASES_OF_LAYERS = [
    pytest.param(partial(of_layer, name, number), id=f"{name}-{number}")
    for name, cases in CASES.items()
    for number in range(len(cases))
] + [pytest.param(partial(with_other_end, name), id=name) for name in OTHER_ENDS]


@cache
def networks_of_recipes() -> list[Any]:
    """As CASES_OF_LAYERS, for each different network of the shipped recipes whose outputs are probabilities."""
    found: dict[str, str] = {}
    for recipe in list_recipes():
        network = network_of(recipe)
        if _gives_probabilities(network):
            found.setdefault(repr(network), recipe.name)
    return [pytest.param(partial(of_recipe, name), id=name) for name in found.values()]
