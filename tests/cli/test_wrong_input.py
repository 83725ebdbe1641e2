"""Wrong input: one clear message on stderr, exit code 2, no traceback, and nothing written."""

from __future__ import annotations

import errno
import gzip
import json
import os
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save

import glassnet as gn
from glassnet.data.readers.mnist import PARTS
from glassnet.support.storage import FORMAT, write_tensors

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

Array = np.ndarray[Any, Any]
SHIPPED = " | ".join(sorted(recipe.name for recipe in gn.list_recipes()))
GOOD = """
[data]
dataset = "digits"

[network]
layers = [64, 10, 10]

[training]
epochs = 2
"""


def recipe(text: str) -> str:
    Path("mine.toml").write_text(text, encoding="utf-8")
    return "mine.toml"


# ------------------------------------------------------------------ recipes


@pytest.mark.parametrize(
    ("setting", "what", "where"),
    [
        ("augmentation={rotaton=9}", "Unknown option of Augmentation.", "recipe digits, training.augmentation"),
        ("augmentation={shear=90}", "Invalid shear in Augmentation.", "recipe digits, Augmentation(shear)"),
        ("augmentation={flip='up'}", "Invalid flip in Augmentation.", "recipe digits, Augmentation(flip)"),
        ("augmentation=much", "A value of the recipe is wrong.", "recipe digits, training.augmentation"),
        ("precision=half", "A value of the recipe is wrong.", "recipe digits, training.precision"),
        ("plain_epochs=-1", "A value of the recipe is wrong.", "recipe digits, training.plain_epochs"),
        ("expand_shifts=8", "These images can't be shifted.", "expand_by_shifts(dataset)"),
    ],
)
def test_wrong_augmentation(cli: CommandLine, setting: str, what: str, where: str) -> None:
    parts = cli.wrong("train", "digits", "--set", setting)
    assert (parts["what"], parts["where"]) == (what, where)
    assert {"expected", "received"} < set(parts)


@pytest.mark.parametrize(
    ("command", "what", "expected"),
    [
        ("train", "There is no such recipe, file or folder.", f"a path, or a recipe: {SHIPPED}"),
        ("recipes", "Unknown recipe.", SHIPPED),
    ],
)
@pytest.mark.parametrize(("name", "near"), [("digts", "digits"), ("nielsen30", "nielsen-30"), ("Chain", "chain")])
def test_unknown_recipe_and_the_nearest(
    cli: CommandLine, command: str, what: str, expected: str, name: str, near: str
) -> None:
    assert cli.wrong(command, name) == {
        "what": what,
        "expected": expected,
        "received": repr(name),
        "try": f"did you mean {near!r}?",
    }


def test_unknown_recipe_and_none_is_near(cli: CommandLine) -> None:
    assert cli.wrong("recipes", "zzzzzz") == {"what": "Unknown recipe.", "expected": SHIPPED, "received": "'zzzzzz'"}
    assert "try" not in cli.wrong("train", "zzzzzz")


def test_a_misspelt_folder_is_not_only_an_unknown_recipe(cli: CommandLine) -> None:
    Path("photos").mkdir()
    assert cli.wrong("train", "photoss")["try"] == "did you mean 'photos'?"
    Path("digitz").mkdir()
    hint = "did you mean the recipe 'digits' or the file or folder 'digitz'?"
    assert cli.wrong("train", "digitx")["try"] == hint


def test_check_of_what_is_neither_recipe_nor_run(cli: CommandLine) -> None:
    for name, hint in (("runs/nowhere", {}), ("Chain", {"try": "did you mean 'chain'?"})):
        assert cli.wrong("check", name) == {
            "what": "There is no recipe or run folder of this name.",
            "expected": f"a run folder, a .toml file, or one of {SHIPPED}",
            "received": repr(name),
            **hint,
        }
    assert cli.wrong("check", "nowhere.toml")["what"] == "There is no such recipe file."


def test_recipe_file_that_is_not_there(cli: CommandLine) -> None:
    assert cli.wrong("train", "nowhere.toml") == {
        "what": "There is no such recipe file.",
        "where": "nowhere.toml",
        "try": "glassnet recipes lists the shipped ones",
    }


def test_malformed_toml_names_the_line(cli: CommandLine) -> None:
    parts = cli.wrong("train", recipe(GOOD.replace("epochs = 2", "epochs = = 2")))
    assert (parts["what"], parts["where"]) == ("The recipe is not valid TOML.", "mine.toml")
    assert "line 9" in parts["received"]


def test_recipe_that_is_not_text(cli: CommandLine) -> None:
    Path("mine.toml").write_bytes(b"\xff\xfe\x00")
    parts = cli.wrong("train", "mine.toml")
    assert (parts["what"], parts["where"]) == ("The recipe can't be read.", "mine.toml")


