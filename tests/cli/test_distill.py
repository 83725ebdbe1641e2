"""`glassnet distill`: teachers, students, the verdict, what is kept, going on, and what it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.analysis.distillation import Distilled
from glassnet.data import read_digits
from glassnet.experiment import sweep
from glassnet.experiment.distill import plan
from glassnet.experiment.search.records import SearchPlan, SearchResult, Trial
from glassnet.experiment.search.space import Parameter

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

SMALL = {"layers": ["Flatten", "Pixels", {"type": "Dense", "units": 10}], "training.epochs": 2, "snapshots": 0}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three short runs of the digits, of seeds 0 to 2; not to be changed."""
    folder = tmp_path_factory.mktemp("teachers") / "several"
    sweep.train_seeds("digits", 3, out=folder, epochs=4, settings={"snapshots": 0}, progress=False)
    return folder


@pytest.fixture
def teachers(made: Path, here: Path) -> Path:
    shutil.copytree(made, here / "several")
    return Path("several")


@pytest.fixture
def small(here: Path) -> Path:
    """A student's recipe."""
    Path("small.toml").write_text(gn.load_recipe("digits").changed({**SMALL, "name": "small"}).to_toml())
    return Path("small.toml")


@pytest.fixture
def noisy(here: Path) -> Path:
    """The digits with 30 % of the labels wrong, as a .npz."""
    train, rng = read_digits().train, np.random.default_rng(0)
    wrong = rng.random(len(train)) < 0.3
    labels = np.where(wrong, rng.integers(0, 10, len(train)), train.labels)
    np.savez("noisy.npz", x_train=train.images, y_train=labels)
    return Path("noisy.npz")


def models(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("model.safetensors"))}


# ------------------------------------------------------------------ what it does


def test_a_distillation_that_is_shown_to_be_better_keeps_a_student(cli: CommandLine, noisy: Path) -> None:
    """With wrong labels, a network that is trained for long learns them by heart; the answers of an ensemble are smoother."""
    data = {"data.path": str(noisy.absolute()), "snapshots": 0}
    wide = [
        "Flatten",
        "Pixels",
        {"type": "Dense", "units": 100, "initializer": "HeNormal"},
        "ReLU",
        {"type": "Dense", "units": 10},
    ]
    teacher = gn.load_recipe("digits").changed({**data, "training.epochs": 4})
    sweep.train_seeds(teacher, 3, out="teachers", progress=False)
    student = gn.load_recipe("digits").changed({**data, "layers": wide, "training.epochs": 25, "name": "wide"})
    Path("wide.toml").write_text(student.to_toml())
    outcome = cli.good("distill", "teachers", "--into", "wide.toml", "--weight", 1, "--out", "a")
    assert outcome.lines[0].startswith(
        "3 teachers into wide: 3 students distilled (T = 2, weight 1), and 3 on the labels alone"
    )
    assert "Training 6 of 6: student on the labels alone, seed 2" in outcome.lines
    assert "Distilling is better than the labels alone: +" in outcome.out
    assert "The best of them is kept in a/student" in outcome.out
    runs = {arm: [gn.Run.load(f"a/{arm}/seed-{seed}") for seed in range(3)] for arm in ("distilled", "labels")}
    validation = runs["labels"][0].splits.validation
    assert validation is not None
    found = {arm: [run.network.evaluate(validation).accuracy for run in of] for arm, of in runs.items()}
    assert min(found["distilled"]) > max(found["labels"])
    kept = gn.Run.load("a/student")
    assert kept.fingerprint == runs["distilled"][int(np.argmax(found["distilled"]))].fingerprint
    assert kept.recipe.distillation is not None
    assert kept.recipe.distillation.teachers == {
        str(Path("teachers", f"seed-{seed}").absolute()): gn.Run.load(f"teachers/seed-{seed}").fingerprint
        for seed in range(3)
    }
    assert [run.recipe.distillation for run in runs["labels"]] == [None] * 3
    for of in runs.values():  # no look at the test set, and pairs begin with the same weights
        assert [run.network.seed for run in of] == [0, 1, 2]
        assert not any((run.folder / "ledger.jsonl").exists() for run in of)
    cli.good("evaluate", "a/student")
    before = models(Path("a"))
    again = cli.good("distill", "teachers", "--into", "wide.toml", "--weight", 1, "--out", "a")
    assert "Training" not in again.out
    assert again.lines[-8:] == outcome.lines[-8:]
    assert models(Path("a")) == before
    more = cli("distill", "teachers", "--into", "wide.toml", "--weight", 1, "--seeds", 4, "--out", "a")
    assert more.lines[1].startswith("2 trainings are left, about ")  # the others are as they were
    assert before.items() <= models(Path("a")).items()


