"""The examples run, and compute what the library computes."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

import glassnet as gn
from glassnet.training.arguments import ORDER, epoch_generator

FROM_SCRATCH = Path(__file__).parents[2] / "examples" / "from_scratch.py"
EPOCHS, BATCH, RATE, SEED = 3, 7, 3.0, 5


def test_from_scratch_is_the_library() -> None:
    """Three epochs from the same weights in the same order, a short last mini-batch included."""
    example = runpy.run_path(str(FROM_SCRATCH))
    rng = np.random.default_rng(1)
    images, labels = rng.random((60, 20), dtype=np.float32), rng.integers(0, 4, 60)
    net = gn.Network([20, 9, 4], seed=2, dtype="float64")
    arrays = {slot.name: slot.part(net.parameters).reshape(slot.shape) for slot in net.slots}
    layers = [(arrays[f"{name}.weight"], arrays[f"{name}.bias"]) for name in ("dense1", "dense2")]
    for epoch in range(1, EPOCHS + 1):
        order = epoch_generator(SEED, epoch, ORDER).permutation(len(images))
        example["train_epoch"](layers, images.astype(float), np.eye(4)[labels], order, BATCH, RATE)
    net.fit((images, labels), EPOCHS, batch_size=BATCH, optimizer=gn.SGD(RATE), seed=SEED)
    ours = np.concatenate([array.ravel() for layer in layers for array in layer])
    np.testing.assert_allclose(ours, net.parameters, rtol=1e-9)
    np.testing.assert_allclose(example["forward"](layers, images.astype(float))[-1], net(images), rtol=1e-9)


def test_from_scratch_names_files_that_are_there() -> None:
    named = re.findall(r"glassnet/[a-z_/]+\.py", FROM_SCRATCH.read_text(encoding="utf-8"))
    assert len(named) == 6
    assert [name for name in named if not (FROM_SCRATCH.parents[1] / "src" / name).is_file()] == []


def test_from_scratch_learns(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(FROM_SCRATCH))["main"](epochs=5)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert int(lines[-1].split()[2]) > 250
