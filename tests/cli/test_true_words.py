"""What a command says is true of this run: the ledger, what is left to train, what a recipe expects, how to go on."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.analysis.diagnosis.advice import of_recipe, without_what_is_done
from glassnet.analysis.diagnosis.facts import Facts
from glassnet.analysis.diagnosis.outcome_rules import overfitting
from glassnet.analysis.diagnosis.phrases import set_rate
from glassnet.analysis.diagnosis.rules import diagnose_run
from glassnet.cli import console
from glassnet.support.terminal import columns, wrap

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine


@pytest.mark.usefixtures("plain_figure")
def test_the_test_set_is_called_unused_only_until_it_is_used(cli: CommandLine, digits_run: Path) -> None:
    assert "  glassnet evaluate digits-run         evaluate on the test set, unused so far" in resumed(cli, digits_run)
    for said in ("used once so far", "used 2 times so far"):
        cli.good("evaluate", digits_run)
        lines = resumed(cli, digits_run)
        assert f"  glassnet evaluate digits-run         evaluate on the test set, {said}" in lines
        assert not any("unused" in line for line in lines)


def resumed(cli: CommandLine, run: Path) -> list[str]:
    return cli.good("train", "--resume", run).lines


@pytest.mark.usefixtures("plain_figure")
def test_a_finished_run_has_nothing_left_to_train(cli: CommandLine, digits_run: Path) -> None:
    history = (digits_run / "history.jsonl").read_bytes()
    assert "Nothing left to train: all 3 epochs of this run are done." in resumed(cli, digits_run)
    assert (digits_run / "history.jsonl").read_bytes() == history
    started = cli.good("train", "digits", "--epochs", 1, "--out", "new").lines
    assert not any("Nothing left" in line for line in started)


@pytest.mark.usefixtures("plain_figure")
def test_the_end_of_a_training_is_not_silent(cli: CommandLine) -> None:
    lines = cli.good("train", "digits", "--epochs", 1, "--out", "new").lines
    assert lines.index("Drawing the figures and writing the report …") < lines.index("Next:")


@pytest.mark.parametrize(
    ("changes", "kept", "keys"),
    [
        ({"training.seed": 7, "show_every": 5}, True, None),
        ({"epochs": 60}, True, None),  # as in the recipe
        ({"epochs": 2}, False, ["training.epochs"]),
        ({"learning_rate": 0.1}, False, ["training.optimizer"]),
        ({"data.path": "/elsewhere"}, False, ["data.path"]),
        ({"batch_size": 8, "units": 3}, False, ["network.layers", "training.batch_size"]),
    ],
)
def test_claims_go_with_what_they_are_about(changes: dict[str, Any], kept: bool, keys: list[str] | None) -> None:
    recipe = gn.load_recipe("digits")
    if "units" in changes:
        changes = {"batch_size": 8, "layers": [64, 10]}
    found = recipe.changed(changes)
    assert found.overridden == keys
    for word in ("about", "expect"):
        assert found.message(word) == (recipe.message(word) if kept else "")  # type: ignore[arg-type]
        assert found.message(word).zh == (recipe.message(word).zh if kept else "")  # type: ignore[arg-type]
    assert found.title == recipe.title


def test_a_claim_of_ones_own_stays() -> None:
    found = gn.load_recipe("digits").changed({"epochs": 2, "expect": "little"})
    assert (found.expect, found.expect_zh, found.about) == ("little", None, "")


def test_what_is_expected_is_not_said_of_other_settings(cli: CommandLine, digits_run: Path) -> None:
    assert not any("Expected" in line for line in cli.good("evaluate", digits_run).lines)
    page = gn.report(digits_run).read_text(encoding="utf-8")
    assert "about 99 % of the test images" not in page
    assert "training.epochs" in page


def test_the_precision_of_a_class_that_is_never_predicted(cli: CommandLine, digits_run: Path) -> None:
    run = gn.Run.load(digits_run)
    parameters = np.array(run.network.parameters)
    parameters[-10] = -1e6  # the bias of class 0
    run.network.parameters = parameters
    run.network.save(digits_run / "model.safetensors")
    row = next(line for line in cli.good("evaluate", digits_run).lines if line.split()[:1] == ["0"])
    assert row.split() == ["0", "27", "0", "0.0", "%", "–"]
    assert '<td><span class="en" lang="en">0.00 %</span>' in (page := gn.report(digits_run).read_text(encoding="utf-8"))
    assert "<td>–</td></tr>" in page


# ------------------------------------------------------------------ diagnosis


def short_run(folder: Path, **settings: Any) -> gn.Run:
    return gn.train("digits", epochs=1, out=folder, settings={"batch_size": 1000, **settings}, progress=False)


def test_nothing_wrong_is_not_said_of_a_run_that_has_learnt_nothing(here: Path) -> None:
    """Steps of 1e-5, and too few of them, so that no rule has anything to say with confidence."""
    found = diagnose_run(short_run(here / "a"))
    text = found.short()
    assert "nothing wrong" not in text
    rng = np.random.default_rng(0)
    splits = gn.Splits(*(gn.Dataset(rng.integers(0, 256, (60, 8, 8)), np.arange(60) % 3) for _ in range(2)))
    net = gn.Network([64, 3], loss="SoftmaxCrossEntropy", seed=1)
    history = net.fit(splits.train, 1, batch_size=30, optimizer=gn.SGD(1e-3), progress=False)
    found = gn.diagnose(history, net, splits)
    assert not (found.healthy and found.judged)
    assert "Nothing wrong found." not in str(found)


def facts_of(run: gn.Run) -> Facts:
    return Facts(run.history, run.network, run.splits.train, run.splits.validation, in_force=of_recipe(run.recipe))


def test_advice_that_is_in_force_is_not_given(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Overfitting of a run whose recipe already has an augmentation, stops early, and has Dropout and weight decay."""
    settings = {"augmentation": {"shift": 1}, "keep": "best", "patience": 3, "regularizer": "L2"}
    facts = facts_of(short_run(here / "a", **settings))
    monkeypatch.setattr(Facts, "train_accuracy", 1.0)
    monkeypatch.setattr(Facts, "validation_accuracy", 0.5)
    finding = overfitting(facts)
    assert finding is not None
    assert len(finding.try_next) == 6
    assert without_what_is_done(finding, facts).try_next == ("use more images, or a smaller network",)


