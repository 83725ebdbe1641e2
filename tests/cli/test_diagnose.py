"""`glassnet diagnose`, and what `train` says of it at its end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glassnet.experiment.run import Run
from glassnet.support import i18n
from glassnet.training import Stop, StopReason

pytestmark = pytest.mark.usefixtures("plain_figure")


def test_healthy_run(cli: Any, digits_run: Path) -> None:
    outcome = cli.good("diagnose", digits_run)
    assert outcome.lines[0] == f"{digits_run}:"
    assert "Nothing wrong found." in outcome.lines
    assert cli("diagnose", digits_run, "--strict").code == 0


def test_train_says_why_it_failed(cli: Any) -> None:
    arguments = ("train", "digits", "--epochs", 3, "--set", "optimizer.type=SGD", "--set", "optimizer.learning_rate=20")
    outcome = cli.good(*arguments, "--out", "bad")
    assert "Diagnosis: learning-rate-too-high" in outcome.lines
    assert any(line.startswith("  why:") for line in outcome.lines)
    assert any("--set learning_rate=" in line for line in outcome.lines)
    assert "  more:  glassnet diagnose bad" in outcome.lines
    told = json.loads(cli.good("diagnose", "bad", "--json").out)["bad"]
    assert told[0]["name"] == "learning-rate-too-high"
    assert set(told[0]) == {"name", "evidence", "cause", "try_next"}
    assert cli("diagnose", "bad", "--strict").code == 1


def test_a_run_that_was_given_up(cli: Any) -> None:
    """Nothing but the reason is left of its history; it is kept."""
    settings = ("--set", "optimizer.type=SGD", "--set", "optimizer.learning_rate=1e30")
    assert cli("train", "digits", "--epochs", 2, *settings, "--out", "lost").code == 1
    rows = [json.loads(row) for row in Path("lost/history.jsonl").read_text().splitlines()]
    assert rows[-1] == {"stopped": {"reason": "not-finite", "epoch": 1, "step": 2}}
    found = cli.good("diagnose", "lost")
    assert "1. non-finite-cost" in found.lines
    assert "no longer finite in epoch 1" in found.out
    assert "--set learning_rate=1e+29" in found.out


def test_other_words_change_no_outcome(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(i18n, "_render", lambda language, msgid, *figures: msgid if msgid == "non-finite-cost" else "finite")
    assert cli("train", "digits", "--epochs", 2, "--set", "optimizer.learning_rate=1e30", "--out", "lost").code == 1
    assert "1. non-finite-cost" in cli.good("diagnose", "lost").lines
    assert cli("train", "digits", "--epochs", 9, "--set", "patience=1", "--out", "stopped").code == 0
    assert Run.load("stopped").history.stopped.reason is StopReason.NO_IMPROVEMENT


def test_a_history_of_an_older_version(cli: Any, digits_run: Path) -> None:
    """Its reason is a sentence; those of glassnet are recognised, others are shown as they are."""
    path = digits_run / "history.jsonl"
    rows = path.read_text()
    ours = (
        "the cost was no longer finite in epoch 4, at step 7: the weights grew without bound. The last good weights, from "
        "the start of an epoch, are kept. Try a smaller learning rate, or clip_norm=1."
    )
    told = str(Stop(StopReason.NOT_FINITE, 4, 7))
    for words, name, now in ((ours, "non-finite-cost", told), ("not finite enough", None, "not finite enough")):
        path.write_text(rows + json.dumps({"stopped": words}) + "\n")
        found = json.loads(cli.good("diagnose", digits_run, "--json").out)[str(digits_run)]
        assert [finding["name"] for finding in found][:1] == ([name] if name else [])
        assert str(Run.load(digits_run).history.stopped) == now


def test_two_runs(cli: Any, digits_run: Path) -> None:
    cli.good("train", "digits", "--epochs", 3, "--seed", 5, "--out", "other")
    outcome = cli.good("diagnose", digits_run, "other")
    assert "1. difference-within-noise" in outcome.lines
    assert "McNemar" in outcome.out


def test_folders_of_seeds(cli: Any) -> None:
    for name, epochs in (("short", 1), ("long", 6)):
        cli.good("train", "digits", "--epochs", epochs, "--seeds", 2, "--out", name, "--set", "optimizer.type=SGD")
    outcome = cli.good("diagnose", "short", "long")
    assert "Welch" in outcome.out
    each = cli.good("diagnose", "long")
    assert [line for line in each.lines if line.startswith("long/seed-")] == ["long/seed-0:", "long/seed-1:"]


def test_wrong_input(cli: Any, digits_run: Path) -> None:
    assert cli.wrong("diagnose", "nowhere")["what"] == "This is not a run folder."
    assert cli.wrong("diagnose", digits_run, digits_run)["what"] == "A run is listed twice."
    folder = Path("images.npz")
    rng = np.random.default_rng(0)
    np.savez(folder, images=rng.integers(0, 256, (60, 8, 8), dtype=np.uint8), labels=np.arange(60) % 10)
    cli("train", "digits", "--epochs", 1, "--data", folder, "--out", "elsewhere")
    parts = cli.wrong("diagnose", digits_run, "elsewhere")
    assert parts["what"] == "The runs do not have the same validation data."
    assert parts["where"] == "elsewhere"
