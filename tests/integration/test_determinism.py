"""The same recipe and seed give the same bits, whatever the number of threads."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.runtime import Executor

RECIPE = """
[data]
dataset = "mnist"

[network]
layers = [
    "Flatten", "Pixels",
    { type = "Dense", units = 300, initializer = "HeNormal" }, "ReLU", { type = "Dropout", rate = 0.2 },
    { type = "Dense", units = 77, initializer = "HeNormal" }, "GELU",
    { type = "Dense", units = 10 },
]
loss = { type = "SoftmaxCrossEntropy", label_smoothing = 0.1 }
regularizer = { type = "L2", rate = 1e-4 }

[training]
epochs = 3
batch_size = 100
optimizer = { type = "Adam", learning_rate = 0.001, clip_norm = 1.0 }
"""

PICTURES = """
[data]
dataset = "mnist"

[network]
architecture = {architecture}
loss = "SoftmaxCrossEntropy"

[training]
epochs = 2
batch_size = 50
average = 0.9
optimizer = {optimizer}
"""
ARCHITECTURES = {
    "normalised and pooled": '{ type = "vgg", blocks = [[5, 7], [17]] }',
    "residual": '{ type = "resnet", filters = [4, 8], blocks = [1, 1] }',
    "recurrent": '{ type = "row_rnn", units = [20, 9], cell = "LSTM" }',
}


def model(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


@pytest.mark.parametrize("recipe", ["digits", "chain"])
def test_the_same_recipe_and_seed_twice(tmp_path: Path, recipe: str) -> None:
    for name in ("a", "b"):
        gn.train(recipe, epochs=5, seed=3, out=tmp_path / name)
    assert model(tmp_path / "a") == model(tmp_path / "b")
    assert (tmp_path / "a" / "recipe.toml").read_bytes() == (tmp_path / "b" / "recipe.toml").read_bytes()


def test_another_seed_gives_other_weights(tmp_path: Path) -> None:
    for seed in (1, 2):
        gn.train("digits", epochs=1, seed=seed, out=tmp_path / str(seed))
    assert model(tmp_path / "1") != model(tmp_path / "2")


def test_global_chance_has_no_part_in_it(tmp_path: Path) -> None:
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002  (what must not matter)
        gn.train("digits", epochs=2, seed=3, out=tmp_path / str(seed))
    assert model(tmp_path / "1") == model(tmp_path / "2")


@pytest.mark.parametrize("processes", [2])
def test_the_same_bits_from_processes_of_their_own(tmp_path: Path, start: Any, processes: int) -> None:
    children = [
        start(["train", "digits", "--epochs", "5", "--out", str(tmp_path / str(number))], PYTHONHASHSEED=str(number))
        for number in range(processes)
    ]
    for child in children:
        assert child.end() == 0, child.err
    gn.train("digits", epochs=5, out=tmp_path / "here")
    for number in range(processes):
        assert model(tmp_path / str(number)) == model(tmp_path / "here")


@pytest.mark.parametrize("others", [(1, 2), (2, 3), (1, 8)])
def test_the_number_of_threads_changes_no_bit(
    tmp_path: Path, idx_folder: Path, monkeypatch: pytest.MonkeyPatch, others: tuple[int, int]
) -> None:
    used: list[int] = []
    begin = Executor.__init__

    def note(self: Executor, stack: Any, program: Any, threads: int, **options: Any) -> None:
        used.append(threads)
        begin(self, stack, program, threads, **options)

    monkeypatch.setattr(Executor, "__init__", note)
    (tmp_path / "wide.toml").write_text(RECIPE, encoding="utf-8")
    histories = []
    for threads in others:
        used.clear()
        run = gn.train(tmp_path / "wide.toml", data=idx_folder, threads=threads, out=tmp_path / str(threads))
        assert max(used) == threads
        assert used.count(threads) > 1  # training and validation; looks are too short for many
        histories.append([(epoch.train_cost, epoch.validation_cost, epoch.gradient_norms) for epoch in run.history.epochs])
    assert model(tmp_path / str(others[0])) == model(tmp_path / str(others[1]))
    assert histories[0] == histories[1]
    assert run.history.validation_accuracy[-1] > 0.5  # it did learn something


@pytest.mark.parametrize("optimizer", ["SGD", "AdamW"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_number_of_threads_changes_no_bit_of_networks_of_images(
    tmp_path: Path, idx_folder: Path, architecture: str, optimizer: str
) -> None:
    """Weights, their average, and running statistics; costs of training and of validation."""
    chosen = f'{{ type = "{optimizer}", learning_rate = 0.01 }}'
    recipe = tmp_path / "images.toml"
    recipe.write_text(PICTURES.format(architecture=ARCHITECTURES[architecture], optimizer=chosen), encoding="utf-8")
    histories = []
    for threads in (1, 2, 3):
        run = gn.train(recipe, data=idx_folder, threads=threads, out=tmp_path / str(threads))
        histories.append([(epoch.train_cost, epoch.validation_cost, epoch.gradient_norms) for epoch in run.history.epochs])
    for threads in (2, 3):
        assert model(tmp_path / str(threads)) == model(tmp_path / "1")
    assert histories[0] == histories[1] == histories[2]
    assert run.history.train_cost[-1] < run.history.train_cost[0]  # it did learn something


def test_glassnet_threads_sets_the_most(monkeypatch: pytest.MonkeyPatch) -> None:
    from glassnet.runtime import thread_count

    monkeypatch.setenv("GLASSNET_THREADS", "1")
    assert thread_count(None, 1e12) == 1
    assert thread_count(3, 1.0) == 3  # what is asked for goes first
    monkeypatch.setenv("GLASSNET_THREADS", "6")
    assert thread_count(None, 1e12) == 6
    assert thread_count(None, 1.0) == 1


def test_prediction_from_many_threads_at_once() -> None:
    """A server asks one network from several threads; each gets its own answers."""
    rng = np.random.default_rng(0)
    network = gn.Network([64, 40, 10], seed=1)
    images = [rng.integers(0, 256, (count, 8, 8, 1), dtype=np.uint8) for count in (1, 7, 300, 1500)]
    wanted = [network.predict_proba(some) for some in images]
    wrong: list[int] = []

    def ask(number: int) -> None:
        answers = [network.predict_proba(images[number]) for _ in range(30)]
        wrong.extend(number for answer in answers if not np.array_equal(answer, wanted[number]))

    threads = [threading.Thread(target=ask, args=(number % 4,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
