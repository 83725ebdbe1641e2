"""Sixty wrong command lines and ten half-right ones: each ends with one message and code 2, and writes nothing."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

RECIPE = '[data]\ndataset = "digits"\n[network]\nlayers = [64, 10]\n[training]\nepochs = 1\n'

WRONG = [  # the command after `glassnet`, what is said, and a part of the rest of the message
    # command lines
    ("tarin", "No such command 'tarin'.", ""),
    ("train", "Give either a recipe to train or a run to resume.", "try: glassnet train digits"),
    ("train digits chain", "Got unexpected extra argument", ""),
    ("train digits --epoch-count 3", "No such option: --epoch-count", ""),
    ("train digits --epochs three", "Invalid value for '--epochs'", ""),
    ("train digits --seed", "Option '--seed' requires an argument.", ""),
    ("train digits --threads 0", "Invalid value for '--threads'", ""),
    ("train digits --seeds 1", "Invalid value for '--seeds'", ""),
    ("train digits --resume run", "Give either a recipe to train or a run to resume.", "received: both"),
    ("train --resume run --out new", "--resume continues one run in its own folder.", "received: --out new"),
    ("train --resume photos", "This is not a run folder.", "received: no recipe.toml in it"),
    ("evaluate", "Missing argument", ""),
    ("evaluate nowhere", "This is not a run folder.", "received: no such folder"),
    ("predict run", "Missing argument", ""),
    ("report nowhere", "This is not a run folder.", "received: no such folder"),
    ("diagnose nowhere", "This is not a run folder.", "received: no such folder"),
    ("check digts", "There is no recipe or run folder of this name.", "try: did you mean 'digits'?"),
    ("recipes digts", "Unknown recipe.", "try: did you mean 'digits'?"),
    ("datasets --fetch minst", "There is no data set of this name, and no such file or folder.", 'mean "mnist"?'),
    ("find-rate digits --low 1 --high 0.1", "The lowest rate must be below the highest.", "received: 1.0, 0.1"),
    ("trace run --image 99999", "There is no such image.", "expected: 0 … 1258"),
    ("trace run --unit dense9.3", "There is no such layer.", "try: did you mean 'dense3'?"),
    # recipes
    ("train typo.toml", "A recipe has no such key.", "received: 'epoch' try: did you mean 'epochs'?"),
    ("train section.toml", "A recipe has no such key.", "received: 'netwrk' try: did you mean 'network'?"),
    ("train missing.toml", "A key of the recipe is missing.", "where: missing.toml, training.epochs expected: a value"),
    ("train both.toml", "A network needs either layers or an architecture.", "received: both"),
    ("train broken.toml", "The recipe is not valid TOML.", ""),
    ("train bytes.toml", "The recipe can't be read.", ""),
    ("train nowhere.toml", "There is no such recipe file.", "try: glassnet recipes lists the shipped ones"),
    ("train mine.toml --epochs 0", "A value of the recipe is wrong.", "expected: greater than 0 received: 0"),
    ("train mine.toml --seed -1", "A value of the recipe is wrong.", "received: -1"),
    ("train mine.toml --set epoch=3", "A recipe has no such key.", "received: 'epoch' try: did you mean 'epochs'?"),
    ("train mine.toml --set lr=0.1", "A recipe has no such key.", "try: did you mean 'learning_rate'?"),
    ("train mine.toml --set epochs", "A setting must be KEY=VALUE.", "received: 'epochs'"),
    ("train mine.toml --set learning_rate=-1", "The learning rate must be positive.", "received: -1"),
    ("train mine.toml --set layers=[]", "A value of the recipe is wrong.", "expected: at least 1 item"),
    ("train mine.toml --set loss=Quadratisch", "Unknown loss.", "try: did you mean 'Quadratic'?"),
    ("train mine.toml --set optimizer=adam2", "Unknown optimizer.", "try: did you mean 'Adam'?"),
    ("train mine.toml --set dtype=float16", "A value of the recipe is wrong.", "'float32' or 'float64'"),
    ("train mine.toml --set layers=[64,10000000000000,10]", "This needs more memory than there is.", "fewer units"),
    ("train mine.toml --set size=100000", "This is not an image size.", "received: 100000"),
    # data
    ("train mine.toml --data nowhere", "There is no data set of this name, and no such file or folder.", "nowhere"),
    ("train mine.toml --data text.txt", "There is no data set in this path that can be read.", "received: a file"),
    ("train mine.toml --data photos/a", "The images have no labels: they are all in one folder.", "a.0.png"),
    ("train mine.toml --data alone", "There is only one class.", "received: 'a' (1 images)"),
    ("train mine.toml --data half.npz", "The labels are neither whole numbers nor texts", "received: 0.5, and shape (60,)"),
    ("train mine.toml --data nan.npz", "The labels are neither whole numbers nor texts", "received: nan, and shape (60,)"),
    ("train mine.toml --data none.npz", "There are no images.", "expected: at least one"),
    ("train mine.toml --data short.npz", "There are not as many labels as images.", "there are 50 labels"),
    (
        "train mine.toml --data unlabelled.npz",
        "The file has no labels for training under a known name.",
        "images: (60, 8, 8)",
    ),
    ("train mine.toml --data objects.npz", "The array holds Python objects.", "np.array(names, dtype=str)"),
    ("train mine.toml --data complex.npz", "The images are not numbers.", "dtype complex128"),
    ("train mine.toml --data negative.npz", "The number of class names does not fit the network's outputs.", "3: -1, 0, 1"),
    ("train mine.toml --data damaged.h5", "The HDF5 file can't be read", "try: get the file again"),
    ("train mine.toml --data damaged.npz", "The .npz can't be read", "try: get the file again"),
    ("train mine.toml --data damaged.mat", "The .mat can't be read", "try: get the file again"),
    ("train mine.toml --data damaged.zip", "The zip can't be read", "try: get the file again"),
    ("inspect photos --size big", "Numbers are expected.", "expected: 64 or 48x64"),
    ("inspect photos --color red", "Unknown color.", "expected: grey | rgb"),
    ("inspect photos --fractions 0.9,0.9,0.9", "The fractions do not divide the data set.", ""),
    ("inspect photos --pattern (", "The pattern is not a regular expression.", ""),
    ("inspect photos --fold 9", "There is no such fold.", "expected: fold from 0 to 4"),
    # images
    ("predict run text.txt", "The file is not an image.", "received: other bytes"),
    ("predict run nowhere.png", "The image can't be read.", ""),
    ("predict run wide.npy", "The array does not have the model's input shape.", "received: (1, 8, 9)"),
    ("predict run channels.npy", "The array does not have the model's input shape.", "array.transpose(1, 2, 0)"),
    ("predict mine.toml digit.png", "The file can't be read: it is damaged, cut off or not a safetensors file.", ""),
]

HALF_RIGHT = [
    ("predict run digit.png text.txt", "The file is not an image.", "where: text.txt"),
    ("predict run digit.png --with nowhere", "This is not a run folder.", "where: nowhere"),
    ("predict run digit.png --views 3", "The recipe has no augmentation for views.", ""),
    ("evaluate run nowhere", "This is not a run folder.", "where: nowhere"),
    ("evaluate run run", "A run is listed twice.", "expected: each run once"),
    ("report run --figures charts --out no/such/report.html", "There is no such folder for the report.", "where: no/such"),
    ("find-rate mine.toml --out no/such/rates.png", "The figure can't be written.", "where: no/such"),
    ("train mine.toml --set epochs=2 --set momentun=0.9", "A recipe has no such key.", "'momentun'"),
    ("train mine.toml --out run", "The folder for the run is not empty.", "glassnet train --resume run"),
    ("train mine.toml --seeds 2 --data photos --out new", "The images have", ""),
]

ENVIRONMENT = [
    ("GLASSNET_LANG", "fr", "An environment variable has a value that it can't have.", "expected: en | zh received: 'fr'"),
    ("GLASSNET_THREADS", "two", "An environment variable has a value that it can't have.", "above 0 received: 'two'"),
    ("GLASSNET_KERNELS", "no", "An environment variable has a value that it can't have.", "expected: 0 | 1"),
    ("GLASSNET_SIMD", "avx3", "An environment variable has a value that it can't have.", "avx512 | avx2"),
    ("GLASSNET_THRADS", "2", "glassnet has no such environment variable.", "did you mean 'GLASSNET_THREADS'?"),
    ("GLASSNET_DATEN", "/data", "glassnet has no such environment variable.", "did you mean 'GLASSNET_DATA'?"),
]


@pytest.fixture
def materials(here: Path, digits_run: Path) -> None:
    """The files that the commands name."""
    digits_run.rename("run")
    images, labels = np.zeros((60, 8, 8), np.uint8) + np.arange(60, dtype=np.uint8)[:, None, None], np.arange(60) % 3
    arrays = {
        "half": {"labels": labels + 0.5 * (labels == 0)},
        "nan": {"labels": np.where(labels == 1, np.nan, labels)},
        "none": {"images": images[:0], "labels": labels[:0]},
        "short": {"labels": labels[:50]},
        "objects": {"labels": np.array([None] * 60)},
        "complex": {"images": images * 1j, "labels": labels},
        "negative": {"labels": labels - 1},
        "unlabelled": {},
    }
    for name, parts in arrays.items():
        np.savez(f"{name}.npz", **{"images": images, **parts})
    texts = {
        "mine": RECIPE,
        "typo": RECIPE.replace("epochs", "epoch"),
        "section": RECIPE.replace("[network]", "[netwrk]"),
        "missing": RECIPE.replace("epochs = 1", ""),
        "both": RECIPE.replace("layers", 'architecture = "lenet"\nlayers'),
        "broken": RECIPE.replace("= 1", "= = 1"),
    }
    for name, text in texts.items():
        Path(f"{name}.toml").write_text(text)
    Path("bytes.toml").write_bytes(b"\xff\xfe\x00")
    Path("text.txt").write_text("hello")
    for name, content in (("h5", b"\x89HDF\r\n\x1a\n" + bytes(99)), ("npz", b"PK"), ("mat", b"x" * 200), ("zip", b"PK\3\4")):
        Path(f"damaged.{name}").write_bytes(content)
    for folder, count in (("photos/a", 3), ("photos/b", 3), ("alone/a", 1)):
        Path(folder).mkdir(parents=True)
        for number in range(count):
            size = (8 + 2 * number, 8)  # of mixed sizes
            Image.fromarray(np.full(size, 9, np.uint8)).save(f"{folder}/a.{number}.png")
    Image.fromarray(images[7]).save("digit.png")
    np.save("wide.npy", np.zeros((1, 8, 9), np.uint8))
    np.save("channels.npy", np.zeros((1, 8, 8), np.uint8))


def check(cli: CommandLine, command: str, what: str, rest: str) -> None:
    arguments = shlex.split(command)
    try:
        parts = cli.wrong(*arguments)
    except AssertionError:
        assert what in cli.misused(*arguments)
        return
    assert parts["what"].startswith(what)
    assert rest in " ".join(f"{name}: {part}" for name, part in parts.items() if name != "what")


@pytest.mark.usefixtures("materials")
@pytest.mark.parametrize(("command", "what", "rest"), [*WRONG, *HALF_RIGHT], ids=[case[0] for case in [*WRONG, *HALF_RIGHT]])
def test_wrong_command(cli: CommandLine, command: str, what: str, rest: str) -> None:
    check(cli, command, what, rest)


def test_there_are_sixty_and_ten() -> None:
    assert len(WRONG) >= 60
    assert len(HALF_RIGHT) >= 10


@pytest.mark.parametrize(("name", "value", "what", "rest"), ENVIRONMENT)
def test_wrong_environment(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, name: str, value: str, what: str, rest: str
) -> None:
    monkeypatch.setenv(name, value)
    check(cli, "recipes", what, rest)


def test_an_environment_variable_of_another_program_is_none_of_ours(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLASSNET_X", "1")
    monkeypatch.setenv("GLASSNET_THREADS", "")
    assert cli.good("recipes").lines


def test_the_hint_for_h5py_names_the_python_that_lacks_it(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("data.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    parts = cli.wrong("inspect", "data.h5")
    assert parts["what"] == "Reading this file needs h5py, which is not installed."
    assert parts["try"] == f"{sys.executable} -m pip install h5py"


def test_no_memory_is_one_message(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 7.45 TiB for an array")

    monkeypatch.setattr("glassnet.experiment.run.read_splits", full)
    parts = cli.wrong("train", "digits")
    assert parts["what"] == "This needs more memory than there is."
    assert "7.45 TiB" in parts["received"]
