"""Muon's compiled step of a matrix against the definition in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from glassnet.network import Network
from glassnet.nn import Conv2D, Dense, Flatten
from glassnet.nn.optimizers import Muon
from glassnet.runtime import CompiledTrainer, ReferenceTrainer, StepPlan
from tests.rounding import gamma

SHAPES = [(1, 1), (3, 3, 1, 20), (2, 2, 3, 5), (5, 5, 8, 16), (3, 3, 33, 70), (3, 3, 30, 300)]  # tall and wide, odd, over 256


@pytest.mark.parametrize("iterations", [1, 5])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_step_is_the_definition(shape: tuple[int, ...], iterations: int) -> None:
    """How far the iteration may be off: its products sum up to `tall` and `wide` terms of size 1 together, each X is then
    multiplied by a polynomial whose derivative is at most that at zero, 3.4445."""
    height, width, channels, filters = (1, 1, *shape)[-4:]
    layers = [Conv2D(filters, (height, width), use_bias=False), Flatten(), Dense(2)]
    image = (height, width, channels)
    net = Network(layers, input_shape=image, loss="SoftmaxCrossEntropy", seed=1)
    exact = net.astype("float64")
    images = np.random.default_rng(1).standard_normal((12, *image)).astype(np.float32)
    labels, optimizer = np.arange(12) % 2, Muon(0.1, momentum=0.5, iterations=iterations, sgd=("dense1.*",))
    plan = StepPlan(batch_size=12, optimizer=optimizer, threads=2)
    trainers = [
        kind(each, each.rows(images), labels, plan) for kind, each in ((CompiledTrainer, net), (ReferenceTrainer, exact))
    ]
    before = net.layers[0].weight.copy()
    exact.layers[0].weight = before
    for trainer in trainers:
        trainer.begin_epoch(np.arange(12), np.array([0.1]), np.random.default_rng(1))
        trainer.run(0, 1, 0)
        trainer.close()
    slot = net.slots[0]
    g, wanted = (slot.part(trainer.gradient).astype(np.float64) for trainer in trainers)
    rows = int(np.prod(shape[:-1]))
    tall, wide = max(rows, filters), min(rows, filters)
    of_gradient = float(np.linalg.norm(g - wanted) / np.linalg.norm(wanted))  # the step is of g / ‖g‖
    bound = of_gradient + gamma(tall + 2 * wide + 10) * np.sqrt(wide)
    bound *= sum(3.4445**number for number in range(iterations + 1))
    moved, by = net.layers[0].weight - before, exact.layers[0].weight - before
    rounded = gamma(2) * np.linalg.norm(before)
    assert np.linalg.norm(moved - by) <= 0.1 * bound + rounded
    assert np.linalg.norm(by) > 1e-3
    moment: Any = slot.part(trainers[0].moments[0])
    np.testing.assert_array_equal(moment, slot.part(trainers[0].gradient))