@pytest.mark.parametrize(
    ("text", "key", "near"),
    [
        (GOOD + "epoch = 3\n", "training.epoch", "epochs"),
        (GOOD.replace("epochs = 2", "epoch = 2"), "training.epoch", "epochs"),  # and not: epochs is missing
        (GOOD.replace("dataset", "datset"), "data.datset", "dataset"),
        ("titel = 'x'\n" + GOOD, "titel", "title"),
        (GOOD.replace("layers = ", "dtpye = 'float32'\nlayers = "), "network.dtpye", "dtype"),
    ],
)
def test_unknown_key_and_the_nearest(cli: CommandLine, text: str, key: str, near: str) -> None:
    parts = cli.wrong("train", recipe(text))
    assert parts["what"] == "A recipe has no such key."
    assert parts["where"] == f"mine.toml, {key}"
    assert near in parts["expected"].split(", ")
    assert parts["received"] == repr(key.rpartition(".")[2])
    assert parts["try"] == f"did you mean {near!r}?"


def test_missing_key(cli: CommandLine) -> None:
    parts = cli.wrong("train", recipe(GOOD.replace("epochs = 2", "")))
    assert parts["what"] == "A key of the recipe is missing."
    assert parts["where"] == "mine.toml, training.epochs"


@pytest.mark.parametrize(
    ("old", "new", "key", "expected", "received"),
    [
        ("epochs = 2", "epochs = 'two'", "training.epochs", "a valid integer", "'two'"),
        ("epochs = 2", "epochs = 2.0", "training.epochs", "a valid integer", "2.0"),
        ("epochs = 2", "epochs = true", "training.epochs", "a valid integer", "True"),
        ("epochs = 2", "epochs = 2\nkeep = 'all'", "training.keep", "'last' or 'best'", "'all'"),
        ("epochs = 2", "epochs = 2\npatience = 0", "training.patience", "greater than 0", "0"),
        ("epochs = 2", "epochs = 2\nseed = -1", "training.seed", "greater than or equal to 0", "-1"),
        ('dataset = "digits"', "dataset = 5", "data.dataset", "a valid string", "5"),
        ("layers = [64, 10, 10]", "layers = 'Dense'", "network.layers", "a valid list", "'Dense'"),
        ("[64, 10, 10]", "[64, 10, 10]\ndtype = 'float16'", "network.dtype", "'float32' or 'float64'", "'float16'"),
    ],
)
def test_mistyped_value(cli: CommandLine, old: str, new: str, key: str, expected: str, received: str) -> None:
    parts = cli.wrong("train", recipe(GOOD.replace(old, new)))
    assert parts == {
        "what": "A value of the recipe is wrong.",
        "where": f"mine.toml, {key}",
        "expected": expected,
        "received": received,
    }


def test_unknown_layer_loss_and_optimizer_in_a_recipe(cli: CommandLine) -> None:
    layers = "layers = ['Flatten', { type = 'Dense', units = 10 }, 'Rellu']"
    parts = cli.wrong("train", recipe(GOOD.replace("layers = [64, 10, 10]", layers)))
    assert parts["what"] == "Unknown layer."
    assert parts["where"] == "recipe mine, layer 3"
    assert (parts["received"], parts["try"]) == ("'Rellu'", "did you mean 'ReLU'?")
    parts = cli.wrong("train", recipe(GOOD.replace("layers =", "loss = 'Quadratisch'\nlayers =")))
    assert (parts["what"], parts["try"]) == ("Unknown loss.", "did you mean 'Quadratic'?")
    parts = cli.wrong("train", recipe(GOOD + "optimizer = 'Adamm'\n"))
    assert (parts["what"], parts["where"]) == ("Unknown optimizer.", "recipe mine, training.optimizer")
    parts = cli.wrong("train", recipe(GOOD + "optimizer = { type = 'SGD', lerning_rate = 1.0 }\n"))
    assert (parts["what"], parts["try"]) == ("Unknown option of SGD.", "did you mean 'learning_rate'?")


# ------------------------------------------------------------------ options


@pytest.mark.parametrize("epochs", [0, -1])
def test_epochs_below_one(cli: CommandLine, epochs: int) -> None:
    assert cli.wrong("train", "digits", "--epochs", epochs) == {
        "what": "A value of the recipe is wrong.",
        "where": "recipe digits, training.epochs",
        "expected": "greater than 0",
        "received": str(epochs),
    }


@pytest.mark.parametrize("size", [0, -32])
def test_batch_size_below_one(cli: CommandLine, size: int) -> None:
    parts = cli.wrong("train", "digits", "--set", f"batch_size={size}", "--out", "a")
    assert parts["where"] == "recipe digits, training.batch_size"
    assert (parts["expected"], parts["received"]) == ("greater than 0", str(size))


@pytest.mark.parametrize("rate", ["0", "0.0", "-3.0", "nan", "inf"])
def test_learning_rate_that_is_not_positive(cli: CommandLine, rate: str) -> None:
    parts = cli.wrong("train", "digits", "--set", f'optimizer={{type="SGD",learning_rate={rate}}}', "--out", "a")
    assert parts["what"] == "The learning rate must be positive."
    assert parts["where"] == "recipe digits, SGD(learning_rate)"
    assert parts["expected"] == "a number above 0"
    assert float(parts["received"]) == float(rate) or rate == parts["received"] == "nan"


