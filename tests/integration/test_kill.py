"""A training that was killed, interrupted or cut off goes on to the same bits as one that was not."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import glassnet as gn
from glassnet.training import callbacks
from glassnet.training.checkpoint import State

if TYPE_CHECKING:
    from tests.integration.conftest import Child

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")

KILLS = 20
EPOCHS = 120
# Dropout and AdamW with a schedule come with the recipe, and a moving average here: the state is more than the weights.
AVERAGE = 0.99
RECIPE = ["digits", "--epochs", str(EPOCHS), "--seed", "11", "--set", f"average={AVERAGE}"]
SHORT = ["digits", "--epochs", "4", "--seed", "11"]
Start = Callable[..., "Child"]


def bits(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def snapshots(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "snapshots").iterdir()}


def told(folder: Path) -> list[dict[str, object]]:
    """The history without its times."""
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    gn.train("digits", epochs=EPOCHS, seed=11, out=folder, settings={"training.average": AVERAGE})
    return folder


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("short") / "run"
    gn.train("digits", epochs=4, seed=11, out=folder)
    return folder


def arguments(recipe: list[str], folder: Path) -> list[str]:
    """The command that begins a run, or goes on with it."""
    begun = (folder / "recipe.toml").exists()
    return ["train", "--resume", str(folder)] if begun else ["train", *recipe, "--out", str(folder)]


def test_killed_at_twenty_random_moments(tmp_path: Path, unbroken: Path, start: Start) -> None:
    """Trainings are begun, killed, resumed, killed again … until they are done, two at a time."""
    lock, kills, finished, reached = threading.Lock(), [0], [0], []

    def train_through_kills(number: int) -> None:
        chance = random.Random(number)
        folder = tmp_path / f"run-{number}"
        while True:
            child = start(arguments(RECIPE, folder))
            with lock:
                wanted = kills[0] < KILLS
            if not wanted:
                assert child.end() == 0, child.err
                break
            # somewhere from the first epoch of this stretch on; now and then before it
            if chance.random() < 0.85:
                child.wait_for_epochs(1)
            time.sleep(chance.uniform(0, 0.15))
            if not child.kill():
                break  # it was done before the blow fell
            with lock:
                kills[0] += 1
                reached.append(child.epochs)
        assert not list(folder.glob("*.part"))
        assert bits(folder) == bits(unbroken)
        assert told(folder) == told(unbroken)
        assert snapshots(folder) == snapshots(unbroken)
        with lock:
            finished[0] += 1

    numbers = iter(range(100))
    with ThreadPoolExecutor(2) as pool:
        while kills[0] < KILLS:
            list(pool.map(train_through_kills, [next(numbers), next(numbers)]))
    assert kills[0] >= KILLS
    assert finished[0] >= 2
    assert sum(count > 0 for count in reached) >= KILLS / 2  # most fell in the midst of training


@pytest.mark.parametrize(
    ("architecture", "running"),
    [("{type='mlp', units=[24], batch_norm=true, dropout=0.1}", 2), ("{type='vgg', blocks=[[4], [9]], dropout=0.2}", 4)],
    ids=["dense", "convolution"],
)
def test_killed_with_running_statistics(tmp_path: Path, start: Start, architecture: str, running: int) -> None:
    """What batch norm has learnt stands in the checkpoint, beside the weights and their average."""
    settings = [f"architecture={architecture}", f"average={AVERAGE}", "keep=last"]
    recipe = ["digits", "--epochs", "120", "--seed", "11", *(part for setting in settings for part in ("--set", setting))]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    child = start(["train", *recipe, "--out", str(whole)])
    assert child.end() == 0, child.err
    for wait in (2, 5):
        child = start(arguments(recipe, broken))
        assert child.wait_for_epochs(wait)
        assert child.kill()
    child = start(arguments(recipe, broken))
    assert child.end() == 0, child.err
    assert bits(broken) == bits(whole)
    assert told(broken) == told(whole)
    network = gn.Network.load(broken / "model.safetensors")
    assert (network.state[network.flat.size :] != 0).all()
    assert len(network.running_slots) == running


@pytest.mark.parametrize("moment", [1, 3, 4, 6, 9, 12, 17, 22])
def test_killed_while_a_file_is_written(tmp_path: Path, short: Path, start: Start, moment: int) -> None:
    """Before and after the disk has a file, and before and after it takes its name: never half of one."""
    folder = tmp_path / "run"
    child = start(["train", *SHORT, "--out", str(folder)], DIE_AT=str(moment))
    assert child.end() == -signal.SIGKILL, child.err
    for path in folder.glob("*.safetensors"):
        if path.name == "model.safetensors":
            gn.Network.load(path)
        else:
            State.load(path)
    child = start(arguments(SHORT, folder))
    assert child.end() == 0, child.err
    assert {path.name for path in folder.iterdir()} == {path.name for path in short.iterdir()}  # no *.part is left
    assert bits(folder) == bits(short)
    assert told(folder) == told(short)


def test_checkpoints_are_not_written_more_than_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from glassnet.training import loop

    assert loop.CHECKPOINT_EVERY == 1.0
    written: list[int] = []
    save = State.save

    def count(self: State, path: Path) -> None:
        written.append(len(self.history))
        save(self, path)

    clock = [0.0]

    class Tick(gn.Callback):
        def on_epoch_end(self, progress: callbacks.Progress, epoch: object) -> None:
            clock[0] += 0.3

    monkeypatch.setattr(State, "save", count)
    monkeypatch.setattr(loop.time, "monotonic", lambda: clock[0])
    gn.train("digits", epochs=10, out=tmp_path / "run", callbacks=[Tick()])
    assert written == [4, 8, 10]  # more than a second after the one before, and at the end
    assert len(State.load(tmp_path / "run" / "checkpoint.safetensors").history) == 10


# ------------------------------------------------------------------ Ctrl-C


def test_control_c_keeps_a_checkpoint_and_says_how_to_go_on(tmp_path: Path, unbroken: Path, start: Start) -> None:
    folder = tmp_path / "run"
    child = start(["train", *RECIPE, "--out", str(folder)], EVERY="1000")  # none but that of Ctrl-C
    assert child.wait_for_epochs(8)
    child.send(signal.SIGINT)
    assert child.end() == 130, child.err
    assert child.err.split("\n") == [
        "",
        "glassnet: interrupted",
        f"The last whole epoch is kept. Continue with: glassnet train --resume {folder}",
        "",
    ]
    state = State.load(folder / "checkpoint.safetensors")
    assert 8 <= len(state.history) < EPOCHS
    assert len(state.history) == len(state.history)
    assert not (folder / "model.safetensors").exists()
    child = start(["train", "--resume", str(folder)])
    assert child.end() == 0, child.err
    assert child.epochs == EPOCHS - len(state.history)
    assert bits(folder) == bits(unbroken)
    assert told(folder) == told(unbroken)


class Interrupt(gn.Callback):
    """Ctrl-C at a place of one's choosing."""

    def __init__(self, where: str, epoch: int) -> None:
        self._where, self._epoch = where, epoch
        self.every_steps = 1 if where == "step" else 0

    def on_train_begin(self, progress: callbacks.Progress) -> None:
        if self._where == "begin":
            raise KeyboardInterrupt

    def on_step_end(self, progress: callbacks.Progress) -> None:
        if (progress.epoch, progress.step) == (self._epoch, 5):
            raise KeyboardInterrupt

    def on_epoch_end(self, progress: callbacks.Progress, epoch: object) -> None:
        if self._where == "epoch" and progress.epoch == self._epoch:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("where", "epoch", "kept"),
    [("step", 3, 2), ("epoch", 3, 3), ("epoch", 4, 4), ("step", 1, 0), ("epoch", 1, 1), ("begin", 0, 0)],
)
def test_interrupted_anywhere_in_an_epoch(tmp_path: Path, short: Path, where: str, epoch: int, kept: int) -> None:
    """While its end is told, too: history and weights in the checkpoint are those of one and the same epoch."""
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt) as caught:
        gn.train("digits", epochs=4, seed=11, out=folder, callbacks=[Interrupt(where, epoch)])
    said = "The last whole epoch is kept." if kept else "No epoch was completed."
    assert caught.value.__notes__ == [f"{said} Continue with: glassnet train --resume {folder}"]
    checkpoint = folder / "checkpoint.safetensors"
    assert checkpoint.exists() == (kept > 0)
    if kept:
        state = State.load(checkpoint)
        assert (len(state.history), len(state.history)) == (kept, kept)
    gn.train(gn.load_recipe(folder / "recipe.toml"), out=folder, resume=True)
    assert bits(folder) == bits(short)
    assert told(folder) == told(short)


