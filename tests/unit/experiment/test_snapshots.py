"""The weights that a run keeps of some of its epochs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

import glassnet as gn
from glassnet.errors import ModelFileError
from glassnet.experiment import snapshots
from glassnet.experiment.run import resume
from glassnet.experiment.snapshots import KeepSnapshots, chosen_epochs, read_snapshots
from glassnet.training import Epoch, Progress


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "snapshots").iterdir())}


class StopAt(gn.Callback):
    def __init__(self, epoch: int) -> None:
        self._epoch = epoch

    def on_epoch_end(self, progress: Progress, epoch: Epoch) -> None:
        if epoch.epoch == self._epoch:
            progress.stop("for the test")


@given(st.integers(1, 10_000), st.integers(1, 40))
def test_the_chosen_epochs_are_few_and_denser_at_the_beginning(epochs: int, count: int) -> None:
    chosen = chosen_epochs(epochs, count)
    assert len(chosen) <= count
    assert chosen == sorted(set(chosen))
    assert chosen[-1] == epochs
    if count > 1:
        assert chosen[0] == 0
        gaps = np.diff(chosen[1:])
        assert (np.diff(gaps) >= -1).all()  # they grow, but for rounding


def test_a_run_keeps_the_initial_weights_some_epochs_and_the_last(tmp_path: Path) -> None:
    seen = {}
    run = gn.train("digits", epochs=30, seed=3, out=tmp_path / "run", settings={"keep": "last", "patience": 100},
                   callbacks=[lambda progress, epoch: seen.update({epoch.epoch: progress.network.state.copy()})])  # fmt: skip
    found = run.snapshots
    assert [snapshot.epoch for snapshot in found] == chosen_epochs(30, 12) == [0, 1, 2, 3, 4, 5, 8, 11, 15, 21, 30]
    start = run.recipe.make_network(run.splits)
    np.testing.assert_array_equal(found[0].state, start.state)
    for snapshot in found[1:]:
        np.testing.assert_array_equal(snapshot.state, seen[snapshot.epoch])
        assert snapshot.state.dtype == np.float32
    found[-1].restore(start)
    np.testing.assert_array_equal(
        start.predict(run.splits.validation.images), run.network.predict(run.splits.validation.images)
    )


def test_a_resumed_run_has_the_snapshots_of_one_that_was_not_stopped(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    gn.train("digits", epochs=14, seed=3, out=whole)
    gn.train("digits", epochs=14, seed=3, out=broken, callbacks=[StopAt(9)])
    assert "epoch-0009.safetensors" in files(broken)  # the last, when it ended
    assert "epoch-0009.safetensors" not in files(whole)
    mine = {"epoch-0009.safetensors.bak": b"1", "epoch-9.safetensors": b"2", "my epoch-0009.safetensors": b"3"}
    for name, content in mine.items():
        (broken / "snapshots" / name).write_bytes(content)
    resume(broken)
    assert files(broken) == files(whole) | mine


def test_a_run_that_is_extended_is_thinned(tmp_path: Path) -> None:
    settings = {"optimizer": {"type": "SGD", "learning_rate": 0.1}, "patience": 1000}
    gn.train("digits", epochs=20, seed=3, out=tmp_path / "run", settings=settings)
    run = resume(tmp_path / "run", epochs=60)
    epochs = [snapshot.epoch for snapshot in run.snapshots]
    assert len(epochs) <= 12
    assert epochs[:4] == [0, 1, 2, 3]
    assert epochs[-1] == 60
    assert max(np.diff(epochs)) <= 21


def test_none_are_kept_where_the_recipe_says_so(tmp_path: Path) -> None:
    run = gn.train("digits", epochs=2, out=tmp_path / "run", settings={"snapshots": 0})
    assert run.snapshots == []
    assert not (tmp_path / "run" / "snapshots").exists()


def test_large_networks_are_kept_in_float16_unless_a_weight_exceeds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = gn.Network([64, 10], seed=1)
    network.predict(np.zeros((1, 8, 8, 1), np.uint8))
    monkeypatch.setattr(snapshots, "LARGE", 100)
    for largest, exact in ((1.0, False), (1e6, True)):
        network.state[0] = largest
        keep = KeepSnapshots(tmp_path, 1)
        keep.on_train_begin(Progress(network, 1, 1))
        keep.on_epoch_end(Progress(network, 1, 1), Epoch(1, 0, 0, 0, 0, 0, 0, 0, 0))
        (found,) = read_snapshots(tmp_path)
        np.testing.assert_allclose(found.state, network.state, rtol=2**-11, atol=2**-24)
        assert (found.state == network.state).all() == exact


def test_a_snapshot_of_another_network_or_epoch_is_refused(tmp_path: Path) -> None:
    run = gn.train("digits", epochs=2, out=tmp_path / "run")
    first, second = run.snapshots[:2]
    with pytest.raises(ModelFileError, match="of another network"):
        first.restore(gn.Network([64, 10]))
    first.path.write_bytes(second.path.read_bytes())
    with pytest.raises(ModelFileError, match="The snapshot is damaged"):
        first.state  # noqa: B018
