"""Soft targets: what they are, and training on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.experiment.sections import DistillationSection
from glassnet.experiment.soft_targets import mixed_targets, soft_targets

Array = np.ndarray[Any, Any]


class Fixed:
    """A teacher whose probabilities are known."""

    classes, input_shape = ("a", "b", "c"), (2,)

    def __init__(self, *rows: list[float]) -> None:
        self._rows = np.array(rows)

    def predict_proba(self, images: Array) -> Array:
        return self._rows[: len(images)]


def pixels(images: int) -> gn.Dataset:
    return gn.Dataset(np.ones((images, 2), dtype=np.float32), np.arange(images) % 3, classes=("a", "b", "c"))


@pytest.mark.parametrize(
    ("temperature", "weight", "wanted"),
    [
        (1.0, 1.0, [0.49, 0.125, 0.385]),  # the mean of the two
        (
            2.0,
            1.0,
            [(8 / 15 + 2 / 5) / 2, (1 / 15 + 1 / 5) / 2, (6 / 15 + 2 / 5) / 2],
        ),  # the mean of their square roots' shares
        (1.0, 0.8, [0.2 + 0.8 * 0.49, 0.8 * 0.125, 0.8 * 0.385]),
    ],
)
def test_targets_worked_by_hand(temperature: float, weight: float, wanted: list[float]) -> None:
    first = [64 / 101, 1 / 101, 36 / 101]  # square roots 8 : 1 : 6
    second = [4 / 9, 1 / 9, 4 / 9]  # 2 : 1 : 2
    if temperature == 1:
        first, second = [0.58, 0.05, 0.37], [0.4, 0.2, 0.4]
    teachers: Any = [Fixed(first), Fixed(second)]
    found = mixed_targets(teachers, pixels(1), gn.SoftmaxCrossEntropy(), 3, temperature, weight)
    assert np.allclose(found, [wanted], rtol=0, atol=1e-15)


def test_a_temperature_divides_the_logits(blobs: tuple[Array, Array]) -> None:
    x, labels = blobs
    net = gn.Network([gn.Dense(3)], input_shape=(6,), loss="SoftmaxCrossEntropy", seed=1, dtype="float64")
    found = mixed_targets([net], gn.Dataset(x, labels), net.loss, 3, 4.0, 1.0)
    powers = np.exp(net(x) / 4)
    assert np.allclose(found, powers / powers.sum(axis=1, keepdims=True), rtol=1e-12)


def test_label_smoothing_is_that_of_the_loss() -> None:
    teachers: Any = [Fixed([1.0, 0.0, 0.0])]
    found = mixed_targets(teachers, pixels(1), gn.SoftmaxCrossEntropy(label_smoothing=0.3), 3, 1.0, 0.5)
    assert np.allclose(found, [[0.5 + 0.5 * 0.8, 0.05, 0.05]])


def test_one_output_has_the_probability_of_class_1() -> None:
    teachers: Any = [Fixed([0.25, 0.75], [0.5, 0.5])]
    found = mixed_targets(teachers, pixels(2), gn.BinaryCrossEntropy(), 1, 1.0, 0.5)
    assert np.allclose(found, [[0.375], [0.75]])


# ------------------------------------------------------------------ training on them


def network(dtype: str = "float32", loss: str = "SoftmaxCrossEntropy") -> gn.Network:
    layers = [gn.Dense(12), gn.ReLU(), gn.Dense(3)]
    return gn.Network(layers, input_shape=(6,), loss=loss, seed=1, dtype=dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", [gn.SGD(0.1), gn.ScipyMinimize()])
def test_one_hot_targets_are_the_labels(blobs: tuple[Array, Array], dtype: str, optimizer: Any) -> None:
    one_hot = np.eye(3)[blobs[1]]
    nets = [network(dtype), network(dtype)]
    histories = [
        net.fit(blobs, 4, batch_size=8, optimizer=optimizer, validation=blobs, seed=3, soft_targets=targets, progress=False)
        for net, targets in zip(nets, (None, one_hot), strict=True)
    ]
    assert np.array_equal(nets[0].parameters, nets[1].parameters)
    for name in ("train_cost", "train_accuracy", "validation_cost", "validation_accuracy"):
        assert getattr(histories[0], name) == getattr(histories[1], name)


def test_kernels_agree_with_the_definition(blobs: tuple[Array, Array]) -> None:
    soft = np.random.default_rng(0).dirichlet(np.ones(3), len(blobs[0]))
    nets = [network(dtype) for dtype in ("float32", "float64")]
    nets[1].parameters = nets[0].parameters.astype(np.float64)
    costs = [
        net.fit(blobs, 3, batch_size=8, optimizer=gn.SGD(0.1), seed=3, soft_targets=soft, progress=False).train_cost
        for net in nets
    ]
    assert np.allclose(*costs, rtol=1e-5)
    assert np.allclose(nets[0].parameters, nets[1].parameters, rtol=0, atol=1e-5)


def test_the_gradient_of_soft_targets(blobs: tuple[Array, Array], central_differences: Any, relative_error: Any) -> None:
    net, (x, labels) = network("float64"), blobs
    soft = np.random.default_rng(0).dirichlet(np.ones(3), len(x))
    gradient = net.losses_and_gradient(x.astype(np.float64), soft)[2]

    def loss() -> float:
        return float(net.losses_and_gradient(x.astype(np.float64), soft)[0].mean())

    assert relative_error(gradient, central_differences(loss, net.flat)) < 1e-7
    before = net.flat.copy()  # and a step of training on them goes along it, not along that of the labels
    net.fit(blobs, 1, batch_size=len(x), optimizer=gn.SGD(0.5), seed=0, soft_targets=soft, progress=False)
    assert relative_error(net.flat - before, -0.5 * gradient) < 1e-7
    assert labels.ndim == 1


def test_accuracy_is_that_of_the_labels(blobs: tuple[Array, Array]) -> None:
    x, labels = blobs
    net = network()
    wrong = np.eye(3)[(labels + 1) % 3]
    history = net.fit((x, labels), 30, optimizer=gn.Adam(0.02), validation=blobs, seed=1, soft_targets=wrong, progress=False)
    assert history.train_accuracy[-1] < 0.2
    assert history.validation_accuracy[-1] < 0.2
    assert net.evaluate((x, (labels + 1) % 3)).accuracy > 0.8


@pytest.mark.parametrize(
    "wrong", [np.zeros((90, 2)), np.zeros((89, 3)), np.zeros(90), np.full((90, 3), np.nan), np.zeros((90, 3), dtype=int)]
)
def test_targets_that_do_not_fit(blobs: tuple[Array, Array], wrong: Array) -> None:
    net = network()
    with pytest.raises(gn.InputError, match="one row of numbers for each training image") as caught:
        net.fit(blobs, 1, soft_targets=wrong, progress=False)
    assert caught.value.where == "fit(soft_targets)"
    assert caught.value.expected == "floating numbers (90, 3), all finite"
    assert caught.value.received == f"{wrong.dtype} {wrong.shape}"


# ------------------------------------------------------------------ recipes with teachers


def test_teachers_that_have_changed_or_gone(tmp_path: Path) -> None:
    run = gn.train("digits", epochs=1, out=tmp_path / "a", settings={"snapshots": 0}, progress=False)
    student = run.recipe.make_network(run.splits)
    known = {str(run.folder): run.fingerprint}
    found = soft_targets(DistillationSection(teachers=known, temperature=1.0, weight=1.0), student, run.splits.train)
    assert np.allclose(found, run.network.predict_proba(run.splits.train.images))
    for folder, fingerprint, message in (
        (run.folder, "0" * 16, "was trained anew since"),
        (tmp_path / "b", run.fingerprint, "is not there any more"),
    ):
        recipe = run.recipe.changed({"distillation.teachers": {str(folder): fingerprint}})
        with pytest.raises(gn.RunError, match=message) as caught:
            gn.train(recipe, out=tmp_path / "c", progress=False)
        assert caught.value.where == folder / "model.safetensors"
        assert not (tmp_path / "c").exists()


def test_a_student_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    class Interrupt(gn.Callback):
        def on_epoch_end(self, progress: Any, epoch: Any) -> None:
            if epoch.epoch == 2:
                raise KeyboardInterrupt

    teacher = gn.train("digits", epochs=2, out=tmp_path / "a", settings={"snapshots": 0}, progress=False)
    settings = {"distillation.teachers": {str(teacher.folder): teacher.fingerprint}, "temperature": 3.0, "weight": 0.7}
    recipe = gn.load_recipe("digits").changed({"training.epochs": 4, "snapshots": 0, "layers": [64, 10], **settings})
    assert recipe.expect == ""  # it was of a training on the labels
    whole = gn.train(recipe, out=tmp_path / "b", progress=False)
    with pytest.raises(KeyboardInterrupt):
        gn.train(recipe, out=tmp_path / "c", callbacks=Interrupt(), progress=False)
    assert gn.load_recipe(tmp_path / "c" / "recipe.toml") == recipe
    resumed = gn.train(gn.load_recipe(tmp_path / "c" / "recipe.toml"), out=tmp_path / "c", resume=True, progress=False)
    assert resumed.fingerprint == whole.fingerprint
    assert whole.fingerprint != gn.train(recipe.changed({"temperature": 1.0}), out=tmp_path / "d", progress=False).fingerprint