def test_the_figures_are_those_of_the_validation_data(cli: CommandLine, teachers: Path, small: Path) -> None:
    outcome = cli("distill", teachers, "--into", small, "--seeds", 2, "--out", "a")
    validation = gn.load_dataset("digits").validation
    assert validation is not None
    runs = [gn.Run.load(teachers / f"seed-{seed}") for seed in range(3)]
    together = gn.Ensemble([run.network for run in runs]).evaluate(validation)
    assert f"  {100 * together.accuracy:6.2f} %  the ensemble, {3 * runs[0].network.flat.size:,} parameters" in outcome.lines
    for run in runs:
        accuracy = 100 * run.network.evaluate(validation).accuracy
        assert f"  {accuracy:6.2f} %  teacher {run.folder}" in outcome.lines
    for arm, name in (("distilled", "distilled"), ("labels", "on the labels alone")):
        found = [100 * gn.Run.load(f"a/{arm}/seed-{seed}").history.validation_accuracy[-1] for seed in (0, 1)]
        line = f"  {np.mean(found):6.2f} %  students {name}, ± {np.std(found, ddof=1):.2f} over 2 seeds, 650 parameters"
        assert line in outcome.lines


def test_one_that_is_not_shown_to_be_better_keeps_none(cli: CommandLine, teachers: Path, small: Path) -> None:
    """Answers of weight 1/1,000,000 are the labels."""
    outcome = cli("distill", teachers / "seed-0", "--into", small, "--seeds", 2, "--weight", "1e-6", "--out", "a")
    assert (outcome.code, outcome.err) == (1, "")
    assert "It is not shown that distilling is better than the labels alone: +0.00 points" in outcome.out
    assert "No student is recommended. The runs are in a" in outcome.out
    assert sorted(path.name for path in Path("a").iterdir()) == ["distill.json", "distilled", "labels"]


def test_interrupted_and_gone_on_with(cli: CommandLine, teachers: Path, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("distill", teachers, "--into", small, "--seeds", 2)
    cli(*arguments, "--out", "whole")
    fit, calls = gn.Network.fit, 0

    def interrupted(net: gn.Network, *given: Any, **options: Any) -> Any:
        nonlocal calls
        calls += "checkpoint" in options  # not the one that measures the time
        if calls == 3:
            raise KeyboardInterrupt
        return fit(net, *given, **options)

    with monkeypatch.context() as patch:
        patch.setattr(gn.Network, "fit", interrupted)
        outcome = cli(*arguments, "--out", "a")
    assert outcome.code == 130
    assert "What is trained is kept. Continue by the same command with --out a" in outcome.err
    assert len(models(Path("a"))) == 2
    outcome = cli(*arguments, "--out", "a")
    assert outcome.lines[1].startswith("2 trainings are left, about ")
    whole, resumed = models(Path("whole")), models(Path("a"))
    assert whole == resumed


def test_the_best_of_several_runs_by_validation_accuracy(teachers: Path) -> None:
    gn.train("digits", epochs=1, seed=7, out="poor", settings={"snapshots": 0}, progress=False)
    found = plan(["poor", teachers], best=2, out="a")
    validation = found.validation
    accuracies = {
        folder: gn.Run.load(folder).network.evaluate(validation).accuracy
        for folder in (Path("poor"), *(teachers / f"seed-{seed}" for seed in range(3)))
    }
    assert [part.folder for part in found.teachers] == sorted(accuracies, key=lambda folder: -accuracies[folder])[:2]
    assert found.recipe == gn.load_recipe(found.teachers[0].folder / "recipe.toml")  # the student's, by default


def search(trials: tuple[Trial, ...]) -> SearchResult:
    recipe = gn.load_recipe("digits").changed({"training.epochs": 2, "snapshots": 0})
    rates = Parameter(key="learning_rate", values=(0.001, 0.01, 0.02))
    return SearchResult(SearchPlan(recipe=recipe, space=(rates,), method="grid", trials=3), trials, Path("search"))


def test_the_best_trials_of_a_search_are_trained_again(here: Path, small: Path) -> None:
    values = ((0.001, 0.5), (0.01, 0.9), (0.02, 0.8))
    trials = tuple(
        Trial(number=n, point=f"p{n}", settings={"learning_rate": rate}, state="complete", parts=(value,))
        for n, (rate, value) in enumerate(values)
    )
    failed = Trial(number=3, point="p3", settings={}, state="failed")
    result = gn.distill(search((*trials, failed)), small, best=2, seeds=2, out="a", progress=False)
    assert isinstance(result, Distilled)
    for place, rate in ((1, 0.01), (2, 0.02)):
        run = gn.Run.load(f"a/teacher-{place}")
        assert run.recipe == search(()).plan.recipe.changed({"learning_rate": rate})
        assert run.fingerprint == result.teachers[place - 1].fingerprint
    assert [run.recipe.name for run in result.students["distilled"]] == ["small"] * 2
    assert json.loads(Path("a/distill.json").read_text())["teachers"] == ["p1", "p2"]
    with pytest.raises(gn.InputError, match="not so many teachers") as caught:
        plan(search((*trials, failed)), best=4)
    assert caught.value.expected == "at most 3, the number of complete trials"
    with pytest.raises(gn.InputError, match="not so many teachers"):
        plan(search((failed,)))


# ------------------------------------------------------------------ what it refuses


def of_classes(folder: str) -> None:
    """A run of the digits 0 to 4."""
    train = read_digits().train
    few = train.labels < 5
    np.savez(f"{folder}.npz", x_train=train.images[few], y_train=train.labels[few])
    settings = {"data.path": str(Path(f"{folder}.npz").absolute()), "architecture": "mlp", "snapshots": 0}
    gn.train("digits", epochs=1, out=folder, settings=settings, progress=False)


def of_targets(folder: str) -> None:
    gn.train("chain", epochs=1, out=folder, settings={"snapshots": 0}, progress=False)


def of_another_split(folder: str) -> None:
    gn.train("digits", epochs=1, out=folder, settings={"data.split_seed": 5, "snapshots": 0}, progress=False)


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (of_classes, "The networks of an ensemble differ in their classes."),
        (of_targets, "The networks of an ensemble differ in their classes."),
        (of_another_split, "The student's training and validation images are not those of the teachers."),
    ],
)
def test_teachers_that_do_not_fit_together(
    cli: CommandLine, teachers: Path, small: Path, make: Callable[[str], None], what: str
) -> None:
    make("other")
    assert cli.wrong("distill", teachers, "other", "--into", small, "--out", "a")["what"] == what