# ------------------------------------------------------------------ other kinds of state


@pytest.mark.parametrize(
    "optimizer",
    [
        gn.SGD(0.5),
        gn.SGD(0.1, momentum=0.9),
        gn.SGD(0.1, momentum=0.9, nesterov=True, clip_norm=1.0),
        gn.RMSprop(0.001),
        gn.Adam(gn.CosineDecay(0.01)),
        gn.AdamW(gn.WarmUp(gn.Constant(0.01), share=0.5)),
    ],
    ids=lambda optimizer: type(optimizer).__name__,
)
@pytest.mark.parametrize("average", [None, 0.9])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("norm", [[], [{"type": "BatchNorm"}]], ids=["plain", "batch-norm"])
def test_every_optimizer_goes_on_to_the_same_bits(
    tmp_path: Path, optimizer: gn.SGD, dtype: str, average: float | None, norm: list[dict[str, str]]
) -> None:
    splits = gn.load_dataset("digits")

    def fit(network: gn.Network, **options: object) -> None:
        options |= {"validation": splits.validation, "average": average}
        network.fit(splits.train[:300], 6, optimizer=optimizer, seed=2, **options)

    def make() -> gn.Network:
        layers = [gn.Flatten(), gn.Pixels(), gn.Standardize(), gn.Dense(20), *norm, gn.Tanh(), gn.Dropout(0.2)]
        options = {"loss": gn.SoftmaxCrossEntropy(), "input_shape": (8, 8, 1), "dtype": dtype, "seed": 3}
        return gn.Network([*layers, gn.Dense(10)], **options)

    whole, cut = make(), make()
    fit(whole, keep="best")
    with pytest.raises(KeyboardInterrupt):
        fit(cut, keep="best", checkpoint=tmp_path / "checkpoint", callbacks=[Interrupt("step", 4)])
    other = make()
    fit(other, keep="best", checkpoint=tmp_path / "checkpoint", resume=True)
    np.testing.assert_array_equal(other.state, whole.state)


def test_a_run_that_stopped_early_does_not_go_on_when_resumed(tmp_path: Path) -> None:
    """As after a kill between its last checkpoint and its model."""
    folder = tmp_path / "run"
    settings = {"patience": 2, "optimizer": {"type": "SGD", "learning_rate": 0.5}, "keep": "last"}
    run = gn.train("digits", epochs=200, seed=1, out=folder, settings=settings)
    assert run.history.stopped is not None
    assert len(run.history) < 200
    kept, rows = bits(folder), told(folder)
    (folder / "model.safetensors").unlink()
    again = gn.train(gn.load_recipe(folder / "recipe.toml"), out=folder, resume=True)
    assert again.history.stopped == run.history.stopped
    assert bits(folder) == kept
    assert told(folder) == rows
