"""Augmentation in step with training: the same bits whatever the threads and however often it is cut off; recipes."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.errors import InputError, ModelFileError, RecipeError, ShapeError
from glassnet.nn import Layer
from glassnet.training import Callback, Epoch
from glassnet.training.callbacks import Progress

Array = np.ndarray[Any, Any]
ALL = {
    "shift": 1.5, "rotation": 20, "scale": 0.15, "stretch": 0.1, "shear": 10, "elastic": 0.8, "flip": True, "crop": 1,
    "brightness": 0.1, "contrast": 0.3, "erase": 0.4,
}  # fmt: skip
RECIPE = """
[data]
dataset = "digits"

[network]
layers = ["Flatten", "Pixels", { type = "Dense", units = 24 }, "ReLU", { type = "Dropout", rate = 0.1 },
    { type = "Dense", units = 10 }]
loss = "SoftmaxCrossEntropy"

[training]
epochs = 60
batch_size = 50
optimizer = { type = "Adam", learning_rate = 0.002 }
plain_epochs = 10

[training.augmentation]
shift = 1
rotation = 10
elastic = 0.5
erase = 0.1
erase_size = [0.02, 0.1]
"""


@pytest.fixture(scope="module")
def images() -> gn.Dataset:
    """230 images of 12×10 in bytes: the last mini-batch of 50 is a small one."""
    rng = np.random.default_rng(3)
    patterns, labels = rng.integers(0, 256, (4, 12, 10, 1)), np.arange(230) % 4
    return gn.Dataset((patterns[labels] // 2 + rng.integers(0, 128, (230, 12, 10, 1))).astype(np.uint8), labels)


def head(name: str) -> list[Layer]:
    return {
        "pixels": [gn.Flatten(), gn.Pixels()],
        "twice": [gn.Pixels(), gn.Flatten(), gn.Pixels()],
        "scale": [gn.Flatten(), gn.Scale(1 / 255)],
        "scaled twice": [gn.Pixels(), gn.Scale(2.0), gn.Flatten()],
        "centred": [gn.Flatten(), gn.Scale(1 / 255, -0.5)],
        "standardized": [gn.Flatten(), gn.Standardize()],
        "activated": [gn.Flatten(), gn.Pixels(), gn.Tanh()],
        "nothing": [gn.Flatten()],
    }[name]


def trained(data: gn.Dataset, first: str = "pixels", dtype: str = "float32", **options: Any) -> tuple[Array, gn.History]:
    layers = [*head(first), gn.Dense(16), gn.ReLU(), gn.Dropout(0.2), gn.Dense(4)]
    network = gn.Network(layers, input_shape=data.shape, loss=gn.SoftmaxCrossEntropy(), seed=1, dtype=dtype)
    rate = 1e-4 if first == "nothing" and data.images.dtype == np.uint8 else 0.1
    options = {"epochs": 3, "augmentation": ALL, **options}
    history = network.fit(data, batch_size=50, optimizer=gn.SGD(rate, momentum=0.5), seed=5, **options)
    return network.parameters, history


@pytest.mark.parametrize("is_bytes", [True, False])
@pytest.mark.parametrize(
    "first", ["pixels", "twice", "scale", "scaled twice", "centred", "standardized", "activated", "nothing"]
)
def test_kernels_and_numpy_train_alike(
    first: str, is_bytes: bool, images: gn.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same random numbers, and every head of a network sees the scale that it sees without augmentation."""
    data = images if is_bytes else gn.Dataset(images.images.astype(np.float32) / 255, images.labels)
    found, history = trained(data, first, plain_epochs=1)
    monkeypatch.setenv("GLASSNET_KERNELS", "0")
    for dtype in ("float32", "float64"):
        wanted, exact = trained(data, first, dtype, plain_epochs=1)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-5 * np.abs(wanted).max())
        np.testing.assert_allclose(history.train_cost, exact.train_cost, rtol=1e-5)
    unchanged, _ = trained(data, first, augmentation=None)
    assert np.abs(found - unchanged).max() > 1e-3 * np.abs(wanted).max()


@pytest.mark.parametrize("first", ["pixels", "centred"])
def test_threads_change_no_bit(first: str, images: gn.Dataset) -> None:
    one, history = trained(images, first, threads=1, plain_epochs=1)
    for threads in (2, 3, 5):
        other, also = trained(images, first, threads=threads, plain_epochs=1)
        np.testing.assert_array_equal(one, other)
        assert history.train_cost == also.train_cost


