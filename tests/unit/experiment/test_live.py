"""What a run shows while it is trained, and the request to stop after an epoch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import glassnet as gn
from glassnet.experiment import live
from glassnet.experiment.live import LIVE, STOP
from glassnet.experiment.run import resume
from glassnet.support.storage import read_tensors
from glassnet.training import Callback, Epoch, Progress, Stop, StopReason


class Asks(Callback):
    """Asks for the end during an epoch, and notes what is shown meanwhile."""

    def __init__(self, epoch: int) -> None:
        self._epoch, self.seen = epoch, list[dict[str, object]]()
        self.folder = Path()

    def __call__(self, folder: Path) -> Asks:
        self.folder = folder
        return self

    every_steps = 20

    def on_step_end(self, progress: Progress) -> None:
        self.seen.append(read_tensors(self.folder / LIVE, "live")[1])
        if progress.epoch == self._epoch:
            (self.folder / STOP).touch()


def test_a_training_that_is_asked_to_stop_ends_after_its_epoch_and_can_be_resumed(tmp_path: Path) -> None:
    whole = gn.train("digits", epochs=6, seed=3, out=tmp_path / "whole")
    run = gn.train("digits", epochs=6, seed=3, out=tmp_path / "run", watch=Asks(2))
    assert run.history.stopped == Stop(StopReason.REQUEST, 2)
    assert len(run.history) == 2
    text = run.history.stopped.text
    assert (text.en, text.zh) == ("stopped after epoch 2, as requested on its page", "应页面上的请求，在第 2 轮之后停止")
    assert gn.Run.load(run.folder).history.stopped == run.history.stopped
    assert not {LIVE, STOP} & {path.name for path in run.folder.iterdir()}
    further = resume(run.folder)
    assert further.history.stopped is None
    np.testing.assert_array_equal(further.network.state, whole.network.state)


def test_files_of_similar_names_and_a_stale_request(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    gn.train("digits", epochs=1, seed=3, out=folder, settings={"optimizer": "Adam"})
    mine = [folder / "live.safetensors.bak", folder / "stop-after-epoch.txt", folder / "stop"]
    for path in [*mine, folder / STOP]:
        path.touch()
    run = resume(folder, epochs=3, watch=lambda folder: Callback())
    assert len(run.history) == 3
    assert run.history.stopped is None
    assert all(path.exists() for path in mine)
    assert not (folder / STOP).exists()


def test_the_last_epoch_is_the_end_anyway(tmp_path: Path) -> None:
    run = gn.train("digits", epochs=2, seed=3, out=tmp_path / "run", watch=Asks(2))
    assert run.history.stopped is None


def test_writing_takes_a_small_share_of_the_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clock, writes = [0.0], [0]

    def write(*arguments: object) -> None:
        clock[0] += 0.02
        writes[0] += 1

    monkeypatch.setattr(live, "write_tensors", write)
    monkeypatch.setattr(live.time, "monotonic", lambda: clock[0])
    show, progress = live.ShowLive(tmp_path), Progress(gn.Network([4, 2], seed=1), 9, 9)
    show.on_train_begin(progress)
    while clock[0] < 1000:
        clock[0] += 0.1
        show.on_step_end(progress)
        show.on_epoch_end(progress, Epoch(1, 0, None, None, None, None, None, 0, 0))
    assert 100 < writes[0] < 1.05 * live.SHARE * 1000 / 0.02


def test_what_cannot_be_shown_ends_no_training(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    show, progress = live.ShowLive(tmp_path / "gone"), Progress(gn.Network([4, 2], seed=1), 9, 9)
    show.on_train_begin(progress)
    show.on_train_end(progress)
