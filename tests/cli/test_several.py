"""Several seeds of a recipe, and several runs as an ensemble, on the command line."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.data import read_digits
from glassnet.data.readers.image import read_image
from glassnet.experiment import sweep as runs

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs of the digits, of seeds 5 to 7; not to be changed."""
    folder = tmp_path_factory.mktemp("seeds") / "several"
    runs.train_seeds("digits", 3, seed=5, out=folder, epochs=3)
    return folder


@pytest.fixture
def several(seeds: Path, here: Path) -> Path:
    shutil.copytree(seeds, here / "several")
    return Path("several")


def ledger(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(row) for row in (folder / "ledger.jsonl").read_text().splitlines()]


# ------------------------------------------------------------------ seeds


def test_several_seeds_and_their_spread(cli: CommandLine, several: Path) -> None:
    outcome = cli.good("train", "digits", "--epochs", 3, "--seed", 5, "--seeds", 3, "--out", "a")
    assert [line for line in outcome.lines if line.startswith("Seed")] == ["Seed 5", "Seed 6", "Seed 7"]
    assert sorted(path.name for path in Path("a").iterdir()) == ["seed-5", "seed-6", "seed-7"]
    accuracies = []
    for seed in (5, 6, 7):
        run = gn.Run.load(f"a/seed-{seed}")
        assert run.recipe.training.seed == run.network.seed == seed
        accuracies.append(100 * run.history.validation_accuracy[-1])
        assert f"a/seed-{seed}: validation accuracy {accuracies[-1]:.2f} % after epoch 3" in outcome.out
        for name in ("model.safetensors", "recipe.toml"):  # as each alone would be
            assert Path("a", f"seed-{seed}", name).read_bytes() == (several / f"seed-{seed}" / name).read_bytes()
    mean, deviation = np.mean(accuracies), np.std(accuracies, ddof=1)
    assert f"Validation accuracy of 3 seeds: {mean:.2f} ± {deviation:.2f} %" in outcome.out
    assert "Everything is in a\n" in outcome.out


def test_seeds_begin_at_the_recipes_and_the_best_is_told_where_it_is_kept(cli: CommandLine) -> None:
    outcome = cli.good("train", "digits", "--epochs", 3, "--seeds", 2, "--set", "keep=best")
    for seed in (0, 1):
        history = gn.Run.load(f"runs/digits/seed-{seed}").history
        assert f"{100 * max(history.validation_accuracy):.2f} % after epoch {history.best_epoch}" in outcome.out


def test_seeds_of_a_training_that_fails_end_with_1(cli: CommandLine) -> None:
    settings = ("--set", "optimizer.type=SGD", "--set", "optimizer.learning_rate=1e12", "--set", "loss=Quadratic")
    outcome = cli("train", "digits", "--seeds", 2, *settings, "--out", "a")
    assert (outcome.code, outcome.err) == (1, "")
    assert outcome.out.count("ended early: the loss was no longer finite") == 2


def test_seeds_interrupted_say_what_is_done(here: Path) -> None:
    class Interrupt(gn.Callback):
        def on_epoch_end(self, progress: Any, epoch: Any) -> None:
            if progress.history.seed == 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        runs.train_seeds("digits", 3, out="a", epochs=2, callbacks=[Interrupt()])
    assert caught.value.__notes__ == [
        f"The last whole epoch is kept. Continue with: glassnet train --resume {Path('a', 'seed-1')}",
        "1 of 3 seeds finished.",
    ]


def test_evaluate_of_several_seeds_is_one_look_at_each(cli: CommandLine, several: Path) -> None:
    outcome = cli.good("evaluate", several)
    test = read_digits().test
    assert test is not None
    shares = []
    for seed in (5, 6, 7):
        found = gn.Run.load(several / f"seed-{seed}").network.evaluate(test)
        assert f"{several / f'seed-{seed}'}: {found}" in outcome.lines
        assert [look["correct"] for look in ledger(several / f"seed-{seed}")] == [found.correct]
        shares.append(100 * found.accuracy)
    assert f"Test accuracy of 3 runs: {np.mean(shares):.2f} ± {np.std(shares, ddof=1):.2f} %" in outcome.out
    assert "This is the first evaluation on the test set" in outcome.out
    assert "This is evaluation 2 on the test set." in cli.good("evaluate", several).out