def test_settings_that_are_none(cli: CommandLine) -> None:
    parts = cli.wrong("train", "digits", "--set", "epochs")
    assert parts == {
        "what": "A setting must be KEY=VALUE.",
        "where": "--set",
        "expected": "training.epochs=5",
        "received": "'epochs'",
    }
    parts = cli.wrong("train", "digits", "--set", "batchsize=5")
    assert (parts["what"], parts["where"]) == ("A recipe has no such key.", "--set batchsize")
    assert parts["try"] in ("did you mean 'batch_size'?", "did you mean 'training.batch_size'?")
    for key, near in (
        ("learning_rat", "learning_rate"),
        ("training.learning_rate", "learning_rate"),
        ("momentum", "optimizer.momentum"),
    ):
        assert cli.wrong("train", "digits", "--set", f"{key}=0.5")["try"] == f"did you mean {near!r}?"
    for rate in ("much", "-1"):
        parts = cli.wrong("train", "digits", "--set", f"learning_rate={rate}")
        assert (parts["where"], parts["received"]) == ("recipe digits, OneCycle(learning_rate)", rate)
    parts = cli.wrong("train", "digits", "--set", "learning_rate=1", "--set", "optimizer=ScipyMinimize")
    assert (parts["what"], parts["received"]) == ("Unknown option of ScipyMinimize.", "'learning_rate'")
    parts = cli.wrong("train", "digits", "--set", "epochs=many")
    assert (parts["where"], parts["received"]) == ("recipe digits, training.epochs", "'many'")


def test_settings_inside_descriptions_that_are_none(cli: CommandLine) -> None:
    parts = cli.wrong("train", "digits", "--set", "optimizer.learning_rat=0.1")
    assert (parts["what"], parts["try"]) == ("Unknown option of AdamW.", "did you mean 'learning_rate'?")
    parts = cli.wrong("train", "digits", "--set", "optimizer.learning_rate=-1")
    assert (parts["what"], parts["where"]) == ("The learning rate must be positive.", "recipe digits, AdamW(learning_rate)")
    parts = cli.wrong("train", "digits", "--set", "optimizer.learning_rate.learning_rate.x=1")
    assert parts["where"] == "recipe digits, OneCycle(learning_rate)"
    parts = cli.wrong("train", "digits", "--set", "regularizer.rate=0.1")
    assert (parts["what"], parts["expected"]) == ("Unknown option of L1L2.", "l1 | l2")
    for key in ("epochs.x", "name.x", "optimizer.", "optimizer..x", ".optimizer", "seed.learning_rate"):
        assert cli.wrong("train", "digits", "--set", f"{key}=1")["what"] == "A recipe has no such key."


def test_a_schedule_does_not_become_longer_midway(cli: CommandLine, digits_run: Path) -> None:
    for epochs in (5, 2):
        parts = cli.wrong("train", "--resume", digits_run, "--epochs", epochs)
        assert "follows a schedule over the whole training" in parts["what"]
        assert parts["where"] == f"{digits_run / 'checkpoint.safetensors'}, epochs"
        assert (parts["expected"], parts["received"]) == ("3", str(epochs))
        assert "start a new training" in parts["try"]


@pytest.mark.parametrize("average", ["0", "1", "-1", "nan", "much"])
def test_a_moving_average_that_is_none(cli: CommandLine, average: str) -> None:
    parts = cli.wrong("train", "digits", "--set", f"average={average}", "--out", "a")
    assert parts["where"] == "recipe digits, training.average"


# ------------------------------------------------------------------ data


