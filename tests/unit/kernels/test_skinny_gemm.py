"""Wide images with few outputs take kernels of their own: the same sums, whatever the shape, the type and the threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.kernels import opcodes as op
from glassnet.runtime import CompiledTrainer, StepPlan

RATE = 0.1


@pytest.mark.parametrize("is_bytes", [True, False])
@pytest.mark.parametrize(
    ("count", "inputs", "outputs"), [(64, 4096, 20), (65, 5003, 3), (101, 4097, 24), (300, 4100, 7), (129, 4111, 1)]
)
def test_step_agrees_with_the_reference(count: int, inputs: int, outputs: int, is_bytes: bool) -> None:
    rng = np.random.default_rng(inputs)
    images: Any = rng.integers(0, 256, (count, inputs), dtype=np.uint8)
    images = images if is_bytes else (images / 255).astype(np.float32)
    labels = np.arange(count) % 3
    layers = [gn.Flatten(), gn.Pixels(), gn.Dense(outputs), gn.ReLU(), gn.Dense(3)]
    net = gn.Network(layers, loss=gn.SoftmaxCrossEntropy(), input_shape=(inputs,), seed=0)
    start = net.parameters
    cost, gradient = net.loss_and_gradient(images, labels)
    found = []
    for threads in (1, 2, 3):
        trainer = CompiledTrainer(
            net, net.rows(images), labels, StepPlan(batch_size=count, optimizer=gn.SGD(RATE), threads=threads)
        )
        assert op.DENSE_SKINNY in trainer._executor.program.code[:, 0]
        trainer.begin_epoch(np.arange(count), np.full(1, RATE), rng)
        trainer.run(0, 1, 0, keep_gradient=True)
        net.parameters = start
        trainer.run(0, 1, 0)  # straight into the weights
        np.testing.assert_allclose(net.parameters, start - RATE * gradient, atol=2e-7)
        net.parameters = start
        assert abs(trainer.losses.mean() - cost) < 1e-6
        found.append(trainer.gradient.copy())
    assert np.linalg.norm(found[0] - gradient) < 1e-6 * np.linalg.norm(gradient)
    assert all((other == found[0]).all() for other in found[1:])
