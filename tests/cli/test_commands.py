"""What each command does when all is well: what it prints, what it writes, and that the two agree."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.cli.main import app
from glassnet.data import read_digits

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

COMMANDS = (
    "train",
    "search",
    "evaluate",
    "compare",
    "report",
    "predict",
    "serve",
    "check",
    "diagnose",
    "distill",
    "trace",
    "find-rate",
    "export",
    "inspect",
    "learning-curve",
    "recipes",
    "datasets",
    "playground",
    "shard",
    "tune",
)
FILES = {"recipe.toml", "model.safetensors", "checkpoint.safetensors", "history.jsonl", "training.png", "report.html"}
PROMISED = FILES | {"snapshots"}
LINE = re.compile(r"Epoch (\d+): (\d+) / (\d+)")


# ------------------------------------------------------------------ train


def test_train_prints_one_plain_line_an_epoch_and_says_what_next(cli: CommandLine) -> None:
    outcome = cli.good("train", "digits", "--epochs", 3)
    folder = Path("runs", "digits")
    assert [line for line in outcome.lines if line.startswith("Epoch")] == outcome.lines[:3]
    found = [LINE.fullmatch(line) for line in outcome.lines[:3]]
    assert all(found)
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert [match.groups() for match in found if match] == [
        (str(row["epoch"]), str(row["validation_correct"]), "270") for row in rows
    ]
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert f"Validation accuracy {100 * rows[-1]['validation_accuracy']:.2f} % after epoch 3" in outcome.out
    assert f"Everything is in {folder}" in outcome.out
    for command in ("evaluate", "predict", "check"):
        assert f"glassnet {command} {folder}" in outcome.out
    assert {path.name for path in folder.iterdir()} == PROMISED


@pytest.mark.usefixtures("plain_figure")
def test_train_chooses_a_folder_that_is_free(cli: CommandLine) -> None:
    for name in ("digits", "digits-2", "digits-3"):
        outcome = cli.good("train", "digits", "--epochs", 1)
        assert f"Everything is in {Path('runs', name)}\n" in outcome.out
    assert sorted(path.name for path in Path("runs").iterdir()) == ["digits", "digits-2", "digits-3"]


@pytest.mark.usefixtures("plain_figure")
def test_train_takes_an_empty_folder(cli: CommandLine) -> None:
    Path("a").mkdir()
    cli.good("train", "digits", "--epochs", 1, "--out", "a")
    assert {path.name for path in Path("a").iterdir()} == PROMISED


@pytest.mark.usefixtures("plain_figure")
def test_options_and_settings_reach_the_recipe(cli: CommandLine) -> None:
    cli.good(
        "train", "digits", "--epochs", 2, "--seed", 7, "--set", "batch_size=64", "--set", "training.keep=best",
        "--set", 'optimizer={type="SGD", learning_rate=0.1}', "--set", "title=Mine", "--threads", 1, "--out", "a",
    )  # fmt: skip
    recipe = gn.load_recipe("a/recipe.toml")
    assert (recipe.title, recipe.training.epochs, recipe.training.seed) == ("Mine", 2, 7)
    assert (recipe.training.batch_size, recipe.training.keep) == (64, "best")
    assert recipe.training.optimizer == {"type": "SGD", "learning_rate": 0.1}
    assert gn.Network.load("a/model.safetensors").seed == 7


@pytest.mark.usefixtures("plain_figure")
def test_precision_reaches_the_recipe_and_the_check(cli: CommandLine) -> None:
    outcome = cli("train", "digits", "--precision", "bfloat16", "--epochs", 1, "--set", "batch_size=32", "--out", "a")
    assert outcome.code == 0
    assert outcome.err == "" or "bfloat16" in outcome.err  # where it is emulated
    assert gn.load_recipe("a/recipe.toml").training.precision == "bfloat16"
    line = next(line for line in cli.good("check", "a").lines if "kernels' gradient" in line)
    assert re.search(r"float32 \S+e-0[6-9], bfloat16 0\.0\d+", line)
    assert "kernels' gradient" not in cli.good("check", "digits").out


def test_the_runs_recipe_gives_the_same_weights_again(cli: CommandLine) -> None:
    cli.good("train", "digits", "--epochs", 2, "--seed", 3, "--set", "batch_size=50", "--out", "a")
    cli.good("train", "a/recipe.toml", "--out", "b")
    for name in ("model.safetensors", "recipe.toml"):
        assert Path("a", name).read_bytes() == Path("b", name).read_bytes()


@pytest.mark.usefixtures("plain_figure")
def test_one_epoch_is_not_compared_with_itself(cli: CommandLine) -> None:
    told = cli.good("train", "digits", "--epochs", 1, "--out", "a").out
    assert "% after epoch 1, which was saved." in told
    assert "the best" not in told


@pytest.mark.usefixtures("plain_figure")
def test_the_best_weights_are_kept_where_the_recipe_says_so(cli: CommandLine) -> None:
    outcome = cli.good("train", "digits", "--epochs", 4, "--set", "keep=best", "--out", "a")
    assert "Saved: the best." in outcome.out
    run = gn.Run.load("a")
    assert run.splits.validation is not None
    result = run.network.evaluate(run.splits.validation)
    assert result.accuracy == max(run.history.validation_accuracy)
    best = run.history.best_epoch
    assert best is not None
    assert f"the best was {100 * result.accuracy:.2f} % after epoch {best}" in outcome.out


@pytest.mark.usefixtures("plain_figure")
def test_augmentation_png_shows_what_training_sees(cli: CommandLine) -> None:
    from PIL import Image

    change = ("--set", "augmentation={rotation=20, shift=1}")
    said = cli.good("train", "digits", "--epochs", 1, "--out", "a", *change).out
    assert f"{Path('a') / 'augmentation.png'}   some training images, before and after augmentation" in said
    with Image.open("a/augmentation.png") as image:
        image.load()
        assert (image.format, min(image.size) > 300) == ("PNG", True)
        colours = np.asarray(image.convert("RGB")).reshape(-1, 3)
    assert len(np.unique(colours, axis=0)) > 50
    cli.good("train", "digits", "--epochs", 1, "--out", "b")
    assert not Path("b/augmentation.png").exists()


def test_training_png_is_an_image_that_can_be_read(cli: CommandLine) -> None:
    from PIL import Image

    cli.good("train", "digits", "--epochs", 2, "--out", "a")
    with Image.open("a/training.png") as image:
        assert image.format == "PNG"
        image.load()
        assert min(image.size) > 300
        colours = np.asarray(image.convert("RGB")).reshape(-1, 3)
    assert len(np.unique(colours, axis=0)) > 50  # something is drawn on it


@pytest.mark.usefixtures("plain_figure")
def test_a_folder_of_idx_files_instead_of_the_recipes_data(cli: CommandLine, idx: Callable[..., Path], here: Path) -> None:
    outcome = cli.good("train", "nielsen-30", "--data", idx(), "--epochs", 2, "--out", "a")
    assert [LINE.fullmatch(line) is not None for line in outcome.lines[:2]] == [True, True]
    assert outcome.lines[0].endswith(" / 10")
    assert gn.load_recipe("a/recipe.toml").data.path == str(here / "idx")
    assert "/ 20 correct" in cli.good("evaluate", "a").out  # found again, from the recipe


def test_a_cost_that_overflows_ends_with_1_and_an_explanation(cli: CommandLine) -> None:
    optimizer = 'optimizer={type="SGD", learning_rate=1e12}'
    outcome = cli("train", "digits", "--set", optimizer, "--set", "loss=Quadratic", "--out", "a")
    assert (outcome.code, outcome.err) == (1, "")
    assert outcome.out.count("Training ended early: the loss was no longer finite in epoch 1") == 1
    assert "Try a smaller learning rate, or clip_norm=1." in outcome.out
    assert np.isfinite(gn.Network.load("a/model.safetensors").parameters).all()


@pytest.mark.usefixtures("plain_figure")
def test_early_stopping_is_told(cli: CommandLine) -> None:
    optimizer = 'optimizer={type="SGD", learning_rate=1e-9}'
    outcome = cli.good("train", "digits", "--set", optimizer, "--set", "patience=2", "--out", "a")
    assert "Training ended early: no better for 2 epochs (early stopping, patience 2)" in outcome.out
    assert sum(line.startswith("Epoch ") for line in outcome.lines) == 3


@pytest.mark.usefixtures("plain_figure")
def test_resume_of_a_finished_run_changes_nothing(cli: CommandLine, digits_run: Path) -> None:
    kept = {name: (digits_run / name).read_bytes() for name in FILES - {"training.png", "report.html"}}
    outcome = cli.good("train", "--resume", digits_run)
    assert not any(line.startswith("Epoch ") for line in outcome.lines)
    assert {name: (digits_run / name).read_bytes() for name in kept} == kept


@pytest.mark.usefixtures("plain_figure")
def test_resume_with_more_epochs(cli: CommandLine) -> None:
    """At a constant rate, to the same bits as a training that was so long from the start."""
    rate = ("--set", "optimizer.learning_rate=0.001", "--out")
    cli.good("train", "digits", "--epochs", 3, *rate, "a")
    cli.good("train", "digits", "--epochs", 5, *rate, "b")
    outcome = cli.good("train", "--resume", "a", "--epochs", 5)
    assert [line.split(":")[0] for line in outcome.lines[:2]] == ["Epoch 4", "Epoch 5"]
    assert len(gn.Run.load("a").history) == 5
    for name in ("recipe.toml", "model.safetensors"):
        assert Path("a", name).read_bytes() == Path("b", name).read_bytes()


@pytest.mark.usefixtures("plain_figure")
def test_settings_reach_into_descriptions(cli: CommandLine) -> None:
    cli.good(
        "train", "digits", "--epochs", 1, "--set", "optimizer.learning_rate=0.1", "--set", "optimizer.type=SGD",
        "--set", "regularizer.l2=0.001", "--set", "network.loss.label_smoothing=0.1", "--out", "a",
    )  # fmt: skip
    recipe = gn.load_recipe("a/recipe.toml")
    assert recipe.training.optimizer == {"type": "SGD", "learning_rate": 0.1}
    assert recipe.network.regularizer == {"type": "L1L2", "l1": 0.0, "l2": 0.001}
    assert recipe.network.loss == {"type": "SoftmaxCrossEntropy", "label_smoothing": 0.1}
    network = gn.Network.load("a/model.safetensors")
    assert network.regularizer.rates == (0.0, 0.001)
    cli.good("train", "digits", "--epochs", 1, "--set", "optimizer.learning_rate.learning_rate=0.002", "--out", "b")
    schedule = {"type": "OneCycle", "learning_rate": 0.002}
    assert gn.load_recipe("b/recipe.toml").training.optimizer == {"type": "AdamW", "learning_rate": schedule}


# ------------------------------------------------------------------ chain


def test_chain_prints_every_gradient_beside_its_definition(cli: CommandLine) -> None:
    outcome = cli.good("train", "chain", "--out", "a")
    row = re.compile(r"  (dense\d\.weight\[0, 0\])  +([-+][\d.]+)  +([-+][\d.]+)  +([-+][\d.]+)  +([\d.e+-]+)")
    rows = [match.groups() for line in outcome.lines if (match := row.fullmatch(line))]
    assert outcome.lines[0] == "At the start"
    assert outcome.lines[1].split() == ["parameter", "value", "backpropagation", "numerical", "difference"]
    assert [name for name, *_ in rows[:3]] == [f"dense{i}.weight[0, 0]" for i in (1, 2, 3)]
    assert [float(value) for _, value, *_ in rows[:3]] == [0.2333, -0.233, -0.52133]
    assert len(rows) == 3 * (1 + outcome.out.count("After epoch "))
    assert outcome.out.count("After epoch ") >= 8
    for _, _, gradient, numerical, difference in rows:
        assert abs(float(gradient) - float(numerical)) < 1e-8
        assert float(difference) < 1e-8
    told = [int(line.split()[1][:-1]) for line in outcome.lines if line.startswith("Epoch ")]
    assert told == [1, *range(10, 161, 10)]  # as the recipe says: show_every = 10
    # the first gradients by hand: cost ½(e − ê)² with ê = w1·w2·w3·x and e = −x, for x = 1 and −1
    w1, w2, w3 = 0.2333, -0.233, -0.52133
    error = w1 * w2 * w3 + 1
    by_hand = [error * w2 * w3, error * w1 * w3, error * w1 * w2]
    np.testing.assert_allclose([float(found) for _, _, found, *_ in rows[:3]], by_hand, atol=1e-9)


@pytest.mark.usefixtures("plain_figure")
def test_chain_gets_both_signs_right(cli: CommandLine) -> None:
    cli.good("train", "chain", "--out", "a")
    outcome = cli.good("evaluate", "a")
    assert "2 / 2 correct" in outcome.out
    assert "Expected: both signs right" in outcome.out
    network = gn.Network.load("a/model.safetensors")
    assert network(np.array([[1.0]]))[0, 0] < 0 < network(np.array([[-1.0]]))[0, 0]


# ------------------------------------------------------------------ evaluate


def test_evaluate_notes_each_look_and_says_how_many(cli: CommandLine, digits_run: Path) -> None:
    ledger = digits_run / "ledger.jsonl"
    assert not ledger.exists()  # the test set was closed so far
    for command in (["check", digits_run], ["recipes"], ["datasets"]):
        cli.good(*command)
    assert not ledger.exists()
    first = cli.good("evaluate", digits_run)
    assert "This is the first evaluation on the test set; its result is unbiased." in first.out
    second = cli.good("evaluate", digits_run)
    assert "This is evaluation 2 on the test set." in second.out
    looks = [json.loads(line) for line in ledger.read_text().splitlines()]
    assert len(looks) == 2
    test = read_digits().test
    assert test is not None
    found = gn.Network.load(digits_run / "model.safetensors").evaluate(test)
    for look in looks:
        assert (look["correct"], look["total"]) == (found.correct, len(test))
        assert look["loss"] == pytest.approx(found.loss)
        assert set(look) == {"time", "correct", "total", "loss", "model"}
    assert looks[0]["model"] == looks[1]["model"]
    assert f"Test set: {found.correct} / {len(test)} correct: {100 * found.accuracy:.2f} %" in first.out
    assert {path.name for path in digits_run.iterdir()} <= PROMISED | {"ledger.jsonl"}


def test_int8_calibrates_a_run_and_says_so(cli: CommandLine, digits_run: Path) -> None:
    run = gn.Run.load(digits_run)
    assert run.splits.validation is not None
    assert run.splits.test is not None
    proof = run.network.calibrate(run.splits.validation.images)
    said = f"{digits_run} is calibrated for int8: {proof.text}"
    outcome = cli("evaluate", digits_run, "--precision", "int8")
    assert outcome.code == 0
    assert said in outcome.err
    assert outcome.lines[0] == f"Test set: {run.network.evaluate(run.splits.test, precision='int8')}"
    (look,) = map(json.loads, (digits_run / "ledger.jsonl").read_text().splitlines())
    assert look["precision"] == "int8"
    images = run.splits.test.images[:20]
    Path("folder").mkdir()
    for number, image in enumerate(images):
        np.save(f"folder/{number:02}.npy", image)
    files = sorted(Path("folder").iterdir())
    asked = ("predict", digits_run, *files, "--prepare", "none", "--precision", "int8", "--json")
    outcome = cli(*asked)
    assert said in outcome.err
    found = [list(answer["probabilities"].values()) for answer in json.loads(outcome.out)]
    np.testing.assert_allclose(found, run.network.predict_proba(images, precision="int8"), atol=1e-6)
    run.network.save(digits_run / "model.safetensors")  # with the calibration
    assert "calibrated" not in cli(*asked).err


def test_evaluate_tells_of_each_class(cli: CommandLine, digits_run: Path) -> None:
    outcome = cli.good("evaluate", digits_run)
    row = re.compile(r"  (\d) +(\d+) +(\d+) +([\d.]+) % +([\d.]+) %")
    rows = [match.groups() for line in outcome.lines if (match := row.fullmatch(line))]
    assert [name for name, *_ in rows] == [str(digit) for digit in range(10)]
    for _, total, found, recall, _ in rows:
        assert float(recall) == pytest.approx(100 * int(found) / int(total), abs=0.06)
    assert sum(int(total) for _, total, *_ in rows) == 268


# ------------------------------------------------------------------ predict


def test_predict_says_what_digits_show(cli: CommandLine, digit_images: list[tuple[Path, int]]) -> None:
    gn.train("digits", epochs=20, out="a")
    files = [path for path, _ in digit_images]
    outcome = cli.good("predict", "a", *files)
    assert len(outcome.lines) == len(files)
    for line, (path, digit) in zip(outcome.lines, digit_images, strict=True):
        match = re.fullmatch(r"(\S+): (\d)  ([\d.]+) %   \((\d) ([\d.]+) %, (\d) ([\d.]+) %\)", line)
        assert match, line
        assert (match[1], match[2]) == (str(path), str(digit))
        assert float(match[3]) >= float(match[5]) >= float(match[7])
        assert len({match[2], match[4], match[6]}) == 3
    assert cli.good("predict", "a/model.safetensors", *files).out == outcome.out  # the model file alone will do


def test_predict_as_json(cli: CommandLine, digits_run: Path, digit_images: list[tuple[Path, int]]) -> None:
    from PIL import Image

    files = [path for path, _ in digit_images]
    answers = json.loads(cli.good("predict", digits_run, *files, "--json").out)
    assert [answer["file"] for answer in answers] == [str(path) for path in files]
    images = np.stack([np.asarray(Image.open(path))[..., None] for path in files])
    shares = gn.Network.load(digits_run / "model.safetensors").predict_proba(images)
    for answer, row in zip(answers, shares, strict=True):
        assert set(answer) == {"file", "class", "index", "probabilities", "novel", "novelty", "prepared"}
        assert answer["novel"] is (answer["novelty"] > 1)
        assert answer["prepared"] == {"kind": "unchanged", "steps": [], "box": None}
        assert list(answer["probabilities"]) == [str(digit) for digit in range(10)]
        values = np.array(list(answer["probabilities"].values()))
        assert values.sum() == pytest.approx(1, abs=1e-5)
        np.testing.assert_allclose(values, row, atol=1e-6)
        assert answer["index"] == int(values.argmax())
        assert answer["class"] == str(answer["index"])


def test_predict_says_that_an_image_is_none_of_the_classes(cli: CommandLine, digits_run: Path) -> None:
    run = gn.Run.load(digits_run)
    noise = np.random.default_rng(2).integers(0, 256, (8, 8, 1)).astype(np.uint8)
    assert run.splits.test is not None
    images = {"strange": noise, "known": run.splits.test.images[0]}
    for name, image in images.items():
        np.save(f"{name}.npy", image)
    novelty = run.network.novelty(np.stack(list(images.values())))
    strange, known = cli.good("predict", digits_run, "strange.npy", "known.npy").lines
    assert novelty[1] < 1 < novelty[0]
    assert strange.endswith(f"   none of these? Unlike the training images: novelty {novelty[0]:.2f}, limit 1")
    assert known.endswith(")")
    answers = json.loads(cli.good("predict", digits_run, "strange.npy", "known.npy", "--json").out)
    assert [answer["novel"] for answer in answers] == [True, False]
    assert [answer["novelty"] for answer in answers] == pytest.approx(novelty, abs=1e-3)
    pair = json.loads(cli.good("predict", digits_run, "strange.npy", "--with", digits_run, "--json").out)
    assert pair[0]["novelty"] == answers[0]["novelty"]


def test_predict_with_a_model_that_has_no_novelty(cli: CommandLine, digit_images: list[tuple[Path, int]]) -> None:
    gn.Network([64, 20, 10], seed=1, input_shape=(8, 8, 1)).save("plain.safetensors")
    (answer,) = json.loads(cli.good("predict", "plain.safetensors", digit_images[0][0], "--json").out)
    assert (answer["novel"], answer["novelty"]) == (None, None)
    assert "none of these" not in cli.good("predict", "plain.safetensors", digit_images[0][0]).out


def test_predict_asks_the_network_once(
    cli: CommandLine, digits_run: Path, digit_images: list[tuple[Path, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, ask = [], gn.Network.predict_proba
    monkeypatch.setattr(
        gn.Network, "predict_proba", lambda self, images, **more: asked.append(len(images)) or ask(self, images)
    )
    cli.good("predict", digits_run, *(path for path, _ in digit_images))
    assert asked == [10]


def test_predict_inverted(cli: CommandLine, digits_run: Path, digit_images: list[tuple[Path, int]]) -> None:
    from PIL import Image, ImageOps

    light, _ = digit_images[3]
    ImageOps.invert(Image.open(light)).save("dark.png")
    expected = json.loads(cli.good("predict", digits_run, light, "--json").out)[0]
    found = json.loads(cli.good("predict", digits_run, "dark.png", "--json", "--invert").out)[0]
    assert found["probabilities"] == expected["probabilities"]
    np.save("floats.npy", np.zeros((8, 8, 1), np.float32))
    assert cli.wrong("predict", digits_run, "floats.npy", "--invert")["received"] == "an array of float32"


def test_predict_takes_npy_arrays(cli: CommandLine, digits_run: Path) -> None:
    test = read_digits().test
    assert test is not None
    np.save("one.npy", test.images[0])
    answers = json.loads(cli.good("predict", digits_run, "one.npy", "--json").out)
    found = gn.Network.load(digits_run / "model.safetensors").predict(test.images[0])
    assert [answer["index"] for answer in answers] == found.tolist()


# ------------------------------------------------------------------ check, recipes, datasets


@pytest.mark.parametrize("what", ["digits", "chain", "run"])
def test_check_of_recipes_and_runs(cli: CommandLine, digits_run: Path, what: str) -> None:
    outcome = cli.good("check", digits_run if what == "run" else what)
    assert "gradient check: passed" in outcome.lines
    assert "  largest error: dense" in outcome.out
    relative = re.search(r"relative error (\S+) over", outcome.out)
    assert relative
    assert float(relative[1]) < 1e-7
    assert ("backpropagation" in outcome.lines[0]) == (what == "chain")


def test_check_ends_with_1_where_a_gradient_is_wrong(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    right = gn.Dense.forward

    def wrong(layer: gn.Dense, x: np.ndarray, **options: Any) -> Any:
        y, backward = right(layer, x, **options)

        def slightly_wrong(dy: np.ndarray) -> Any:
            dx, gradients = backward(dy)
            return dx, {**gradients, "weight": 1.001 * gradients["weight"]}

        return y, slightly_wrong

    monkeypatch.setattr(gn.Dense, "forward", wrong)
    outcome = cli("check", "digits")
    assert (outcome.code, outcome.err) == (1, "")
    assert "gradient check: FAILED" in outcome.lines


def test_every_shipped_recipe_reads_and_makes_a_network(cli: CommandLine) -> None:
    recipes = gn.list_recipes()
    names = {recipe.name for recipe in recipes}
    expected = {"digits", "nielsen-30", "nielsen-100", "nielsen-rate-100", "nielsen-rate-0.001", "chain", "mnist-mlp"}
    assert names >= expected
    listing = cli.good("recipes").out
    for recipe in recipes:
        assert recipe.title
        assert recipe.about
        assert recipe.expect
        assert f"{recipe.name} " in listing
        assert recipe.title in listing
        assert gn.load_recipe(recipe.name) == recipe
    sizes = {"mnist": (28, 28, 1), "digits": (8, 8, 1)}
    for recipe in recipes:
        if recipe.data.dataset in sizes and not recipe.data.is_drawn:
            empty = np.zeros((20, *sizes[recipe.data.dataset]), dtype=np.uint8)
            data = gn.Dataset(empty, np.arange(20) % 10, classes=[str(i) for i in range(10)])
            network = recipe.make_network(gn.Splits(data, None, data))
            assert network.outputs == 10
            assert network.input_shape == sizes[recipe.data.dataset]


@pytest.mark.parametrize("name", [recipe.name for recipe in gn.list_recipes()])
def test_recipes_go_through_toml_and_back(cli: CommandLine, name: str) -> None:
    recipe = gn.load_recipe(name)
    shown = cli.good("recipes", name).out
    assert shown == recipe.to_toml() + "\n"
    Path("again.toml").write_text(shown, encoding="utf-8")
    assert gn.load_recipe("again.toml") == recipe
    assert gn.load_recipe(Path("again.toml")).to_toml() == recipe.to_toml()


def test_datasets_lists_what_there_is(cli: CommandLine, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSNET_DATA", str(here / "nowhere"))
    monkeypatch.setenv("GLASSNET_CACHE", str(here / "empty"))
    lines = cli.good("datasets").lines
    for name in ("digits", "mnist", "chinese-numerals", "cats", "cifar10", "chain"):
        assert any(line.startswith(f"{name}: ") for line in lines)
    assert any("not on this machine: glassnet datasets --fetch mnist" in line for line in lines)
    assert any("not on this machine: set GLASSNET_DATA to a folder that has cats.zip" in line for line in lines)
    assert "1,797" in "\n".join(lines)
    outcome = cli.good("datasets", "--fetch", "digits")  # nothing to download
    assert outcome.out.startswith("digits is available: ")


def test_version(cli: CommandLine) -> None:
    assert cli.good("--version").out == f"glassnet {gn.__version__}\n"


def test_help_lists_all_commands() -> None:
    assert sorted(command.name or "" for command in app.registered_commands) == sorted(COMMANDS)
    done = subprocess.run(
        [sys.executable, "-m", "glassnet", "--help"], capture_output=True, text=True, timeout=600, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: glassnet ")
    for name in COMMANDS:
        assert re.search(rf"^\W*{name} ", done.stdout, re.MULTILINE), name


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command(cli: CommandLine, name: str) -> None:
    outcome = cli.good(name, "--help")
    assert outcome.out.startswith(f"Usage: glassnet {name} ")


# ------------------------------------------------------------------ runs and names in Python


def test_run_load_gives_all_of_a_run(digits_run: Path) -> None:
    run = gn.Run.load(digits_run)
    assert isinstance(run.network, gn.Network)
    assert isinstance(run.history, gn.History)
    assert len(run.history) == 3
    assert isinstance(run.splits, gn.Splits)
    assert run.splits.test is not None
    assert run.looks == []
    assert run.evaluate().total == len(run.splits.test)
    assert len(run.looks) == 1
    again = gn.Run.load(str(digits_run))
    assert again.looks == run.looks
    np.testing.assert_array_equal(again.network.parameters, run.network.parameters)


def test_playground_writes_one_page_and_opens_none_where_there_is_no_screen(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    outcome = cli.good("playground", "--page", "own.html")
    assert outcome.lines[0].startswith("own.html   ")
    assert Path("own.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GLASSNET_CACHE", str(tmp_path / "cache"))
    outcome = cli.good("playground")
    assert (tmp_path / "cache" / "pages" / "playground.html").stat().st_size == Path("own.html").stat().st_size
    assert str(tmp_path / "cache" / "pages" / "playground.html") in outcome.lines[0]


def test_train_in_python_gives_the_run_that_lies_in_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = gn.train("digits", epochs=2, seed=4, out=tmp_path / "a")
    assert capsys.readouterr() == ("", "")  # quiet where nobody watches
    loaded = gn.Run.load(tmp_path / "a")
    np.testing.assert_array_equal(loaded.network.parameters, run.network.parameters)
    assert loaded.history.epochs == run.history.epochs
    assert loaded.recipe == run.recipe
    recipe = gn.load_recipe("digits").changed({"epochs": 2, "seed": 4})
    other = gn.train(recipe, out=tmp_path / "b")
    np.testing.assert_array_equal(other.network.parameters, run.network.parameters)


def test_a_run_that_was_moved_still_works(digits_run: Path) -> None:
    shutil.move(digits_run, "elsewhere")
    assert gn.Run.load("elsewhere").evaluate().accuracy > 0.8


def test_every_public_name_can_be_imported() -> None:
    for name in gn.__all__:
        assert getattr(gn, name) is not None
    assert set(gn.__all__) <= set(dir(gn))
    with pytest.raises(AttributeError, match="nothing"):
        _ = gn.nothing  # type: ignore[attr-defined]
