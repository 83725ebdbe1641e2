"""Images of one's own: trained on, asked about; and each way in which they can be wrong, one message and exit code 2."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

import glassnet as gn
from benchmarks.published import gnt_record, write_emnist

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

RECIPE = """
[data]
size = [6, 8]
color = "grey"
fit = "pad"
fractions = [0.5, 0.25, 0.25]

[network]
layers = ["Flatten", "Pixels", { type = "Dense", units = 2 }]
loss = "SoftmaxCrossEntropy"

[training]
epochs = 20
batch_size = 4
optimizer = { type = "SGD", learning_rate = 1.0 }
"""


def recipe(text: str = RECIPE) -> str:
    Path("mine.toml").write_text(text, encoding="utf-8")
    return "mine.toml"


def image(path: str, shape: tuple[int, ...] = (6, 8), value: int = 0) -> Path:
    """A dark image, the half of it light: the left half for value 0, the right half for others."""
    pixels = np.zeros(shape, np.uint8)
    middle = shape[1] // 2
    pixels[:, slice(0, middle) if value == 0 else slice(middle, None)] = 200
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file, "png")
    return file


def halves(names: str = "{side}/{number}.png", count: int = 16, at: str = "mine") -> Path:
    """A folder of images of many sizes and colours, light on the left or on the right."""
    for number in range(count):
        for value, side in enumerate(("left", "right")):
            shape: tuple[int, ...] = (6 + number % 3, 8 + number % 3)
            image(f"{at}/" + names.format(side=side, number=number), shape if number % 2 else (*shape, 3), value)
    return Path(at)


@pytest.mark.usefixtures("plain_figure")
def test_train_evaluate_and_predict(cli: CommandLine) -> None:
    cli.good("train", recipe(), "--data", halves(), "--out", "a")
    done = gn.Run.load("a")
    assert done.network.input_shape == (6, 8, 1)
    assert done.network.classes == ("left", "right")
    assert [len(part) for part in (done.splits.train, done.splits.validation, done.splits.test) if part] == [16, 8, 8]
    assert done.recipe.data.size == [6, 8]
    assert done.recipe.data.fit == "pad"
    assert "100.00 %" in cli.good("evaluate", "a").out
    large = image("large.png", (60, 90, 3), 1)
    (answer,) = json.loads(cli.good("predict", "a", large, "--json").out)
    assert answer["class"] == "right"
    padded = np.zeros((1, 6, 8, 1), np.uint8)
    with Image.open(large) as opened:
        small = opened.convert("L").resize((8, 5), Image.Resampling.LANCZOS)
    padded[0, :5, :, 0] = np.asarray(small)
    shares = done.network.predict_proba(padded)[0]
    assert list(answer["probabilities"].values()) == pytest.approx(shares.tolist(), abs=1e-5)


@pytest.mark.usefixtures("plain_figure")
def test_options_on_the_command_line(cli: CommandLine) -> None:
    folder = halves("x/{side}-{number}.png")
    pattern = "(?P<label>left|right)-(?P<group>[0-9]+)"
    cli.good(
        "train", recipe(), "--data", folder, "--set", f"pattern={pattern}", "--set", "split=group", "--set", "fit=crop",
        "--set", "split_seed=3", "--out", "a",
    )  # fmt: skip
    splits = gn.Run.load("a").splits
    same = gn.load_dataset(
        folder, size=(6, 8), color="grey", fit="crop", pattern=pattern, split="group", fractions=(0.5, 0.25, 0.25), seed=3
    )
    np.testing.assert_array_equal(splits.train.images, same.train.images)
    assert splits.train.groups is not None
    assert same.train.groups is not None
    assert splits.train.groups.tolist() == same.train.groups.tolist()


@pytest.mark.usefixtures("plain_figure")
def test_left_out_images_are_named_once(cli: CommandLine) -> None:
    folder = halves()
    (folder / "left" / "0.png").write_bytes(b"no image")
    outcome = cli("train", recipe(), "--data", folder, "--out", "a")
    assert outcome.code == 0
    assert outcome.err == (
        f"glassnet: {folder.absolute()}: 1 of 32 images are left out: left/0.png (The file is not an image.)\n"
    )
    assert gn.Run.load("a").recipe.data.path == str(folder.absolute())


@pytest.mark.usefixtures("plain_figure")
def test_an_ensemble_of_different_manners_is_refused(cli: CommandLine) -> None:
    folder = halves()
    for name, fit in (("a", "pad"), ("b", "crop"), ("c", "pad")):
        cli.good("train", recipe(), "--data", folder, "--set", f"fit={fit}", "--epochs", 1, "--out", name)
    large = image("large.png", (60, 90, 3), 1)
    cli.good("predict", "a", large, "--with", "c")
    parts = cli.wrong("predict", "a", large, "--with", "b")
    assert parts["what"] == "The networks were trained on images resized in different ways."
    assert parts["received"] == "a: pad, b: crop"


# ------------------------------------------------------------------ wrong input


def climbing() -> Path:
    with zipfile.ZipFile("climbing.zip", "w") as target:
        info = zipfile.ZipInfo("x")
        info.filename = "../../left/1.png"
        target.writestr(info, b"x")
    return Path("climbing.zip")


def cut(name: str) -> Path:
    path = Path(name)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as target:
            for file in sorted(halves("{side}{number}.png", 2, at="files").iterdir()):
                target.write(file)
    elif path.suffix == ".npz":
        np.savez(path, x=np.zeros((40, 8, 8), np.uint8), y=np.arange(40) % 2)
    else:
        from scipy.io import savemat

        noise = np.random.default_rng(0).integers(0, 256, (40, 64), np.uint8)
        savemat(path, {"X": noise, "y": np.arange(40)[:, np.newaxis] % 2}, do_compression=True)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - 100])
    return path


def objects() -> Path:
    np.savez("objects.npz", x=np.zeros((4, 8, 8), np.uint8), y=np.array([0, 1, 0, None], dtype=object))
    return Path("objects.npz")


def ambiguous() -> Path:
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (halves() / name).write_bytes(struct.pack(">BBBBI", 0, 0, 8, 1, 0))
    return Path("mine")


def empty() -> Path:
    Path("empty").mkdir()
    Path("empty", "notes.txt").write_text("x", encoding="utf-8")
    return Path("empty")


def few() -> Path:
    folder = halves()
    image("mine/rare/1.png")
    return folder


def one_class() -> Path:
    return image("mine/left/1.png").parent.parent


WRONG: dict[str, tuple[Callable[[], Path], tuple[str, ...], dict[str, str]]] = {
    "a folder with no images": (
        empty, (), {"what": "There is no data set in this path that can be read.", "received": "a folder without them"}
    ),
    "one class": (
        one_class, (), {"what": "There is only one class.", "received": "'left' (1 images)"}
    ),
    "nothing says what the images show": (
        lambda: halves("{side}{number}.png", 2), (),
        {
            "what": "The images have no labels: they are all in one folder.",
            "received": "4 images, such as left0.png, left1.png, right0.png",
        },
    ),
    "a class with too few images": (
        few, (),
        {"what": "Class 'rare' has too few images to appear in every part.", "received": "1 images"},
    ),
    "a pattern that matches nothing": (
        halves, ("pattern=(?P<label>up|down)",),
        {
            "what": "The pattern matches no image's name.",
            "expected": "names like (?P<label>up|down)",
            "received": "32 images, such as left/0.png, left/1.png, left/10.png",
        },
    ),
    "mixed sizes": (
        halves, (),
        {
            "what": "The images have different sizes, and no size is given.",
            "received": "8 × 6 (12 images), 9 × 7 (10 images), 10 × 8 (10 images)",
            "try": "size = 64 under [data] in the recipe, --set size=64, or load_dataset(path, size=64)",
        },
    ),
    "two readers": (ambiguous, (), {"what": "Two readers fit this path.", "expected": "one kind of data"}),
    "no groups": (halves, ("split=group",), {"what": "There are no groups to split by.", "received": "no groups"}),
    "a climbing zip": (
        climbing, (), {"what": "The zip has paths that lead outside it.", "received": "'../../left/1.png'"}
    ),
    "a truncated zip": (
        lambda: cut("a.zip"), (), {"what": "The zip can't be read: it is damaged, cut off or of another format."}
    ),
    "a truncated mat": (
        lambda: cut("a.mat"), (), {"what": "The .mat can't be read: it is damaged, cut off or of another format."}
    ),
    "a truncated npz": (
        lambda: cut("a.npz"), (), {"what": "The .npz can't be read: it is damaged, cut off or of another format."}
    ),
    "objects": (
        objects, (),
        {"what": "The array holds Python objects. Loading them would unpickle them, which can run any code."},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", sorted(WRONG))
def test_wrong_data(cli: CommandLine, case: str) -> None:
    make, settings, expected = WRONG[case]
    path = make()
    text = RECIPE.replace("size = [6, 8]\n", "") if case == "mixed sizes" else RECIPE
    arguments = [part for setting in settings for part in ("--set", setting)]
    parts = cli.wrong("train", recipe(text), "--data", path, "--out", "a", *arguments)
    assert {name: parts[name] for name in expected} == expected
    assert "expected" in parts
    assert not Path("a").exists()


@pytest.mark.parametrize(
    ("old", "new", "key", "what"),
    [
        ("[6, 8]", "[6]", "size", "This is not an image size."),
        ("[6, 8]", "0", "size", "This is not an image size."),
        ('fit = "pad"', "pattern = '(?P<label>'", "pattern", "The pattern is not a regular expression."),
        ('fit = "pad"', r"pattern = '(\d+)'", "pattern", "The pattern has no group named label."),
        ("[0.5, 0.25, 0.25]", "[0.5, 0.25]", "fractions", "The fractions do not divide the data set."),
        ("[0.5, 0.25, 0.25]", "[0.5, 0.5, 0.5]", "fractions", "The fractions do not divide the data set."),
        ('fit = "pad"', 'fit = "squeeze"', "fit", "A value of the recipe is wrong."),
        ('color = "grey"', 'color = "gray"', "color", "A value of the recipe is wrong."),
        ('fit = "pad"', 'split = "writer"', "split", "A value of the recipe is wrong."),
        ('fit = "pad"', "split_seed = -1", "split_seed", "A value of the recipe is wrong."),
        ('fit = "pad"', "fold = 5", "", "There is no such fold."),
        ('fit = "pad"', "folds = 3", "", "folds needs fold, the number of the fold that is the test set."),
    ],
)
def test_wrong_options_in_a_recipe(cli: CommandLine, old: str, new: str, key: str, what: str) -> None:
    parts = cli.wrong("train", recipe(RECIPE.replace(old, new)))
    assert parts["what"] == what
    assert parts["where"] == "mine.toml, data" + (f".{key}" if key else "")
    assert "expected" in parts
    assert "received" in parts


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"size": 12}, "Only images can be resized or converted to a colour."),
        ({"fold": 0}, "The data comes with a test part of its own."),
        ({"pattern": "(?P<label>x)"}, "A pattern applies only to the names of image files."),
    ],
)
def test_options_that_make_no_sense_for_a_data_set(cli: CommandLine, settings: dict[str, Any], what: str) -> None:
    arguments = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    assert cli.wrong("train", "chain", *arguments)["what"] == what


def test_fetching_what_has_no_mirror(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSNET_DATA", "nowhere")
    monkeypatch.setattr("glassnet.data.fetch.cache_folder", lambda: Path("nowhere"))
    parts = cli.wrong("datasets", "--fetch", "cats")
    assert parts["what"] == "The data set cats is not on this machine."
    assert parts["try"] == "set GLASSNET_DATA to a folder that has cats.zip, or a folder cats, in it"


def drawn(at: str = "shapes", counts: tuple[int, ...] = (20, 20, 20)) -> Path:
    """Dark discs, squares and crosses on light paper, on images of mixed size."""
    from PIL import ImageDraw

    rng = np.random.default_rng(0)
    for label, count in enumerate(counts):
        for number in range(count):
            side = int(rng.integers(24, 60))
            picture = Image.new("L", (side, int(side * rng.uniform(0.9, 1.1))), 240)
            x, r = side // 2, side * 0.35
            draw, box = ImageDraw.Draw(picture), (x - r, x - r, x + r, x + r)
            if label == 0:
                draw.ellipse(box, fill=20)
            elif label == 1:
                draw.rectangle(box, outline=20, width=3)
            else:
                draw.line((x - r, x, x + r, x), fill=20, width=5)
            path = Path(at) / ("disc", "square", "stroke")[label] / f"{number:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path)
    return Path(at)


@pytest.mark.usefixtures("plain_figure")
def test_a_folder_of_one_s_own(cli: CommandLine) -> None:
    folder = drawn()
    outcome = cli.good("train", folder, "--epochs", 25)
    assert outcome.lines[:4] == [
        "Your images: shapes",
        "60 images of 3 classes (disc, square, stroke): dark ink on a light ground, grey.",
        "40 × 40 pixels, vgg 16-32-64-128, 25 epochs, some seconds of training.",
        "Why: glassnet train shapes --explain",
    ] or outcome.lines[2].endswith("25 epochs, some seconds of training.")
    assert "Epoch 25: " in outcome.out
    done = gn.Run.load("runs/shapes")
    assert done.recipe.data.path == str(folder.absolute())
    assert done.evaluate().accuracy > 0.8
    assert cli.good("train", "--resume", "runs/shapes").code == 0


@pytest.mark.usefixtures("plain_figure")
def test_findings_before_training(cli: CommandLine) -> None:
    folder = drawn()
    (folder / "disc" / "copy.png").write_bytes((folder / "disc" / "00.png").read_bytes())
    Image.new("L", (30, 30), 240).save(folder / "square" / "blank.png")
    outcome = cli.good("train", folder, "--epochs", 1, "--set", "size=24")
    assert "blank images: 1 image with nothing on them" in outcome.out.replace("-", " ")
    assert "2 images in 1 group with the same pixels" in outcome.out
    assert "  more:  glassnet inspect shapes --size 24" in outcome.lines


def test_explain(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = drawn()
    outcome = cli.good("train", folder, "--explain", "--set", "batch_size=5", "--epochs", 7)
    text = outcome.out
    assert "color           grey\n                no image, or hardly any, has colour\n" in text
    start = text.index('name = "shapes"')
    Path("shapes.toml").write_text(text[start:], encoding="utf-8")
    recipe = gn.load_recipe("shapes.toml")
    assert (recipe.training.epochs, recipe.training.batch_size) == (7, 5)
    assert not Path("runs").exists()
    monkeypatch.setenv("GLASSNET_LANG", "zh")
    chinese = cli.good("train", folder, "--explain").out
    assert chinese.startswith("你的图片：shapes\n")
    assert "没有或几乎没有图片带颜色" in chinese


def test_wrong_folders(cli: CommandLine) -> None:
    Path("empty").mkdir()
    assert cli.wrong("train", "empty")["what"].startswith("There is no data set in this path")
    assert cli.wrong("train", drawn("one", (4,)))["what"] == "There is only one class."
    assert "has too few images" in cli.wrong("train", drawn("single", (9, 1)))["what"]
    assert cli.wrong("train", "digits", "--explain")["received"] == "'digits'"
    assert cli.wrong("train", "--resume", "one", "--explain")["what"].startswith("--resume continues")


def test_predict_a_folder(cli: CommandLine, digits_run: Path, digit_images: list[tuple[Path, int]]) -> None:
    new = Path("new")
    for path, digit in digit_images:
        target = new / ("deep" if digit % 2 else "") / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    (new / "bad.png").write_bytes(b"no image")
    (new / "notes.txt").touch()
    outcome = cli("predict", digits_run, new, "--csv")
    assert outcome.code == 0
    assert outcome.err == "glassnet: new/bad.png is left out: The file is not an image.\n"
    head, *rows = (line.split(",") for line in outcome.lines)
    assert head == ["file", "class", "probability", *map(str, range(10))]
    assert [row[0] for row in rows] == sorted(str(path) for path in new.rglob("digit*"))
    for row in rows:
        assert row[0].endswith(f"digit-{row[1]}.png")
        assert float(row[2]) == max(map(float, row[3:]))
        assert sum(map(float, row[3:])) == pytest.approx(1, abs=1e-5)
    answers = json.loads(cli("predict", digits_run, new, "--json").out)
    assert [answer["file"] for answer in answers] == [row[0] for row in rows]
    assert [answer["class"] for answer in answers] == [row[1] for row in rows]
    single = str(new / "digit-0.png")
    both = cli("predict", digits_run, single, new).lines
    assert len(both) == 11
    assert both[0].startswith(f"{single}: 0")
    assert cli.wrong("predict", digits_run, single, "--csv", "--json")["received"] == "both"
    Path("nothing").mkdir()
    assert cli.wrong("predict", digits_run, "nothing")["what"] == "There are no images here."


def test_training_on_characters_drawn_from_fonts(cli: CommandLine) -> None:
    fonts = ["--fonts", Path(mpl.get_data_path()) / "fonts" / "ttf", "--characters", "01"]
    explained = cli.good("train", *fonts, "--set", "copies=3", "--explain").out
    assert "light ink on a dark ground" in explained
    assert 'characters = "01"' in explained
    cli.good("train", *fonts, "--set", "copies=2", "--set", "size=12", "--epochs", 1, "--out", "runs/drawn")
    assert gn.Run.load("runs/drawn").network.classes == ("0", "1")
    assert gn.Run.load("runs/drawn").recipe.data.characters == "01"
    assert cli.wrong("train", *fonts, "--resume", "runs/drawn")["what"] == "--resume continues one run in its own folder."
    assert cli.wrong("train", "--fonts", "DejaVu Sanz")["what"] == "There is no such font on this machine."
    assert cli.wrong("train")["expected"] == "RECIPE, --fonts FONT, or --resume RUN"


def test_published_data_sets(cli: CommandLine) -> None:
    """By the folder, or by one of the set's files where there are several; wrong ones in one message."""
    digits = gn.load_dataset("digits").train
    images, labels = digits.images[:200, :, :, 0], digits.labels[:200]
    folders = [Path(name) for name in ("emnist", "hwdb")]
    for folder in folders:
        folder.mkdir()
    write_emnist(folders[0], "digits", images, labels, "".join(f"{label} {48 + label}\n" for label in range(10)))
    for writer in range(8):
        rows = slice(25 * writer, 25 * writer + 25)
        records = [
            gnt_record("零一二三四五六七八九"[label], 255 - image)
            for image, label in zip(images[rows], labels[rows], strict=True)
        ]
        (folders[1] / f"{1001 + writer}-c.gnt").write_bytes(b"".join(records))
    outcome = cli.good("inspect", folders[0] / "emnist-digits-mapping.txt")
    assert "400 of 8 × 8 × 1, uint8, 10 classes" in outcome.out
    assert "200 of 16 × 16 × 1, uint8, 10 classes" in cli.good("inspect", folders[1], "--size", 16).out
    cli.good("train", folders[1], "--epochs", 1, "--set", "size=16", "--out", "a")
    done = gn.Run.load("a")
    assert done.network.classes == tuple(sorted("零一二三四五六七八九", key=lambda character: character.encode("gb2312")))
    assert done.recipe.data.path == str(folders[1].absolute())
    path = folders[1] / "1003-c.gnt"
    path.write_bytes(path.read_bytes()[:-1])
    parts = cli.wrong("train", folders[1], "--out", "b")
    assert parts["what"] == "A character is cut off at the end of the file."
    assert parts["where"] == f"{folders[1].absolute()}/1003-c.gnt, byte {24 * 74}"
    assert not Path("b").exists()
    assert cli.wrong("train", "missing.gnt")["what"] == "There is no such file or folder."
