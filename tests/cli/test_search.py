"""`glassnet search`: the plan it shows, the table and the files it leaves, going on, and what it refuses."""

from __future__ import annotations

import csv
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.cli.search import shorten
from glassnet.cli.search_progress import TrialProgress, value_text
from glassnet.experiment.search import search as searching
from glassnet.experiment.search.plan import make_plan, read_plan
from glassnet.experiment.search.records import Trial

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

pytest.importorskip("optuna", reason="the extra `search` is not installed")

TINY = ("--set", "network.layers=[64,8,10]", "--set", "optimizer=SGD", "--epochs", 2, "--workers", 1)
GRID = ("--over", "hidden=4,8", "--over", "learning_rate=0.01,1")


@pytest.fixture
def plain_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty page, for tests of other things: drawing takes longer than training."""
    monkeypatch.setattr("glassnet.present.search.search_page", lambda result, path: path.touch())


def rows(folder: str) -> list[dict[str, str]]:
    with Path(folder, "trials.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_grid_from_plan_to_winner(cli: CommandLine) -> None:
    outcome = cli.good("search", "digits", *GRID, *TINY, "--out", "a")
    assert "digits: 4 trials, a grid" in outcome.lines
    assert "  learning_rate  0.01, 1" in outcome.lines
    assert "Each trial: 1 training, 2 epochs; its value is the validation accuracy of the last epoch." in outcome.lines
    assert any(line.startswith("Time: about ") for line in outcome.lines)
    assert sum(" of 4: " in line for line in outcome.lines) == 4
    found = rows("a")
    assert [(row["hidden"], row["learning_rate"]) for row in found] == [("4", "0.01"), ("4", "1"), ("8", "0.01"), ("8", "1")]
    assert list(found[0]) == ["trial", "hidden", "learning_rate", "state", "value", "spread", "point"]
    best = max(found, key=lambda row: float(row["value"]))
    assert any(line.split()[:2] == [best["trial"], f"{100 * float(best['value']):.2f}"] for line in outcome.lines)
    assert Path("a/search.html").stat().st_size > 10_000
    recipe = gn.load_recipe("a/best.toml")
    assert recipe.network.layers == [64, int(best["hidden"]), 10]
    assert recipe.training.epochs == 2
    command = outcome.lines[-1].strip().removesuffix("  train the best with five seeds")
    assert command == "glassnet train a/best.toml --seeds 5"
    run = gn.train("a/best.toml", progress=False)
    assert run.history.validation_accuracy[-1] == float(best["value"])  # the trial was this training
    before = Path("a/trials.csv").read_bytes()
    for again in (("search", "digits", *GRID, *TINY, "--out", "a"), ("search", "--resume", "a", "--workers", 1)):
        cli.good(*again)
        assert Path("a/trials.csv").read_bytes() == before
    assert shlex.split(command)[1] == "train"


@pytest.mark.usefixtures("plain_page")
def test_folds_and_seeds_give_values_with_their_spread(cli: CommandLine) -> None:
    outcome = cli.good(
        "search", "digits", "--over", "hidden=4,8", *TINY, "--folds", 2, "--seeds", 2, "--seed", 3, "--out", "a"
    )
    assert any("Each trial: 2 folds × 2 seeds, 2 epochs" in line for line in outcome.lines)
    for row in rows("a"):
        parts = [float(row[f"part_{n}"]) for n in range(1, 5)]
        assert float(row["value"]) == np.mean(parts)
        assert float(row["spread"]) == np.std(parts, ddof=1)
        assert f"{100 * np.mean(parts):.2f} ± {100 * np.std(parts, ddof=1):.2f} %" in outcome.out
    plan = read_plan("a")
    assert (plan.folds, plan.seeds, plan.seed, plan.recipe.training.seed) == (2, 2, 3, 3)


@pytest.mark.usefixtures("plain_page")
def test_random_points_go_on_with_more_trials(cli: CommandLine) -> None:
    over = ("--over", "learning_rate=log:0.01:1", "--method", "random")
    cli.good("search", "digits", *over, *TINY, "--trials", 2, "--out", "a")
    few = rows("a")
    cli.good("search", "--resume", "a", "--trials", 3, "--workers", 1)
    assert rows("a")[:2] == few
    assert len(rows("a")) == 3
    cli.good("search", "digits", *over, *TINY, "--trials", 4, "--out", "a")
    assert rows("a")[:2] == few
    parts = cli.wrong("search", "--resume", "a", "--trials", 2)
    assert (parts["what"], parts["expected"]) == (
        "A search can only go on with more trials, and a grid with all of its points.", "4 or more"
    )  # fmt: skip


@pytest.mark.usefixtures("plain_page")
def test_ones_own_images(cli: CommandLine) -> None:
    labels = np.arange(90) % 3
    images = (80 * labels[:, None, None] + np.random.default_rng(0).integers(0, 60, (90, 8, 8))).astype(np.uint8)
    np.savez("mine.npz", x=images, y=labels)
    cli.good("search", "mine.npz", "--over", "learning_rate=0.001,0.01", "--epochs", 1, "--workers", 1, "--out", "a")
    assert len(rows("a")) == 2
    assert gn.load_recipe("a/best.toml").data.path == str(Path("mine.npz").absolute())


def test_when_every_trial_fails_the_exit_code_is_1(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise gn.InputError("Too wide.", where="here")

    monkeypatch.setattr("glassnet.cli.search._show_plan", lambda *arguments: None)
    monkeypatch.setattr("glassnet.experiment.search.worker.run_trial", fail)
    outcome = cli("search", "digits", *GRID, *TINY, "--out", "a")
    assert outcome.code == 1
    assert "Failed: 4 trials. The first: Too wide." in outcome.lines
    assert "Next:" not in outcome.lines
    assert not Path("a/best.toml").exists()


@pytest.mark.usefixtures("plain_page")
def test_an_interrupt_ends_with_130_and_says_how_to_go_on(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    add = TrialProgress.add

    def interrupt(self: TrialProgress, trial: Trial) -> None:
        add(self, trial)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(TrialProgress, "add", interrupt)
        outcome = cli("search", "digits", *GRID, *TINY, "--out", "a")
    assert outcome.code == 130
    assert "glassnet: interrupted" in outcome.err
    assert f"glassnet search --resume {Path('a').absolute()}" in outcome.err
    cli.good("search", "--resume", "a", "--workers", 1)
    assert [row["state"] for row in rows("a")] == ["complete"] * 4


def test_wrong_searches(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*arguments: Any, **options: Any) -> None:
        raise AssertionError("it has started")

    monkeypatch.setattr(searching, "search", started)
    wrong = cli.wrong
    assert wrong("search")["what"] == "Give either a recipe to search with or a search to go on with."
    assert wrong("search", "digits", "--resume", "a")["received"] == "both"
    assert wrong("search", "digits")["what"] == "A search needs keys to search over."
    assert wrong("search", "--resume", "a", "--seeds", 2)["received"] == "--seeds 2"
    assert wrong("search", "--resume", "nowhere")["received"] == "no such folder"
    assert wrong("search", "digts", *GRID)["try"] == "did you mean 'digits'?"
    assert wrong("search", "digits", "--over", "hiden=3")["try"] == "did you mean 'hidden'?"
    assert wrong("search", "digits", "--over", "hidden")["what"] == "What to search over must be KEY=VALUES."
    assert wrong("search", "digits", "--over", "hidden=9:3")["what"] == "The low end of a range must be below the high one."
    assert wrong("search", "digits", *GRID, "--method", "gird")["try"] == "did you mean 'grid'?"
    assert wrong("search", "digits", *GRID, "--set", "epoch=3")["try"] == "did you mean 'epochs'?"
    none = wrong("search", "digits", *GRID, "--set", "data.fractions=[0.5,0.0,0.5]")
    assert none["what"] == "A search needs validation data, and this recipe has none."
    assert "Invalid value for '--trials'" in cli.misused("search", "digits", *GRID, "--trials", 0)


@pytest.mark.usefixtures("plain_page")
def test_the_folder_of_another_search(cli: CommandLine) -> None:
    cli.good("search", "digits", "--over", "hidden=4", *TINY, "--out", "a")
    parts = cli.wrong("search", "digits", "--over", "hidden=5", *TINY, "--out", "a")
    assert parts["what"] == "There is another search in this folder."
    assert cli.wrong("search", "--resume", "a", "--trials", 3)["expected"] == "1"
    Path("b").mkdir()
    Path("b/mine").touch()
    outcome = cli("search", "digits", "--over", "hidden=4", *TINY, "--out", "b")
    assert outcome.code == 2
    assert "The folder for the run is not empty." in outcome.err


def trial(number: int, value: float | None, state: Any = "complete") -> Trial:
    parts = () if value is None else (value,)
    return Trial(number=number, point=str(number), settings={"hidden": 4}, state=state, parts=parts)


def test_the_bar_on_a_terminal_counts_and_names_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    plan = make_plan("digits", ["hidden=4,8,16"])
    with TrialProgress(plan) as progress:
        for number, value, state in ((0, 0.9, "complete"), (0, 0.9, "complete"), (1, 0.95, "pruned"), (2, 0.8, "complete")):
            progress.add(trial(number, value, state))
        task = progress._bar.tasks[0]
    assert (task.completed, task.total, task.fields["best"]) == (3, 3, "best 90.00 %")


def test_values_as_text() -> None:
    assert shorten("[784, 30, 10]") == "[784, 30, 10]"
    assert shorten("a" * 30 + "b" * 30) == "a" * 15 + "…" + "b" * 15
    accuracy, loss = make_plan("digits", ["hidden=4"]), make_plan(
        gn.load_recipe("chain").changed({"data.fractions": [0.5, 0.5, 0.0]}), ["learning_rate=1"]
    )  # fmt: skip
    assert value_text(accuracy, trial(0, 0.98765)) == "98.77 %"
    assert value_text(loss, trial(0, 0.0123456789)) == "0.0123457"
    assert value_text(accuracy, trial(0, None)) == "no value"
