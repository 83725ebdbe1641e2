"""Optimizers by hand, and inside training: penalties, weight decay and clipping, compiled and in NumPy."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import pytest

from glassnet.errors import InputError
from glassnet.network import Network
from glassnet.nn import Dense, Tanh
from glassnet.nn.optimizers import OPTIMIZERS, SGD, Adam, AdamW, Optimizer, RMSprop, ScipyMinimize, as_optimizer
from glassnet.nn.penalties import L1L2
from glassnet.nn.schedules import Constant
from glassnet.runtime import CompiledTrainer, ReferenceTrainer, StepPlan
from glassnet.support.registry import describe

Array = np.ndarray[Any, Any]
EACH = [
    SGD(0.1),
    SGD(0.1, momentum=0.9),
    SGD(0.1, momentum=0.9, nesterov=True),
    RMSprop(0.01),
    Adam(0.01),
    AdamW(0.01, weight_decay=0.1),
    SGD(0.1, clip_norm=0.05),
    SGD(0.1, momentum=0.5, clip_norm=0.05),
    Adam(0.01, clip_norm=0.05),
]


def steps(optimizer: Optimizer, gradients: list[float], start: float = 1.0, rate: float = 0.5) -> list[float]:
    """The weight after each step."""
    w, first, second, seen = np.array([start]), np.zeros(1), np.zeros(1), []
    for number, g in enumerate(gradients, 1):
        optimizer.step(w, np.array([g]), first, second, rate, number, optimizer.decay)
        seen.append(float(w[0]))
    return seen


def test_sgd() -> None:
    assert steps(SGD(), [1.0, -2.0]) == [0.5, 1.5]


def test_momentum() -> None:
    # v: 1, 0.5·1 + 1 = 1.5, 0.75 + 0 = 0.75
    assert steps(SGD(momentum=0.5), [1.0, 1.0, 0.0]) == [0.5, -0.25, -0.625]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_small_momentum_is_one(dtype: str) -> None:
    """w = 0, x = t = 1, cost ½(w − t)², rate ½, μ = 1/32; g: −1, −½; v: −1, −½ − 1/32."""
    net = Network([Dense(1, use_bias=False)], input_shape=(1,), seed=1, dtype=dtype)
    net.parameters = [0.0]
    net.fit((np.ones((1, 1)), np.ones((1, 1))), 2, optimizer=SGD(0.5, momentum=1 / 32), seed=1)
    assert net.parameters == [0.5 + 0.25 + 1 / 64]


def test_only_the_moments_that_are_used_are_kept() -> None:
    assert [optimizer.moments for optimizer in (SGD(), SGD(momentum=0.001), RMSprop(), Adam(), AdamW())] == [0, 1, 1, 2, 2]


def test_nesterov_looks_ahead() -> None:
    # v: 1, 1.5; step g + μ·v: 1.5, 1.75
    assert steps(SGD(momentum=0.5, nesterov=True), [1.0, 1.0]) == [0.25, -0.625]


def test_rmsprop() -> None:
    # s: 0.75·0 + 0.25·4 = 1, then 0.75 + 0.25·1 = 1
    assert steps(RMSprop(rho=0.75, epsilon=0.0), [2.0, -1.0]) == [0.0, 0.5]


def test_adam_first_step_is_the_rate_whatever_the_gradient() -> None:
    for g in (1e-3, 1.0, -1e3):
        assert steps(Adam(epsilon=0.0), [g]) == pytest.approx([1.0 - np.sign(g) * 0.5])
    m, v = (0.1 * 0.9 + 0.1 * -2) / 0.19, (0.001 * 0.999 + 0.001 * 4) / (1 - 0.999**2)
    assert steps(Adam(epsilon=0.0), [1.0, -2.0])[1] == pytest.approx(0.5 - 0.5 * m / sqrt(v))


def test_adamw_decays_before_the_step() -> None:
    assert steps(AdamW(epsilon=0.0, weight_decay=0.2), [1.0]) == pytest.approx([0.9 - 0.5])


def network(regularizer: Any = None) -> Network:
    return Network([Dense(8), Tanh(), Dense(3)], input_shape=(6,), regularizer=regularizer, seed=4)


@pytest.mark.parametrize("regularizer", [None, L1L2(0.01, 0.1)], ids=["plain", "penalised"])
@pytest.mark.parametrize("optimizer", EACH, ids=repr)
def test_compiled_training_is_the_reference(optimizer: Optimizer, regularizer: Any, blobs: tuple[Array, Array]) -> None:
    net = network(regularizer)
    exact = net.astype("float64")
    weights = np.random.default_rng(1).uniform(0, 2, 90)
    trainers = [
        kind(
            each,
            each.rows(blobs[0]),
            blobs[1],
            StepPlan(batch_size=40, optimizer=optimizer, weights=weights, threads=1),
        )
        for kind, each in ((CompiledTrainer, net), (ReferenceTrainer, exact))
    ]
    order = np.random.default_rng(2).permutation(90)
    for past in (0, 3, 6):
        for trainer in trainers:
            trainer.begin_epoch(order, np.array([0.1, 0.05, 0.02]), np.random.default_rng(1))
            trainer.run(0, 2, past)
            trainer.run(2, 3, past, keep_gradient=True)
    compiled, reference = trainers
    np.testing.assert_allclose(net.flat, exact.flat, rtol=0, atol=5e-6)
    np.testing.assert_allclose(compiled.gradient, reference.gradient, rtol=0, atol=5e-6)
    np.testing.assert_allclose(compiled.losses, reference.losses, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(compiled.classes, reference.classes)
    for mine, theirs in zip(compiled.moments, reference.moments, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=5e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_clipped_steps_have_the_length_of_the_clip(dtype: str, blobs: tuple[Array, Array]) -> None:
    net = network().astype(dtype)
    before = net.parameters
    history = net.fit(blobs, epochs=1, batch_size=90, optimizer=SGD(1.0, clip_norm=0.01), seed=1)
    assert np.linalg.norm(net.parameters - before) == pytest.approx(0.01, rel=1e-3)
    lengths = [norms[0] for norms in history.gradient_norms.values()]
    assert np.linalg.norm(lengths) > 0.01  # the history shows the gradient as it was


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weight_decay_is_for_weights_only(dtype: str) -> None:
    """No image, no gradient: only the decay is left."""
    net = network().astype(dtype)
    net.parameters = np.ones_like(net.parameters)
    weights = np.zeros(4)
    net.fit(
        (np.ones((4, 6)), [0, 1, 2, 0]),
        1,
        batch_size=4,
        optimizer=AdamW(0.5, weight_decay=0.5),
        sample_weight=weights,
        seed=1,
    )
    for slot in net.slots:
        part = net.flat[slot.offset : slot.offset + slot.size]
        np.testing.assert_allclose(part, 0.75 if slot.key == "weight" else 1.0, rtol=1e-6)


@pytest.mark.parametrize("name", [*OPTIMIZERS, "ScipyMinimize"])
def test_described_and_made_again(name: str) -> None:
    optimizer = as_optimizer(name, "here")
    assert as_optimizer(describe(optimizer), "here") == optimizer
    assert as_optimizer(optimizer, "here") is optimizer


def test_numbers_become_schedules() -> None:
    assert SGD(3).learning_rate == SGD(np.float32(3)).learning_rate == Constant(3.0)
    assert (
        as_optimizer({"type": "sgd", "learning_rate": {"type": "CosineDecay", "learning_rate": 2.0}}, "here").schedule.rate(
            0, 9
        )
        == 2
    )


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (lambda: SGD(0), ["The learning rate must be positive.", "SGD(learning_rate)", "a number above 0"]),
        (lambda: Adam(-1.0), ["The learning rate must be positive.", "Adam(learning_rate)", "-1.0"]),
        (lambda: SGD(True), ["SGD(learning_rate)", "True"]),
        (lambda: SGD(momentum=1.0), ["momentum must lie in [0, 1).", "SGD(momentum)"]),
        (lambda: Adam(beta2=-0.1), ["beta2 must lie in [0, 1).", "Adam(beta2)"]),
        (lambda: SGD(clip_norm=-1), ["The clipping norm can't be negative.", "SGD(clip_norm)"]),
        (lambda: RMSprop(epsilon=-1e-7), ["epsilon can't be negative.", "RMSprop(epsilon)", "at least 0"]),
        (lambda: AdamW(weight_decay=float("nan")), ["The weight decay can't be negative.", "AdamW(weight_decay)", "nan"]),
        (lambda: ScipyMinimize("L-BFGS"), ["Unknown method with gradients.", "did you mean 'L-BFGS-B'?"]),
        (lambda: as_optimizer("Adm", "fit(optimizer)"), ["Unknown optimizer.", "fit(optimizer)", "did you mean 'Adam'?"]),
        (lambda: as_optimizer({"type": "SGD", "momentun": 1}, "x"), ["Unknown option of SGD.", "did you mean 'momentum'?"]),
        (lambda: as_optimizer({"type": "ScipyMinimize", "metod": 1}, "x"), ["Unknown option", "did you mean 'method'?"]),
    ],
)
def test_wrong_input_is_refused(make: Any, parts: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        make()
    for part in parts:
        assert part in str(caught.value)