def test_seeds_that_are_none(cli: CommandLine, several: Path) -> None:
    for count in ("1", "0", "-2", "many"):
        assert "Invalid value for '--seeds'" in cli.misused("train", "digits", "--seeds", count)
    parts = cli.wrong("train", "--resume", several / "seed-5", "--seeds", 2)
    assert (parts["what"], parts["received"]) == ("--resume continues one run in its own folder.", "--seeds 2")
    assert cli.wrong("train", "digits", "--seeds", 2, "--out", several)["what"] == "The folder for the run is not empty."
    for wrong in (["--epochs", 0], ["--data", "nowhere"], ["--set", "layers=[64,30,5]"], ["--seed", -1]):
        cli.wrong("train", "digits", "--seeds", 2, "--out", "a", *wrong)
    with pytest.raises(gn.InputError, match="number of seeds must be positive"):
        runs.train_seeds("digits", 0, out="a")


# ------------------------------------------------------------------ ensembles


def test_evaluate_of_several_runs_is_their_ensemble(cli: CommandLine, several: Path) -> None:
    folders = [several / f"seed-{seed}" for seed in (5, 6, 7)]
    outcome = cli.good("evaluate", *folders)
    test = read_digits().test
    assert test is not None
    networks = [gn.Run.load(folder).network for folder in folders]
    found = gn.Ensemble(networks).evaluate(test)
    assert outcome.lines[0] == f"Test set: {found}"
    assert "over 3 runs" in outcome.out
    row = re.compile(r"  (\d) +(\d+) +(\d+) +([\d.]+) % +([\d.]+) %")
    assert sum(int(match[3]) for line in outcome.lines if (match := row.fullmatch(line))) == found.correct
    for folder in folders:
        (look,) = ledger(folder)
        assert (look["correct"], look["total"]) == (found.correct, len(test))
        assert look["ensemble"] == [gn.Run.load(member).fingerprint for member in folders]
        assert look["model"] == gn.Run.load(folder).fingerprint
    assert "Test accuracy of" not in outcome.out  # no member's own figure, which would be another look


def test_each_member_is_a_look_of_its_own(cli: CommandLine, several: Path) -> None:
    folders = [several / f"seed-{seed}" for seed in (5, 6)]
    outcome = cli.good("evaluate", *folders, "--each")
    assert "Test accuracy of 2 runs:" in outcome.out
    for folder in folders:
        assert ["ensemble" in look for look in ledger(folder)] == [True, False]
    assert "This is evaluation 2 on the test set." in outcome.out


def test_predict_with_others_tells_the_mean(cli: CommandLine, several: Path, digit_images: list[tuple[Path, int]]) -> None:
    files = [path for path, _ in digit_images]
    paths = [several / "seed-5", several / "seed-6", several / "seed-7" / "model.safetensors"]
    answers = json.loads(cli.good("predict", paths[0], *files, "--with", paths[1], "--with", paths[2], "--json").out)
    alone = [json.loads(cli.good("predict", path, *files, "--json").out) for path in paths]
    for place, answer in enumerate(answers):
        for name, share in answer["probabilities"].items():
            assert share == pytest.approx(np.mean([each[place]["probabilities"][name] for each in alone]), abs=2e-6)