def test_two_findings_do_not_suggest_different_rates(monkeypatch: pytest.MonkeyPatch, digits_run: Path) -> None:
    run = gn.Run.load(digits_run)
    facts = Facts(run.history, run.network, run.splits.train, run.splits.validation, rate=1.0)
    for change, rate in ((3.0, "0.01"), (0.2, "0.1"), (0.01, "0.1"), (1e-5, "3e+02")):
        monkeypatch.setattr(Facts, "change", change)
        assert set_rate(facts) == f": --set learning_rate={rate}"


# ------------------------------------------------------------------ the terminal


@pytest.fixture
def program() -> Iterator[None]:
    console.program.cache_clear()
    yield
    console.program.cache_clear()


@pytest.mark.usefixtures("program")
def test_commands_are_named_as_they_work_in_this_shell(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = here / ".venv" / "bin" / "glassnet"
    script.parent.mkdir(parents=True)
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [".venv/bin/glassnet", "train"])
    monkeypatch.setenv("PATH", os.defpath)
    said = "glassnet: no model. Next: glassnet find-rate digits, glassnet train --resume a/glassnet trains"
    with Path(os.devnull).open("w") as file:
        assert console.shown(said, file) == said.replace("glassnet find", ".venv/bin/glassnet find").replace(
            "glassnet train ", ".venv/bin/glassnet train "
        )
        console.program.cache_clear()
        monkeypatch.setenv("PATH", str(script.parent))
        assert console.shown(said, file) == said
        console.program.cache_clear()
        monkeypatch.setattr(sys, "argv", ["/lib/glassnet/__main__.py"])
        monkeypatch.setattr(sys, "orig_argv", ["python3", "-m", "glassnet", "recipes"])
        monkeypatch.setenv("PATH", os.defpath)
        assert "python3 -m glassnet find-rate digits" in console.shown(said, file)


@pytest.mark.parametrize("width", [40, 80])
def test_lines_are_wrapped_at_the_width_of_the_terminal(width: int) -> None:
    text = (
        "glassnet: A recipe has no such key.\n  where:    --set epoch\n  expected: "
        + ", ".join(f"training.key{number}" for number in range(20))
        + "\n  训练：在训练不使用的测试集上评估；每次评估都记入账本，"
        + "（见 glassnet recipes）或 TOML 文件。再说一遍，直到很长。\n"
        + "  glassnet evaluate runs/digits        evaluate on the test set, which training does not use at all, ever"
    )
    wrapped = wrap(text, width)
    assert max(map(columns, wrapped.split("\n"))) <= width
    assert "".join(wrapped.split()) == "".join(text.split())
    assert not any(line.lstrip().startswith(tuple("，。；）")) for line in wrapped.split("\n"))
    assert wrap(text, 10_000) == text
    expected = wrapped.split("\n").index(next(line for line in wrapped.split("\n") if "expected:" in line))
    assert wrapped.split("\n")[expected + 1].startswith(" " * 12 + "training.key")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_help_fits_eighty_columns(cli: CommandLine, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    monkeypatch.setenv("GLASSNET_LANG", language)
    monkeypatch.setenv("COLUMNS", "80")
    for command in ("", "train", "inspect", "diagnose"):
        lines = cli.good(*command.split(), "--help").lines
        assert max(map(columns, lines)) <= 80