def test_missing_data_says_how_to_get_it(cli: CommandLine, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSNET_DATA", str(here / "nowhere"))
    monkeypatch.setenv("GLASSNET_CACHE", str(here / "empty"))  # no kernel is needed before the data is there
    for command in ("train", "check"):
        parts = cli.wrong(command, "nielsen-30")
        assert parts["what"] == "MNIST is not on this machine."
        assert str(here / "nowhere") in parts["where"]
        assert str(here / "empty" / "data" / "mnist") in parts["where"]
        assert all(name in parts["expected"] for name in PARTS)
        assert parts["try"] == "`glassnet datasets --fetch mnist` downloads it (11 MB); or set GLASSNET_DATA to its folder"


def test_data_that_is_nowhere_or_of_no_kind(cli: CommandLine, here: Path) -> None:
    parts = cli.wrong("train", "digits", "--data", "nowhere")
    assert parts["what"] == "There is no data set of this name, and no such file or folder."
    assert parts["received"] == repr(str(here / "nowhere"))
    Path("empty").mkdir()
    parts = cli.wrong("train", "digits", "--data", "empty")
    assert parts["what"] == "There is no data set in this path that can be read."
    assert parts["where"] == str(here / "empty")
    assert "IDX" in parts["expected"]
    parts = cli.wrong("datasets", "--fetch", "minst")
    assert parts["try"] == 'did you mean "mnist"?'


IMAGES = np.zeros((60, 28, 28))


@pytest.mark.parametrize(
    ("place", "content", "what", "expected", "received"),
    [
        (
            0,
            struct.pack(">BBBB3I", 0, 0, 8, 3, 60, 28, 28) + bytes(1000),
            "The file is too short: it was cut off, or its header is wrong.",
            "47056 bytes, for 60×28×28 numbers of 1 bytes",
            "1016 bytes",
        ),
        (1, b"\0\0\x08", "The file is too short: it was cut off, or its header is wrong.", "at least 8 bytes", "3 bytes"),
        (
            2,
            b"\x89PNG" + bytes(100),
            "This is not an IDX file: its magic number is wrong.",
            "00 00, then a kind of number",
            "89 50 4e 47",
        ),
        (1, np.zeros(59), "There are not as many labels as images.", "60 labels", "59 labels"),
        (3, np.zeros(21), "There are not as many labels as images.", "20 labels", "21 labels"),
        (1, np.full(60, 10), "A label is not a digit.", "0 to 9", "10"),
        (0, np.zeros(60), "The file does not hold images.", "uint8, 3 dimensions", "shape (60,), dtype uint8"),
        (2, np.zeros((20, 8, 8)), "The training and the test images differ in their shape.", "(28, 28, 1)", "(8, 8, 1)"),
    ],
)
def test_damaged_idx_files(
    cli: CommandLine,
    idx: Callable[..., Path],
    place: int,
    content: Array | bytes,
    what: str,
    expected: str,
    received: str,
) -> None:
    folder = idx({place: content})
    parts = cli.wrong("train", "nielsen-30", "--data", folder, "--out", "a")
    assert parts["what"] == what
    assert PARTS[place] in parts["where"]
    assert expected in parts["expected"]
    assert parts["received"] == received


def test_a_pickle_with_code_in_it(cli: CommandLine, here: Path) -> None:
    """Refused by a shipped recipe, and where the file is one's own data: nothing of it has run."""
    content = b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x09touch ran\x85R."
    (here / "evil.pkl.gz").write_bytes(gzip.compress(content))
    for arguments in (("train", "nielsen-30", "--data", "evil.pkl.gz"), ("train", "evil.pkl.gz"), ("inspect", "evil.pkl.gz")):
        parts = cli.wrong(*arguments)
        assert parts.pop("where").endswith("evil.pkl.gz, byte 15")
        assert parts == {
            "what": "The pickle holds more than arrays. Loading it could run any code, so it is not loaded.",
            "expected": "NumPy arrays of numbers or texts, in tuples or lists",
            "received": "GLOBAL os system",
            "try": "np.savez with the arrays alone writes a file that can be read",
        }


def test_idx_file_that_is_missing(cli: CommandLine, idx: Callable[..., Path]) -> None:
    folder = idx()
    (folder / PARTS[3]).unlink()
    parts = cli.wrong("train", "nielsen-30", "--data", folder)
    assert parts["what"] == "The folder does not hold MNIST's four files."
    assert parts["received"].endswith(f"lacks {PARTS[3]}")


def test_data_that_does_not_fit_the_network(cli: CommandLine, idx: Callable[..., Path]) -> None:
    parts = cli.wrong("train", "digits", "--set", "layers=[64,30,5]", "--set", "loss=Quadratic", "--out", "a")
    assert parts["what"] == "The number of class names does not fit the network's outputs."
    assert (parts["expected"], parts["received"]) == ("5 names", "10: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9")
    assert parts["try"] == "give the last Dense layer 10 units, or use an architecture, which adapts to the number of classes"
    parts = cli.wrong("train", "digits", "--set", "layers=[63,30,10]", "--set", "loss=Quadratic", "--out", "a")
    assert parts["what"] == "The images do not fit the network."
    parts = cli.wrong("train", recipe(GOOD), "--data", idx(), "--out", "a")
    assert parts["what"] == "The images do not fit the network."
    assert "(N, 64)" in parts["expected"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_no_numbers(cli: CommandLine, trained: Path, value: float) -> None:
    images, labels = np.zeros((4, 8, 8, 1), dtype=np.float32), np.arange(4)
    images[2, 5, 5, 0] = value
    with pytest.raises(gn.InputError) as caught:
        gn.Dataset(images, labels)
    assert caught.value.what == "Some values are NaN or infinite as float32."
    assert caught.value.where == "Dataset(images), item 2"
    network = gn.Network.load(trained / "model.safetensors")
    for use in (network, network.predict, network.predict_proba):
        with pytest.raises(gn.InputError) as caught:
            use(images)
        assert (caught.value.what, caught.value.where) == ("An image holds NaN or infinity.", "image 2")
    np.save("image.npy", images[2])
    parts = cli.wrong("predict", trained, "image.npy")
    assert parts["what"] == "Some values are NaN or infinite as float32."
    assert "image.npy" in parts["where"]


@pytest.mark.parametrize("labels", [[0, 1, 2, -1], [0, 1, 2, 4]])
def test_labels_out_of_range(labels: list[int]) -> None:
    with pytest.raises(gn.InputError) as caught:
        gn.Dataset(np.zeros((4, 8, 8)), labels, classes=("a", "b", "c", "d"))
    assert (caught.value.what, caught.value.where) == ("A label is out of range.", "Dataset(labels), item 3")
    assert str(caught.value.received).startswith(str(labels[3]))


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"epochs": 0}, "fit(epochs)"),
        ({"epochs": -2}, "fit(epochs)"),
        ({"epochs": 1.5}, "fit(epochs)"),
        ({"batch_size": 0}, "fit(batch_size)"),
        ({"batch_size": -1}, "fit(batch_size)"),
    ],
)
def test_fit_refuses_what_can_not_be(options: dict[str, Any], where: str) -> None:
    network = gn.Network([4, 3, 2], seed=0)
    before = network.parameters
    with pytest.raises(gn.InputError) as caught:
        network.fit((np.zeros((6, 4)), np.arange(6) % 2), **options)
    assert (caught.value.where, caught.value.expected) == (where, "1 or more")
    np.testing.assert_array_equal(network.parameters, before)