def test_ensembles_that_are_none(cli: CommandLine, several: Path, idx: Callable[..., Path], here: Path) -> None:
    five, six = several / "seed-5", several / "seed-6"
    assert cli.wrong("evaluate", five, "nowhere")["what"] == "This is not a run folder."
    assert cli.wrong("evaluate", several, five)["what"] == "This is not a run folder."
    parts = cli.wrong("evaluate", five, six, five)
    assert (parts["what"], parts["where"]) == ("A run is listed twice.", str(here / five))
    gn.train("nielsen-30", data=idx(), epochs=1, out="other")
    shapes = cli.wrong("evaluate", five, "other")
    assert shapes["what"] == "The networks of an ensemble differ in their input shape."
    np.save("image.npy", np.zeros((8, 8), np.uint8))
    assert cli.wrong("predict", five, "image.npy", "--with", "other")["what"] == shapes["what"]
    assert cli.wrong("predict", five, "image.npy", "--with", "nowhere")["what"] == "This is not a run folder."


def test_an_ensemble_needs_one_test_set(cli: CommandLine, idx: Callable[..., Path], here: Path) -> None:
    first = idx()
    gn.train("nielsen-30", data=first, epochs=1, out="a")
    gn.train("nielsen-30", data=first, epochs=1, out="c", seed=3)
    first.rename("idx-2")
    copy = Path("idx-copy")
    shutil.copytree("idx-2", copy)
    changed = bytearray((copy / "t10k-images-idx3-ubyte").read_bytes())
    changed[100] ^= 255
    (copy / "t10k-images-idx3-ubyte").write_bytes(bytes(changed))
    gn.train("nielsen-30", data=copy, epochs=1, out="b")
    Path("idx-2").rename(first)
    parts = cli.wrong("evaluate", "a", "b")
    assert parts["what"] == "The runs do not have the same test data."
    assert parts["where"] == "b"
    assert "the same data" in parts["try"]
    (copy / "t10k-images-idx3-ubyte").write_bytes((first / "t10k-images-idx3-ubyte").read_bytes())
    assert "over 2 runs" in cli.good("evaluate", "a", "b").out  # another folder with the same images
    assert "over 2 runs" in cli.good("evaluate", "a", "c").out


# ------------------------------------------------------------------ views


def test_evaluate_over_views(cli: CommandLine, several: Path) -> None:
    folder = several / "seed-5"
    recipe = folder / "recipe.toml"
    plain = recipe.read_text()
    recipe.write_text(plain.replace("[training]", "[training.augmentation]\nshift = 1\n\n[training]"))
    run = gn.Run.load(folder)
    assert run.splits.test is not None
    shift = gn.Augmentation(shift=1)
    found = run.network.evaluate(run.splits.test, augmentation=shift, views=8, seed=5)
    outcome = cli.good("evaluate", folder, "--views", 8)
    assert outcome.lines[:2] == [f"Test set: {found}", "Probabilities are averaged over 8 views of each image."]
    assert [(look["correct"], look["views"]) for look in ledger(folder)] == [(found.correct, 8)]
    # as many as the recipe says, by the changes it has for them; one, where that is asked for
    views = "\n[evaluation]\nviews = 3\nview_augmentation = { rotation = 4 }\n"
    recipe.write_text(plain.partition("[evaluation]")[0] + views)
    found = run.network.evaluate(run.splits.test, augmentation={"rotation": 4}, views=3, seed=5)
    assert cli.good("evaluate", folder).lines[0] == f"Test set: {found}"
    assert cli.good("evaluate", folder, "--views", 1).lines[0] == f"Test set: {run.network.evaluate(run.splits.test)}"
    assert [look.get("views") for look in ledger(folder)] == [8, 3, None]


def test_an_ensemble_over_views(cli: CommandLine, several: Path) -> None:
    folders = [several / "seed-5", several / "seed-6"]
    for folder in folders:
        recipe = folder / "recipe.toml"
        recipe.write_text(recipe.read_text().replace("[training]", "[training.augmentation]\nshift = 1\n\n[training]"))
    outcome = cli.good("evaluate", *folders, "--views", 4, "--each")
    loaded = [gn.Run.load(folder) for folder in folders]
    test = loaded[0].test
    shares = [
        run.network.predict_proba(test.images, augmentation={"shift": 1}, views=4, seed=seed)
        for run, seed in zip(loaded, (5, 6), strict=True)
    ]
    correct = int((np.mean(shares, axis=0).argmax(axis=1) == test.labels).sum())
    assert outcome.lines[0].startswith(f"Test set: {correct} / 268 correct")
    for folder in folders:
        assert [look["views"] for look in ledger(folder)] == [4, 4]


