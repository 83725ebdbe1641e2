"""Files that are read while another process writes them, and what follows from their rows."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

import glassnet as gn
from glassnet.experiment.live import ShowLive
from glassnet.server import sections
from glassnet.server.sections import Within, curves
from glassnet.server.tail import LiveFile, Tail
from glassnet.training import Progress


def row(epoch: int, **more: object) -> str:
    return json.dumps({"epoch": epoch, **more}) + "\n"


def test_a_torn_last_line_waits_until_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    tail = Tail(path)
    assert not tail.poll()  # there is no file yet
    whole = row(1) + row(2, train_cost="NaN")
    for end in range(len(whole) + 1):
        path.write_text(whole[:end])
        os.utime(path, ns=(end, end))  # times of files are coarse
        tail.poll()
        assert [found["epoch"] for found in tail.rows] == [1, 2][: whole[:end].count("\n")]
    assert np.isnan(tail.rows[1]["train_cost"])
    with path.open("a") as file:
        file.write(row(3))
    assert tail.poll()
    assert not tail.poll()
    assert [found["epoch"] for found in tail.rows] == [1, 2, 3]


def test_a_file_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    tail = Tail(path)
    for content, epochs in ((row(1) + row(2) + row(3), [1, 2, 3]), (row(1) + row(2), [1, 2]), (row(1, a=1) + row(2), [1, 2])):
        path.write_text(content)
        os.utime(path, ns=(len(content), len(content)))
        tail.poll()
        assert [found["epoch"] for found in tail.rows] == epochs
    assert tail.rows[0] == {"epoch": 1, "a": 1}


def test_a_damaged_line_ends_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text(row(1) + "[2]\n" + row(3))
    tail = Tail(path)
    tail.poll()
    assert [found["epoch"] for found in tail.rows] == [1]


def test_the_live_file_is_read_once_and_a_damaged_one_never(tmp_path: Path) -> None:
    network = gn.Network([64, 10], seed=1)
    network.predict(np.zeros((1, 8, 8, 1), np.uint8))
    live = LiveFile(tmp_path / "live.safetensors")
    assert live.poll() is None
    progress = Progress(network, 3, 40)
    progress.epoch, progress.step, progress.cost = 2, 10, 0.5
    ShowLive(tmp_path).on_train_begin(progress)
    found = live.poll()
    assert found is not None
    assert (found.epochs, found.steps, found.epoch, found.step, found.cost, found.done) == (3, 40, 2, 10, 0.5, 1.25)
    np.testing.assert_array_equal(found.state, network.state)
    assert live.poll() is None
    content = live.path.read_bytes()
    live.path.write_bytes(content[:-1])
    assert LiveFile(live.path).poll() is None


@given(st.integers(0, 3000))
def test_curves_of_any_length_have_few_points_and_both_ends(count: int) -> None:
    rows = [{"epoch": k + 1, "train_cost": 1 / (k + 1), "validation_accuracy": k / 3000} for k in range(count)]
    found = curves(rows, 3000)
    assert len(found["epoch"]) == min(count, sections.MOST)
    assert found["epoch"][:1] == [1][:count]
    assert found["epoch"][-1:] == ([count] if count else [])
    assert "validation_cost" not in found
    assert found["best"] == (None if not count else {"epoch": count, "validation_accuracy": (count - 1) / 3000})


def test_numbers_that_json_lacks_become_gaps() -> None:
    rows = [{"epoch": 1, "train_cost": 1.0}, {"epoch": 2, "train_cost": float("inf")}]
    assert curves(rows, 2)["train_cost"] == [1.0, None]


def test_the_loss_within_an_epoch_is_that_of_the_steps_since_the_last_look() -> None:
    within = Within()
    for epoch, step, cost in ((1, 10, 2.0), (1, 10, 2.0), (1, 30, 1.0), (2, 20, 0.25), (2, 20, None)):
        within.add(epoch, step, cost, epoch - 1 + step / 40)
    assert within.points == [(0.25, 2.0), (0.75, 0.5), (1.5, 0.25)]  # (30·1 − 10·2)/20
    for step in range(1, 10_000):
        within.add(3, step, 1.0, 2 + step / 10_000)
    assert len(within.points) <= 2 * sections.MOST


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [(59.4, "59 s", "59 秒"), (187, "3:07 min", "3:07 分"), (3725, "1:02 h", "1:02 时")],
)
def test_durations(seconds: float, english: str, chinese: str) -> None:
    assert (sections.duration(seconds).en, sections.duration(seconds).zh) == (english, chinese)


def test_the_time_left_follows_the_pace_of_the_last_epochs() -> None:
    rows = [{"epoch": k, "seconds": seconds} for k, seconds in enumerate((100.0, 2.0, 2.0, 50.0, 2.0, 2.0), 1)]
    assert sections.time_left(rows, 6.5, 10) == pytest.approx(7.0)
    assert sections.time_left([], 0.5, 10) is None
