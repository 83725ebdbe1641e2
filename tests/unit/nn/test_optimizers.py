"""Optimizers by hand, and inside training: penalties, weight decay and clipping, compiled and in NumPy."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import pytest

from glassnet.data import load_dataset
from glassnet.errors import InputError
from glassnet.network import Network
from glassnet.nn import GELU, Conv2D, Dense, Flatten, Pixels, Tanh
from glassnet.nn.lookahead import Lookahead
from glassnet.nn.optimizers import OPTIMIZERS, SGD, Adam, AdamW, Muon, Optimizer, RMSprop, ScipyMinimize, as_optimizer
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
    SGD(0.1, rates={"*.bias": 2.0, "dense1.*": 0.5}),
    AdamW(0.01, weight_decay=0.1, rates={"dense1.weight": 0}),
    SGD(0.1, momentum=0.5, lookahead=Lookahead(2, 0.25)),
    Muon(0.1, momentum=0.5, iterations=3, normalize=True, sgd=("dense2.*",), weight_decay=0.1, rates={"*.bias": 0.5}),
    Muon(0.1, momentum=0.5, nesterov=False, iterations=3, weight_decay=0.1, clip_norm=0.05),
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
    optimizers = (SGD(), SGD(momentum=0.001), RMSprop(), Adam(), AdamW(), Muon())
    assert [optimizer.moments for optimizer in optimizers] == [0, 1, 1, 2, 2, 1]


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
    for mine, theirs in zip((*compiled.moments, compiled.slow), (*reference.moments, reference.slow), strict=True):
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
        (lambda: SGD(rates={"*.bias": -1.0}), ["A factor of the learning rate can't be negative.", "SGD(rates)"]),
        (lambda: SGD(rates={"*.bias": "x"}), ["These are not factors of the learning rate.", "SGD(rates)"]),  # type: ignore
        (lambda: Muon(iterations=0), ["The number of iterations must be", "Muon(iterations)"]),
        (lambda: Lookahead(0), ["Lookahead needs a whole number of steps above 0.", "Lookahead(every)"]),
        (lambda: Lookahead(share=1.0), ["The share must lie between 0 and 1.", "Lookahead(share)"]),
        (lambda: as_optimizer({"type": "SGD", "lookahead": {"evry": 2}}, "x"), ["Unknown option", "did you mean 'every'?"]),
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


@pytest.mark.parametrize("option", ["rates", "sgd"])
def test_names_of_no_parameter_are_refused(option: str, blobs: tuple[Array, Array]) -> None:
    optimizer = Muon(0.1, rates={"dense9.*": 2.0}) if option == "rates" else Muon(0.1, sgd=("dense9.*",))
    with pytest.raises(InputError, match="Unknown parameter") as caught:
        network().fit(blobs, 1, optimizer=optimizer, seed=1, progress=False)
    assert f"Muon({option})" in str(caught.value)
    assert "dense1.weight" in str(caught.value)


def test_the_last_pattern_counts() -> None:
    optimizer = SGD(0.1, rates={"*": 2.0, "dense1.*": 3.0, "*.bias": 0})
    assert [optimizer.factor(name) for name in ("dense2.weight", "dense1.weight", "dense1.bias")] == [2.0, 3.0, 0.0]


def test_muon_by_hand() -> None:
    """One column is brought to length 1 by each iteration's polynomial; m: g, then 2·g; the direction never changes."""
    w, m, g = np.zeros((2, 1)), np.zeros((2, 1)), np.array([[3.0], [4.0]])
    length = 3.4445 - 4.7750 + 2.0315
    for number in (1, 2):
        Muon(momentum=0.5, iterations=1).step(w, g, m, np.zeros(0), 1.0, number)
    np.testing.assert_allclose(w, -2 * length * g / 5, rtol=1e-6)  # 1e-7 is added to the norm
    np.testing.assert_allclose(m, 1.5 * g)


def test_muon_brings_weights_to_one_norm() -> None:
    w = np.full((6, 4), 3.0)
    Muon(iterations=1, normalize=True).step(w, np.zeros((6, 4)), np.zeros((6, 4)), np.zeros(0), 0.1, 1)
    assert np.linalg.norm(w) == pytest.approx(2.0)


def test_muon_on_any_number_of_threads_gives_the_same_bits() -> None:
    digits, found = load_dataset("digits"), []
    for threads in (1, 2, 3):
        layers = [Pixels(), Conv2D(24, 3, padding="same"), GELU(), Conv2D(40, 3), Flatten(), Dense(10)]
        net = Network(layers, input_shape=(8, 8, 1), loss="SoftmaxCrossEntropy", seed=1)
        optimizer = Muon(0.05, sgd=("dense1.weight",), normalize=True, clip_norm=0.5, lookahead=Lookahead(2, 0.5))
        net.fit(digits.train[:100], 1, batch_size=25, optimizer=optimizer, seed=1, threads=threads, progress=False)
        found.append(net.parameters)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_training_that_goes_on_has_the_slow_weights(tmp_path: Any) -> None:
    """A checkpoint after 2 of 4 epochs, in the middle of a stretch of Lookahead's steps: the same bits."""
    digits = load_dataset("digits")
    optimizer = Muon(0.05, lookahead=Lookahead(5, 0.5))

    def train(epochs: int, resume: bool) -> Network:
        net = Network([Flatten(), Pixels(), Dense(10)], input_shape=(8, 8, 1), loss="SoftmaxCrossEntropy", seed=1)
        options: dict[str, Any] = {"checkpoint": tmp_path / "state", "resume": resume, "progress": False}
        net.fit(digits.train[:80], epochs, batch_size=20, optimizer=optimizer, seed=1, **options)
        return net

    whole = train(4, resume=False)
    train(2, resume=False)
    np.testing.assert_array_equal(train(4, resume=True).parameters, whole.parameters)