def test_predict_over_views(cli: CommandLine, several: Path, digit_images: list[tuple[Path, int]]) -> None:
    folders, files = [several / "seed-5", several / "seed-6"], [path for path, _ in digit_images]
    images = np.stack([read_image(path, (8, 8, 1)) for path in files])

    def asked(*arguments: object) -> Any:
        answers = json.loads(cli.good("predict", *arguments, "--json").out)
        return np.array([list(answer["probabilities"].values()) for answer in answers])

    for folder, changes in zip(folders, ("shift = 1", "rotation = 9"), strict=True):
        recipe = folder / "recipe.toml"
        recipe.write_text(recipe.read_text().replace("[training]", f"[training.augmentation]\n{changes}\n\n[training]"))
    shares = [
        gn.Run.load(folder).network.predict_proba(images, augmentation=changes, views=4, seed=seed)
        for folder, changes, seed in zip(folders, ({"shift": 1}, {"rotation": 9}), (5, 6), strict=True)
    ]
    plain = gn.Run.load(folders[0]).network.predict_proba(images)
    assert abs(shares[0] - plain).max() > 0.01
    np.testing.assert_allclose(asked(folders[0], *files), plain, atol=1e-6)
    np.testing.assert_allclose(asked(folders[0], *files, "--views", 4), shares[0], atol=1e-6)
    together = asked(folders[0], *files, "--with", folders[1], "--views", 4)
    np.testing.assert_allclose(together, np.mean(shares, axis=0), atol=1e-6)
    recipe = folders[0] / "recipe.toml"  # as many as the recipe says, as `evaluate` has it
    recipe.write_text(recipe.read_text().replace("views = 1", "views = 4"))
    np.testing.assert_allclose(asked(folders[0], *files), shares[0], atol=1e-6)
    np.testing.assert_allclose(asked(folders[0], *files, "--views", 1), plain, atol=1e-6)
    model = folders[0] / "model.safetensors"
    np.testing.assert_allclose(asked(model, *files, "--views", 1), plain, atol=1e-6)
    assert cli.wrong("predict", model, *files, "--views", 4) == {
        "what": "A model file has no augmentation for views.",
        "where": str(model),
        "expected": "a run folder whose recipe has an augmentation",
        "received": "a file, and --views 4",
        "try": "use the run folder, or leave out --views",
    }


def test_views_that_are_none(cli: CommandLine, several: Path) -> None:
    assert "Invalid value for '--views'" in cli.misused("evaluate", several / "seed-5", "--views", 0)
    for runs_of in ([several / "seed-5"], [several], [several / "seed-5", several / "seed-6"]):
        parts = cli.wrong("evaluate", *runs_of, "--views", 4)
        assert parts["what"] == "The recipe has no augmentation for views."
        assert parts["where"] == str(several / "seed-5" / "recipe.toml")
        assert "view_augmentation" in parts["expected"]
    np.save("image.npy", np.zeros((8, 8), dtype=np.uint8))
    assert "Invalid value for '--views'" in cli.misused("predict", several / "seed-5", "image.npy", "--views", 0)
    assert cli.wrong("predict", several / "seed-5", "image.npy", "--views", 4)["where"] == parts["where"]
    parts = cli.wrong("train", "digits", "--set", "views=0")
    assert parts["where"] == "recipe digits, evaluation.views"
    parts = cli.wrong("train", "digits", "--set", "view_augmentation={shft=1}")
    assert (parts["what"], parts["try"]) == ("Unknown option of Augmentation.", "did you mean 'shift'?")
    assert "evaluation.view_augmentation" in parts["where"]