@pytest.mark.parametrize("kernels", ["0", "1"])
@pytest.mark.parametrize("is_bytes", [True, False])
def test_plain_epochs_are_those_of_training_without(
    kernels: str, is_bytes: bool, images: gn.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLASSNET_KERNELS", kernels)
    data = images if is_bytes else gn.Dataset(images.images.astype(np.float32) / 255, images.labels)
    plain, history = trained(data, augmentation=None)
    for count in (3, 7):  # all of them, or more than there are
        found, also = trained(data, plain_epochs=count)
        np.testing.assert_array_equal(found, plain)
        assert history.train_cost == also.train_cost
    for changed in ({}, {"shift": 0}, gn.Augmentation(fill="edge")):
        np.testing.assert_array_equal(trained(data, augmentation=changed)[0], plain)


def test_plain_epochs_are_the_last(images: gn.Dataset) -> None:
    """Weights after each epoch: those before the plain ones are those of a training that is augmented throughout."""

    class Watch(Callback):
        def __init__(self) -> None:
            self.weights: list[Array] = []

        def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
            self.weights.append(progress.network.parameters)

    seen = {count: Watch() for count in (0, 1, 2)}
    for count, watch in seen.items():
        trained(images, epochs=4, plain_epochs=count, callbacks=[watch])
    for count in (1, 2):
        same = [np.array_equal(*pair) for pair in zip(seen[0].weights, seen[count].weights, strict=True)]
        assert same == [True] * (4 - count) + [False] * count


def test_every_step_and_every_epoch_draws_anew() -> None:
    """One image over and over, moved about: the mean over all steps of what a linear unit sees is a blur, not one place."""
    image = np.zeros((1, 9, 9, 1), np.float32)
    image[0, 4, 4] = 1.0
    data = gn.Dataset(np.repeat(image, 40, axis=0), np.zeros((40, 1)) - 1)
    network = gn.Network([gn.Flatten(), gn.Dense(1, use_bias=False)], input_shape=(9, 9, 1), seed=1)
    network.parameters = np.zeros(81)
    network.fit(data, 5, batch_size=8, optimizer=gn.SGD(1e-6), augmentation={"crop": 1}, seed=2)
    hits = network.parameters.reshape(9, 9) / -1e-6 * 8  # w ← w − η·(0 + 1)·x / 8 in each of 25 steps
    counts = np.rint(hits).astype(int)
    np.testing.assert_allclose(hits, counts, atol=0.01)
    assert counts.sum() == 200
    assert counts[3:6, 3:6].sum() == 200
    assert counts[3:6, 3:6].min() > 8  # 22 ± 4½
    assert counts.max() < 40


@pytest.mark.parametrize("kernels", ["0", "1"])
def test_resumed_training_gives_the_same_bits(
    kernels: str, images: gn.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLASSNET_KERNELS", kernels)

    class Stop(Callback):
        def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
            if epoch.epoch == 2:
                raise KeyboardInterrupt

    whole, _ = trained(images, epochs=4, plain_epochs=1)
    file = tmp_path / "state.safetensors"
    with pytest.raises(KeyboardInterrupt):
        trained(images, epochs=4, plain_epochs=1, checkpoint=file, callbacks=[Stop()])
    found, history = trained(images, epochs=4, plain_epochs=1, checkpoint=file, resume=True)
    assert len(history) == 4
    np.testing.assert_array_equal(found, whole)


def test_another_augmentations_checkpoint_is_refused(images: gn.Dataset, tmp_path: Path) -> None:
    file = tmp_path / "state.safetensors"
    trained(images, epochs=1, checkpoint=file)
    for options in ({"augmentation": None}, {"augmentation": {**ALL, "shift": 2}}, {"plain_epochs": 2}):
        with pytest.raises(ModelFileError, match="belongs to another training") as caught:
            trained(images, checkpoint=file, resume=True, **options)
        assert str(caught.value.where).endswith(", plain_epochs" if "plain_epochs" in options else ", augmentation")


@pytest.mark.parametrize(("planned", "stop", "epochs", "allowed"), [(4, 2, 6, True), (4, 3, 6, False), (6, 4, 5, False)])
def test_plain_epochs_are_the_last_of_a_training_that_becomes_longer(
    planned: int, stop: int, epochs: int, allowed: bool, images: gn.Dataset, tmp_path: Path
) -> None:
    class Stop(Callback):
        def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
            if epoch.epoch == stop:
                raise KeyboardInterrupt

    file, options = tmp_path / "state.safetensors", {"plain_epochs": 2}
    with pytest.raises(KeyboardInterrupt):
        trained(images, epochs=planned, checkpoint=file, callbacks=[Stop()], **options)
    if allowed:
        found, _ = trained(images, epochs=epochs, checkpoint=file, resume=True, **options)
        np.testing.assert_array_equal(found, trained(images, epochs=epochs, **options)[0])
        return
    with pytest.raises(ModelFileError, match="The last epochs, without augmentation, have begun") as caught:
        trained(images, epochs=epochs, checkpoint=file, resume=True, **options)
    assert (caught.value.expected, caught.value.received) == (planned, epochs)


# Wrong input


def test_rows_of_numbers_can_not_be_augmented(images: gn.Dataset) -> None:
    flat = gn.Dataset(images.flat, images.labels)
    network = gn.Network([120, 4], seed=1)
    with pytest.raises(ShapeError, match="needs the height and width") as caught:
        network.fit(flat, 1, augmentation={"shift": 1})
    assert (caught.value.where, caught.value.received) == ("fit(augmentation)", "rows of 120 numbers")
    shaped = gn.Network([gn.Flatten(), gn.Pixels(), gn.Dense(4)], input_shape=(12, 10, 1), seed=1)
    shaped.fit(flat, 1, augmentation={"shift": 1})  # the network knows


@pytest.mark.parametrize("value", [-1, 1.5, True, "2", None])
def test_plain_epochs_are_a_whole_number(value: Any, images: gn.Dataset) -> None:
    with pytest.raises(InputError, match="plain_epochs must be a whole number") as caught:
        trained(images, plain_epochs=value)
    assert (caught.value.where, caught.value.expected) == ("fit(plain_epochs)", "0 or more")


def test_scipy_needs_the_same_images(images: gn.Dataset) -> None:
    with pytest.raises(InputError, match="ScipyMinimize needs the same images in every step"):
        gn.Network([120, 4], seed=1).fit(images, 1, optimizer=gn.ScipyMinimize(), augmentation={"shift": 1})


# Recipes


def written(folder: Path, text: str = RECIPE) -> Path:
    path = folder / "augmented.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_recipe_round_trip(tmp_path: Path) -> None:
    recipe = gn.load_recipe(written(tmp_path))
    assert recipe.make_augmentation() == gn.Augmentation(shift=1, rotation=10, elastic=0.5, erase=0.1, erase_size=(0.02, 0.1))
    assert recipe.training.plain_epochs == 10
    (tmp_path / "again.toml").write_text(recipe.to_toml(), encoding="utf-8")
    again = gn.load_recipe(tmp_path / "again.toml")
    assert again.model_dump(exclude={"name"}) == recipe.model_dump(exclude={"name"})
    changed = recipe.changed({"augmentation": {"flip": "both"}, "plain_epochs": 0, "expand_shifts": 1})
    assert changed.make_augmentation() == gn.Augmentation(flip="both")
    assert gn.load_recipe("digits").make_augmentation() is None


@pytest.mark.parametrize(
    ("old", "new", "what", "where"),
    [
        ("rotation = 10", "rotation = 'much'", "Invalid rotation in Augmentation.", "Augmentation(rotation)"),
        ("rotation = 10", "rotaton = 10", "Unknown option of Augmentation.", "training.augmentation"),
        ("plain_epochs = 10", "plain_epochs = -1", "A value of the recipe is wrong.", "training.plain_epochs"),
        ("plain_epochs = 10", "expand_shifts = 0.5", "A value of the recipe is wrong.", "training.expand_shifts"),
        ("plain_epochs = 10", "augmentation = 3", "The recipe is not valid TOML.", ""),
    ],
)
def test_wrong_options_in_a_recipe(tmp_path: Path, old: str, new: str, what: str, where: str) -> None:
    with pytest.raises(RecipeError) as caught:
        gn.load_recipe(written(tmp_path, RECIPE.replace(old, new)))
    assert caught.value.what == what
    assert str(caught.value.where).endswith(where)
    assert str(tmp_path) in str(caught.value.where) or "augmented" in str(caught.value.where)


def test_expanded_training_set(tmp_path: Path) -> None:
    steps = []

    class Count(Callback):
        def on_train_begin(self, progress: Progress) -> None:
            steps.append(progress.steps_per_epoch)

    runs = {
        shifts: gn.train(
            "digits", epochs=1, out=tmp_path / str(shifts), settings={"expand_shifts": shifts}, callbacks=[Count()]
        )
        for shifts in (0, 1)
    }
    size, batch = len(runs[0].splits.train), runs[0].recipe.training.batch_size
    assert steps == [-(-size // batch), -(-5 * size // batch)]
    assert len(runs[1].splits.train) == size  # the data are what they were
    assert "expand_shifts = 1" in (tmp_path / "1" / "recipe.toml").read_text(encoding="utf-8")


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_killed_twice_and_the_same_bits(tmp_path: Path, start: Any) -> None:
    recipe = written(tmp_path)
    gn.train(recipe, out=tmp_path / "whole", threads=2)
    folder, kills = tmp_path / "killed", 0
    for epochs in (3, 20, 1000):
        begun = (folder / "recipe.toml").exists()
        child = start(["train", "--resume", str(folder)] if begun else ["train", str(recipe), "--out", str(folder)])
        if epochs < 1000:
            child.wait_for_epochs(epochs)
            kills += child.kill()
        else:
            assert child.end() == 0, child.err
    assert kills == 2, signal.SIGKILL
    assert (folder / "model.safetensors").read_bytes() == (tmp_path / "whole" / "model.safetensors").read_bytes()


@pytest.mark.parametrize("kernels", ["0", "1"])
def test_every_epoch_changes_an_image_anew(kernels: str, images: gn.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a rate so small that no weight changes, the cost of one image differs only by what was done to it."""
    monkeypatch.setenv("GLASSNET_KERNELS", kernels)
    network = gn.Network([gn.Flatten(), gn.Pixels(), gn.Dense(4)], input_shape=(12, 10, 1), seed=1)
    history = network.fit(images[:1], 5, optimizer=gn.SGD(1e-12), augmentation={"shift": 2}, seed=5)
    assert len(set(history.train_cost)) == 5