@pytest.mark.parametrize("rate", [0, 0.0, -1.0, float("nan"), float("inf")])
def test_optimizers_refuse_rates(rate: float) -> None:
    for kind in (gn.SGD, gn.Adam, gn.AdamW, gn.RMSprop):
        with pytest.raises(gn.InputError, match=r"The learning rate must be positive\."):
            kind(rate)


# ------------------------------------------------------------------ model files


def read_model(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    with safe_open(path, framework="numpy") as file:
        names = list(file.keys())
        return {name: file.get_tensor(name) for name in names}, json.loads(file.metadata()["glassnet"])


def rewrite(path: Path, tensors: dict[str, Array], header: object) -> None:
    """Save the file anew, as glassnet would: with a checksum that fits, where it is of this version."""
    if isinstance(header, dict) and header.get("format") == FORMAT:
        write_tensors(path, tensors, {name: value for name, value in header.items() if name not in ("format", "sha256")})
    else:
        path.write_bytes(save(tensors, {"glassnet": json.dumps(header)}))


@pytest.fixture
def image() -> str:
    np.save("image.npy", np.zeros((8, 8), dtype=np.uint8))
    return "image.npy"


@pytest.mark.parametrize("kept", [0, 5, 100, 0.5, -1])
def test_truncated_model(cli: CommandLine, digits_run: Path, image: str, kept: float) -> None:
    path = digits_run / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    for command in (("predict", digits_run, image), ("predict", path, image), ("evaluate", digits_run)):
        parts = cli.wrong(*command)
        assert parts["what"] == "The file can't be read: it is damaged, cut off or not a safetensors file."
        assert parts["where"] == str(path)
        assert parts["expected"] == "a model saved by glassnet"
        assert parts["received"]


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n" + bytes(64), b"hello", b"PK\x03\x04" + bytes(200)])
def test_model_that_is_no_safetensors_file(cli: CommandLine, digits_run: Path, image: str, content: bytes) -> None:
    (digits_run / "model.safetensors").write_bytes(content)
    parts = cli.wrong("predict", digits_run, image)
    assert parts["what"] == "The file can't be read: it is damaged, cut off or not a safetensors file."


def test_model_of_another_version(cli: CommandLine, digits_run: Path, image: str) -> None:
    path = digits_run / "model.safetensors"
    tensors, header = read_model(path)
    rewrite(path, tensors, {**header, "format": 3})
    assert cli.wrong("predict", digits_run, image) == {
        "what": "The file has another version.",
        "where": str(path),
        "expected": "format 2",
        "received": "format 3",
        "try": "save it again with this version of glassnet, or install the version that saved it",
    }


def test_model_with_wrong_arrays(cli: CommandLine, digits_run: Path, image: str) -> None:
    path = digits_run / "model.safetensors"
    tensors, header = read_model(path)
    rewrite(path, {**tensors, "dense2.weight": tensors["dense2.weight"][:, :-1].copy()}, header)
    assert cli.wrong("predict", digits_run, image) == {
        "what": "An array in the file has the wrong shape.",
        "where": f"{path}, dense2.weight",
        "expected": "(128, 128)",
        "received": "(128, 127)",
    }
    rewrite(path, {name: array for name, array in tensors.items() if name != "dense3.bias"}, header)
    parts = cli.wrong("check", digits_run)
    assert parts["what"] == "The arrays in the file are not those of the layers."
    assert parts["received"] == "dense3.bias is missing"
    rewrite(path, {**tensors, "dense9.bias": tensors["dense3.bias"]}, header)
    assert cli.wrong("evaluate", digits_run)["received"] == "an additional dense9.bias"
    rewrite(path, {**tensors, "dense3.bias": tensors["dense3.bias"] * np.nan}, header)
    parts = cli.wrong("evaluate", digits_run)
    assert (parts["what"], parts["where"]) == ("An array in the file holds NaN or infinity.", f"{path}, dense3.bias")


def test_model_with_a_wrong_header(cli: CommandLine, digits_run: Path, image: str) -> None:
    path = digits_run / "model.safetensors"
    tensors, header = read_model(path)
    for wrong in ([], "model", 5, None):
        rewrite(path, tensors, wrong)
        assert cli.wrong("predict", path, image)["what"] == "The file was not saved by glassnet."
    path.write_bytes(save(tensors))
    parts = cli.wrong("predict", path, image)
    assert (parts["what"], parts["received"]) == ("The file was not saved by glassnet.", "no glassnet header")
    for key in ("layers", "loss", "input_shape", "classes", "dtype"):
        rewrite(path, tensors, {name: value for name, value in header.items() if name != key})
        assert cli.wrong("predict", path, image)["what"] == "The file's header does not describe a network."
    path.write_bytes((digits_run / "checkpoint.safetensors").read_bytes())
    parts = cli.wrong("predict", path, image)
    assert (parts["what"], parts["received"]) == ("The file is not a model.", "a checkpoint")


# ------------------------------------------------------------------ images


def png_of(width: int, height: int) -> bytes:
    """A grey PNG file that claims a size, with next to nothing in it."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("name", "content", "what", "received"),
    [
        ("words.png", b"no image at all", "The file is not an image.", "other bytes"),
        ("page.html", b"<!DOCTYPE html><p>404</p>", "The file is not an image.", "other bytes"),
        ("empty.png", b"", "The image file is empty.", "0 bytes"),
        ("bomb.png", png_of(9000, 9000), "The image is too large to be opened safely.", "9000 × 9000 pixels"),
        ("bigger.png", png_of(60000, 60000), "The image is too large to be opened safely.", "far more"),
        ("words.npy", b"no array", "The array is damaged.", "its first bytes are not those of a .npy file"),
    ],
)
def test_images_that_are_none(cli: CommandLine, trained: Path, name: str, content: bytes, what: str, received: str) -> None:
    Path(name).write_bytes(content)
    parts = cli.wrong("predict", trained, name)
    assert (parts["what"], parts["where"], parts["received"]) == (what, name, received)
    assert cli.wrong("predict", trained, name, "--json") == parts


def test_damaged_image(cli: CommandLine, trained: Path, digit_images: list[tuple[Path, int]]) -> None:
    path = digit_images[0][0]
    path.write_bytes(path.read_bytes()[:-30])
    parts = cli.wrong("predict", trained, path)
    assert parts["what"] == "The image can't be decoded: it is damaged, cut off or of a rare kind."
    assert parts["where"] == str(path)


def test_array_of_another_shape(cli: CommandLine, trained: Path, digit_images: list[tuple[Path, int]]) -> None:
    np.save("large.npy", np.zeros((20, 28), np.uint8))
    good = digit_images[0][0]
    parts = cli.wrong("predict", trained, good, "large.npy")  # one wrong array among good images: nothing is said of these
    assert parts["what"] == "The array does not have the model's input shape."
    assert parts["where"] == "large.npy"
    assert parts["expected"] == "(8, 8, 1), that is (height, width, channels)"
    assert parts["received"] == "(20, 28, 1)"
    assert parts["try"] == "resize it like the training images"


def test_image_that_is_missing_or_a_folder(cli: CommandLine, trained: Path) -> None:
    parts = cli.wrong("predict", trained, "nowhere.png")
    assert parts["what"] == "The image can't be read."
    assert (parts["where"], parts["received"]) == ("nowhere.png", "No such file or directory")
    Path("folder").mkdir()
    parts = cli.wrong("predict", trained, "folder")
    assert (parts["what"], parts["received"]) == ("There are no images here.", "nothing")  # folders are read, this is empty


# ------------------------------------------------------------------ run folders


@pytest.mark.parametrize("out", ["file/run", "file/deep/run", "/proc/glassnet-run"])
def test_output_folder_that_can_not_be_written(cli: CommandLine, out: str) -> None:
    Path("file").write_text("in the way")
    if out.startswith("/proc") and not Path("/proc").is_dir():
        pytest.skip("there is no /proc on this system")
    parts = cli.wrong("train", "digits", "--epochs", 1, "--out", out)
    assert parts["what"] == "The run's folder can't be written."
    assert parts["where"] == out
    assert parts["received"]
    assert parts["try"] == "choose another with --out"


def test_output_folder_that_is_in_use(cli: CommandLine, digits_run: Path) -> None:
    assert cli.wrong("train", "digits", "--out", digits_run) == {
        "what": "The folder for the run is not empty.",
        "where": str(digits_run),
        "expected": "a new or empty folder",
        "try": f"choose another, or resume it: glassnet train --resume {digits_run}",
    }
    Path("photos").mkdir()
    Path("photos", "cat.jpg").write_text("x")
    parts = cli.wrong("train", "digits", "--out", "photos")
    assert (parts["what"], parts["try"]) == ("The folder for the run is not empty.", "choose another with --out")
    Path("file").write_text("x")
    assert cli.wrong("train", "digits", "--out", "file")["where"] == "file"


@pytest.mark.parametrize("seeds", [[], ["--seeds", 2]], ids=["one", "several"])
def test_a_folder_that_was_there_stays(cli: CommandLine, seeds: list[object]) -> None:
    """What can't begin takes back the folder that it made, and no other."""
    Path("mine").mkdir()
    for out in ("mine", "new"):
        cli.wrong("train", "digits", *seeds, "--set", "optimizer=ScipyMinimize", "--set", "average=0.9", "--out", out)
    assert Path("mine").is_dir()
    assert not Path("new").exists()


def test_a_full_disk_leaves_no_empty_folder(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("glassnet.experiment.keeping.write_text", full)
    Path("mine").mkdir()
    for out in ("mine", "new"):
        parts = cli.wrong("train", "digits", "--epochs", 1, "--out", out)
        assert (parts["what"], parts["received"]) == ("The run's folder can't be written.", os.strerror(errno.ENOSPC))
    assert Path("mine").is_dir()
    assert not Path("new").exists()


def test_files_that_look_half_written_stay(cli: CommandLine) -> None:
    """Only a folder with nothing but what a killed run left in it counts as empty."""
    Path("mine").mkdir()
    names = [".report.html.abcd1234.part", ".recipe.toml.abcd1234.glassnet.part"]
    for name in names:
        Path("mine", name).write_text("x")
    assert cli.wrong("train", "digits", "--epochs", 1, "--out", "mine")["what"] == "The folder for the run is not empty."
    assert sorted(path.name for path in Path("mine").iterdir()) == sorted(names)
    Path("mine", names[0]).unlink()
    cli.good("train", "digits", "--epochs", 1, "--out", "mine")
    assert not list(Path("mine").glob("*.part"))


def test_runs_that_are_none(cli: CommandLine, image: str) -> None:
    Path("empty").mkdir()
    commands = (["train", "--resume"], ["evaluate"], ["predict"], ["check"])
    for command in commands:
        extra = [image] if command == ["predict"] else []
        parts = cli.wrong(*command, "empty", *extra)
        assert parts["what"] == "This is not a run folder."
        assert parts["where"] == "empty"
        assert parts["expected"] == "a folder with a recipe.toml, written by glassnet train"
        assert parts["received"] == "no recipe.toml in it"
    for command in commands[:3]:
        extra = [image] if command == ["predict"] else []
        parts = cli.wrong(*command, "nowhere", *extra)
        assert (parts["what"], parts["received"]) == ("This is not a run folder.", "no such folder")


def test_run_without_a_model_says_how_to_go_on(cli: CommandLine, digits_run: Path, image: str) -> None:
    (digits_run / "model.safetensors").unlink()
    for command in (["evaluate", digits_run], ["check", digits_run], ["predict", digits_run, image]):
        parts = cli.wrong(*command)
        assert parts["what"] == "The run has no model yet: its training was interrupted."
        assert parts["try"] == f"glassnet train --resume {digits_run}"


def test_run_with_a_damaged_history(cli: CommandLine, digits_run: Path) -> None:
    path = digits_run / "history.jsonl"
    good = path.read_text().splitlines()
    assert '"dense1.weight": ' in good[0]
    for lines, received in (
        (["{"], "line 1: not a complete JSON object"),
        ([], "nothing"),
        (["[]"], "line 1: expected a JSON object, received []"),
        (["[" * 100_000], "line 1: not a complete JSON object (maximum recursion depth exceeded"),
        ([good[0], good[1][:-9], good[2]], "line 2: not a complete JSON object"),
        ([*good, ""], "line 4: not a complete JSON object"),
        (
            [good[0], good[1].replace("dense1.weight", "dense1.wieght", 1)],
            "line 2: gradient_norms: expected the names of the lines before",
        ),
        (
            [row.replace("dense1.weight", "dense1.wieght") for row in good],
            "line 1: gradient_norms: the network has no 'dense1.wi",
        ),
        ([row.replace('"relu1"', '"relu9"') for row in good], "line 1: activations: the network has no 'relu9'"),
        ([good[0], good[2]], "line 2: epoch: expected 2, received 3"),
        (good[1:], "line 1: epoch: expected 1, received 2"),
    ):
        path.write_text("".join(f"{line}\n" for line in lines))
        for command in ("evaluate", "report", "diagnose"):
            parts = cli.wrong(command, digits_run)
            assert parts["what"] == "The run's history can't be read."
            assert parts["where"] == str(path)
            assert received in parts["received"]


@pytest.mark.parametrize(
    ("change", "received"),
    [
        (lambda text: text[:-9], "line 2: not a complete JSON object"),
        (lambda text: "", "an empty file"),
        (lambda text: "\n" + text, "line 1: not a complete JSON object"),
        (lambda text: text + "5\n", "line 3: 5"),
        (lambda text: text.replace('"total"', '"totel"', 1), 'line 1: {'),
        (lambda text: text.replace('"correct": ', '"correct": 1', 1), 'line 1: {'),
        (lambda text: text.replace('"loss": ', '"loss": "', 1).replace(', "model', '", "model', 1), 'line 1: {'),
        (lambda text: text.encode("utf-16").decode("latin-1"), "line 1: not a complete JSON object"),
    ],
)  # fmt: skip
def test_a_damaged_ledger_is_neither_read_nor_written(
    cli: CommandLine, digits_run: Path, change: Callable[[str], str], received: str
) -> None:
    run = gn.Run.load(digits_run)
    run.evaluate()
    run.evaluate()
    path = digits_run / "ledger.jsonl"
    path.write_text(change(path.read_text()))
    shutil.copytree(digits_run, "other")
    for command in (
        ("evaluate", digits_run),
        ("evaluate", "other", digits_run),
        ("report", digits_run, "--figures", "charts"),
    ):
        parts = cli.wrong(*command)  # which compares all files with those before
        assert parts["what"] == "The run's ledger is damaged."
        assert parts["where"] in (str(path), "other/ledger.jsonl")
        assert received in parts["received"]
        assert parts["try"] == "correct that line, or restore an undamaged copy of the file"


def test_a_look_is_added_and_the_others_stay_as_they_are(cli: CommandLine, digits_run: Path) -> None:
    path = digits_run / "ledger.jsonl"
    run = gn.Run.load(digits_run)
    run.evaluate()
    kept = path.read_text().replace(", ", ",  ").removesuffix("\n")  # by an editor that leaves no end of line
    path.write_text(kept)
    run.evaluate()
    assert path.read_text().startswith(kept + "\n")
    assert len(run.looks) == 2
    assert run.looks[0].keys() == run.looks[1].keys()


def test_a_ledger_that_can_not_be_read(cli: CommandLine, digits_run: Path) -> None:
    (digits_run / "ledger.jsonl").mkdir()
    assert cli.wrong("evaluate", digits_run)["received"] == "Is a directory"


def test_files_without_checksums_are_read_with_a_remark(
    cli: CommandLine, digits_run: Path, digit_images: list[tuple[Path, int]]
) -> None:
    for name in ("model", "checkpoint"):
        path = digits_run / f"{name}.safetensors"
        tensors, header = read_model(path)
        header = {"format": 1, **{name: value for name, value in header.items() if name not in ("format", "sha256")}}
        path.write_bytes(save(tensors, {"glassnet": json.dumps(header)}))
    said = "saved by an earlier version without a checksum. Damage can't be detected: save it again."
    for command in (("predict", digits_run, digit_images[0][0]), ("evaluate", digits_run)):
        outcome = cli(*command)
        assert (outcome.code, outcome.err) == (0, f"glassnet: {digits_run / 'model.safetensors'}: {said}\n")
    outcome = cli("train", "--resume", digits_run)
    assert (outcome.code, outcome.err) == (0, f"glassnet: {digits_run / 'checkpoint.safetensors'}: {said}\n")
    assert cli.good("predict", digits_run, digit_images[0][0]).lines  # it was saved anew


@pytest.mark.parametrize(
    ("change", "where", "expected", "received"),
    [
        ("seed=5", "seed", "5", "0"),
        ("batch_size=16", "batch_size", "16", "32"),
        ("optimizer=AdamW", "optimizer", "'learning_rate': 0.001", "OneCycle"),
        ("loss=Quadratic", "loss", "{'type': 'Quadratic'}", "SoftmaxCrossEntropy"),
        ('regularizer="L2"', "regularizer", "'L2'", "Regularizer"),
        ("layers=[64,10]", "layers", "4", "9"),
    ],
)
def test_checkpoint_of_another_training(
    cli: CommandLine, digits_run: Path, change: str, where: str, expected: str, received: str
) -> None:
    parts = cli.wrong("train", "--resume", digits_run, "--set", change)
    assert parts["what"] == "The checkpoint belongs to another training."
    assert parts["where"] == f"{digits_run / 'checkpoint.safetensors'}, {where}"
    assert expected in parts["expected"]
    assert received in parts["received"]
    assert parts["try"] == "resume with the same settings, or start a new run in another folder"


def test_checkpoint_of_the_same_shapes_but_other_layers(cli: CommandLine, digits_run: Path) -> None:
    recipe = digits_run / "recipe.toml"
    recipe.write_text(recipe.read_text(encoding="utf-8").replace('"ReLU"', '"Tanh"', 1), encoding="utf-8")
    parts = cli.wrong("train", "--resume", digits_run)
    assert parts["what"] == "The checkpoint belongs to another training."
    assert parts["where"].endswith(", layer 4")
    assert (parts["expected"], parts["received"]) == ("{'type': 'Tanh'}", "{'type': 'ReLU'}")


def test_checkpoint_that_is_damaged(cli: CommandLine, digits_run: Path) -> None:
    path = digits_run / "checkpoint.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    parts = cli.wrong("train", "--resume", digits_run)
    assert parts["what"] == "The file can't be read: it is damaged, cut off or not a safetensors file."
    assert parts["expected"] == "a checkpoint saved by glassnet"
    path.write_bytes(content)
    tensors, header = read_model(path)
    rewrite(path, tensors, {**header, "format": 99})
    assert cli.wrong("train", "--resume", digits_run)["received"] == "format 99"
    rewrite(path, {**tensors, "first": tensors["first"][:-1].copy()}, header)
    parts = cli.wrong("train", "--resume", digits_run)
    assert parts["what"] == "An array of the checkpoint does not fit the network."
    assert parts["where"] == f"{path}, first"
    for name in ("parameters", "second"):
        rewrite(path, {key: array for key, array in tensors.items() if key != name}, header)
        parts = cli.wrong("train", "--resume", digits_run)
        assert parts["what"] == "The checkpoint is incomplete or damaged."
        assert name in parts["received"]
    path.write_bytes((digits_run / "model.safetensors").read_bytes())
    parts = cli.wrong("train", "--resume", digits_run)
    assert (parts["what"], parts["received"]) == ("The file is not a checkpoint.", "a model")