def test_targets_have_no_classes_to_distil(cli: CommandLine) -> None:
    of_targets("a")
    parts = cli.wrong("distill", "a", "--out", "b")
    assert parts["what"] == "Distilling needs class labels and validation images."
    assert (parts["where"], parts["received"]) == ("a", "targets instead of class labels")


def test_students_of_other_data(cli: CommandLine, teachers: Path) -> None:
    parts = cli.wrong("distill", teachers, "--into", "digits", "--set", "data.fractions=[0.6, 0.2, 0.2]", "--out", "a")
    assert parts["what"] == "The student's training and validation images are not those of the teachers."
    assert parts["expected"] == "fractions = None, as of the teacher"
    assert parts["received"] == "fractions = [0.6, 0.2, 0.2]"
    assert parts["try"] == "give the student the teachers' data: --set data.KEY=VALUE"


def test_wrong_arguments(cli: CommandLine, teachers: Path, small: Path) -> None:
    command = ("distill", teachers, "--into", small, "--out", "a")
    parts = cli.wrong(*command, "--best", 4)
    assert parts["what"] == "There are not so many teachers."
    assert (parts["expected"], parts["received"]) == ("at most 3, the number of runs", "4")
    for option, value, what in (
        ("--temperature", 0, "The temperature must be positive."),
        ("--weight", 0, "The weight of the teachers' answers must lie above 0 and be at most 1."),
        ("--weight", 1.5, "The weight of the teachers' answers must lie above 0 and be at most 1."),
    ):
        assert cli.wrong(*command, option, value)["what"] == what
    assert "Invalid value for '--seeds'" in cli.misused(*command, "--seeds", 1)
    assert "Invalid value for '--best'" in cli.misused(*command, "--best", 0)
    assert cli.wrong("distill", teachers, teachers / "seed-1", "--out", "a")["what"] == "A run is listed twice."
    assert cli.wrong("distill", "nowhere")["what"] == "This is not a run folder."
    assert cli.wrong("distill", teachers, "--into", "nothing")["what"].startswith("There is no such")
    assert cli.wrong("distill", teachers, "--out", teachers)["what"] == "The folder for the run is not empty."
    with pytest.raises(gn.InputError, match="needs teachers"):
        plan([])
    with pytest.raises(gn.InputError, match="at least two seeds"):
        plan(teachers, seeds=1)


def test_a_folder_of_another_distillation(cli: CommandLine, teachers: Path, small: Path) -> None:
    command = ("distill", teachers, "--into", small, "--seeds", 2, "--out", "a")
    plan(teachers, small, seeds=2, out="a")
    parts = cli.wrong(*command, "--temperature", 3)
    assert parts["what"] == "This folder holds another distillation."
    assert parts["try"] == "choose another with --out"
    gn.train(gn.load_recipe(small), out="a/labels/seed-0", epochs=1, progress=False)
    found = plan(teachers, small, seeds=2, out="a")
    with pytest.raises(gn.RunError, match="is of another recipe"):
        found.train(progress=False)
    Path("a/distill.json").write_bytes(b"\xff")
    assert cli.wrong(*command)["what"] == "The plan of the distillation can't be read."
