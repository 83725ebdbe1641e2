"""The recipe made for one's own data: each decision, on drawn images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

import glassnet as gn
from benchmarks.own_folder import draw_shapes
from glassnet.data.survey import Survey, survey
from glassnet.errors import DataError, InputError, RecipeError
from glassnet.experiment.auto_recipe import auto_recipe, is_own_data

Draw = Callable[[np.random.Generator, int], Image.Image]


def ink(ground: int = 255, size: tuple[int, int] = (40, 40), mode: str = "L", pen: Any = None, spread: int = 0) -> Draw:
    """A circle or a square; `spread`: pixels by which the width of the image varies."""

    def draw(rng: np.random.Generator, label: int) -> Image.Image:
        wide = size[0] + int(rng.integers(0, spread + 1))
        image = Image.new(mode, (wide, size[1]), ground if mode == "L" else (ground,) * 3)
        x, y = (int(rng.integers(4, side // 3)) for side in (wide, size[1]))
        box = (x, y, x + wide // 3, y + size[1] // 3)
        painter = ImageDraw.Draw(image)
        colour = pen or (255 - ground if mode == "L" else (255 - ground,) * 3)
        (painter.ellipse if label else painter.rectangle)(box, fill=colour)
        return image

    return draw


def photo(size: tuple[int, int] = (90, 60), mode: str = "RGB") -> Draw:
    """Coloured noise, smooth, lighter in one class."""

    def draw(rng: np.random.Generator, label: int) -> Image.Image:
        coarse = rng.integers(40 * label, 180 + 60 * label, (4, 6, 3), dtype=np.uint8)
        return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).convert(mode)

    return draw


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Writes a folder with one folder a class."""
    monkeypatch.setenv("GLASSNET_CACHE", str(tmp_path / "cache"))

    def write(draw: Draw, counts: tuple[int, ...] = (12, 12), name: str = "mine", above: str = "") -> Path:
        rng = np.random.default_rng(0)
        for label, count in enumerate(counts):
            for number in range(count):
                path = tmp_path / name / above / "ab"[label] / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                draw(rng, label).save(path)
        return tmp_path / name

    return write


@pytest.mark.parametrize(
    ("draw", "size", "color", "fit", "flip", "fill"),
    [
        (ink(), [40, 40], "grey", "stretch", False, "edge"),
        (ink(0), [40, 40], "grey", "stretch", False, "zero"),
        (ink(0, mode="RGB"), [40, 40], "grey", "stretch", False, "zero"),  # colour mode, but no colour
        (ink(0, mode="RGB", pen=(250, 90, 20)), [40, 40], "rgb", "stretch", False, "zero"),
        (ink(size=(300, 300)), [48, 48], "grey", "stretch", False, "edge"),
        (ink(size=(20, 20)), [20, 20], "grey", "stretch", False, "edge"),
        (ink(size=(200, 100)), [24, 48], "grey", "stretch", False, "edge"),  # height, width
        (ink(size=(60, 100), spread=80), [48, 48], "grey", "stretch", False, "edge"),
        (ink(0, size=(60, 100), spread=80), [48, 48], "grey", "pad", False, "zero"),
        (photo(), [43, 64], "rgb", "stretch", True, "edge"),
        (photo(mode="L"), [43, 64], "grey", "stretch", True, "edge"),
        (photo(size=(32, 32)), [32, 32], "rgb", "stretch", True, "edge"),
    ],
)
def test_what_the_images_decide(
    folder: Callable[..., Path], draw: Draw, size: list[int], color: str, fit: str, flip: bool, fill: str
) -> None:
    made = auto_recipe(folder(draw))
    recipe = made.recipe
    assert recipe.data.size == size
    assert (recipe.data.color, recipe.data.fit) == (color, fit)
    changes = recipe.training.augmentation
    assert changes is not None
    assert changes.get("flip", False) is flip
    assert changes["fill"] == fill
    assert all(decision.reason.en and decision.reason.zh != decision.reason.en for decision in made.decisions)


def known(train: int, **more: Any) -> Survey:
    """What a survey says of MNIST's kind of images."""
    counts = more.pop("counts", {"a": train, "b": train})
    given = {"sizes": np.full((9, 2), 28), "channels": 1, "ink": 1, "colour": False, **more}
    return Survey(counts, train, **given)


@pytest.mark.parametrize(
    ("found", "width", "deep", "batch", "epochs", "weight"),
    [
        (known(42), 16, 1, 8, (100, 250), None),
        (known(800), 16, 1, 32, (100, 100), None),
        (known(5000), 32, 2, 64, (8, 40), None),
        (known(49_000), 24, 2, 64, (8, 30), None),
        (known(1_000_000), 16, 2, 64, (3, 3), None),
        (known(800, counts={"a": 100, "b": 301}), 16, 1, 32, (100, 100), "balanced"),
        (known(800, counts={"a": 100, "b": 300}), 16, 1, 32, (100, 100), None),
    ],
)
def test_what_the_numbers_decide(
    folder: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    found: Survey,
    width: int,
    deep: int,
    batch: int,
    epochs: tuple[int, int],
    weight: str | None,
) -> None:
    monkeypatch.setattr("glassnet.experiment.auto_recipe.survey", lambda *arguments, **options: found)
    made = auto_recipe(folder(ink(), (1, 1)))
    training, architecture = made.recipe.training, made.recipe.network.architecture
    assert isinstance(architecture, dict)
    assert architecture["blocks"][0] == [width]
    assert len(architecture["blocks"][1]) == deep
    assert training.batch_size == batch
    assert epochs[0] <= training.epochs <= epochs[1]
    assert training.class_weight == weight
    if found.train < 1_000_000:
        assert made.seconds < 300


def test_what_is_set_is_kept_and_the_rest_follows(folder: Callable[..., Path]) -> None:
    path = folder(ink(size=(200, 200)))
    recipe = auto_recipe(path, {"size": 16, "data.color": "rgb", "split": "random", "training.epochs": 4}).recipe
    assert (recipe.data.size, recipe.data.color, recipe.data.split) == (16, "rgb", "random")
    assert recipe.training.epochs == 4
    assert recipe.training.plain_epochs == 0
    assert recipe.training.augmentation is not None
    assert recipe.training.augmentation["shift"] == 1
    architecture = recipe.network.architecture
    assert isinstance(architecture, dict)
    assert len(architecture["blocks"]) == 3  # 16, 8, 4
    with pytest.raises(RecipeError, match="size"):
        auto_recipe(path, {"size": -1})


def test_its_texts_and_what_trains(folder: Callable[..., Path], tmp_path: Path) -> None:
    path = folder(ink(size=(16, 16)), name="shapes")
    run = gn.train(path, epochs=2, out=tmp_path / "run", progress=False)
    again = gn.Run.load(tmp_path / "run")
    assert again.recipe == run.recipe
    title, about = again.recipe.message("title"), again.recipe.message("about")
    assert (title.en, title.zh) == ("Your images: shapes", "你的图片：shapes")
    assert about.en == "24 images of 2 classes (a, b): dark ink on a light ground, grey."
    assert about.zh == "24 张图片，2 个类别（a、b）：浅色底上的深色笔迹，灰度。"
    assert len(run.history) == 2
    assert run.evaluate().total == 4


def test_own_parts_and_small_classes(folder: Callable[..., Path]) -> None:
    path = folder(ink(), (12, 3), above="train")
    folder(ink(), (2, 2), above="test")
    made = auto_recipe(path)
    splits = made.recipe.data.read()
    assert splits.test is not None
    assert splits.validation is not None
    assert (len(splits.test), splits.validation.counts.tolist(), splits.train.counts.tolist()) == (4, [2, 1], [10, 2])
    assert any(decision.value == "own test part" for decision in made.decisions)
    assert made.data.counts == {"a": 12, "b": 3}
    three = auto_recipe(folder(ink(), (12, 3), name="three")).recipe.data.read()
    assert [part.counts[1] for part in (three.train, three.validation, three.test) if part is not None] == [1, 1, 1]


def test_arrays(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    np.savez(tmp_path / "rows.npz", x=rng.standard_normal((40, 7)).astype(np.float32), y=labels)
    rows = auto_recipe(tmp_path / "rows.npz").recipe
    assert isinstance(rows.network.architecture, dict)
    assert rows.network.architecture["type"] == "mlp"
    assert (rows.name, rows.data.size, rows.training.augmentation) == ("rows", None, None)
    images = np.zeros((40, 20, 20), np.uint8)
    images[labels == 1, 5:9, 5:9] = 200
    images[labels == 0, 12:18, 5:9] = 200
    np.savez(tmp_path / "images.npz", x=images, y=labels)
    found = survey(tmp_path / "images.npz")
    assert (found.ink, found.channels, found.train, found.images) == (1, 1, 28, 34)
    assert auto_recipe(tmp_path / "images.npz").recipe.data.size == [20, 20]


def test_what_is_refused(folder: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="There is no data set in this path"):
        gn.train(tmp_path / "empty")
    for missing in (tmp_path / "photoz", "photos.zip"):
        with pytest.raises(DataError, match="There is no such file or folder"):
            gn.train(missing)
    with pytest.raises(DataError, match="There is only one class"):
        gn.train(folder(ink(), (5,), name="one"))
    with pytest.raises(InputError, match=r"(?s)Class 'b' has too few images.*at least 3 images.*received: 1 images"):
        gn.train(folder(ink(), (12, 1), name="single"), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_recipes_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    (tmp_path / "mine.toml").touch()
    assert not is_own_data("digits")
    assert is_own_data("./digits")
    assert is_own_data(tmp_path / "digits")
    assert not is_own_data("mine.toml")
    assert not is_own_data("nothing")
    assert not is_own_data("")
    assert not is_own_data(None)


def test_the_text_of_a_recipe_for_own_images_names_no_other_data(tmp_path: Path) -> None:
    recipe = auto_recipe(draw_shapes(tmp_path / "shapes", 30)).recipe
    assert "dataset" not in recipe.to_toml()
    (tmp_path / "own.toml").write_text(recipe.to_toml(), encoding="utf-8")
    assert gn.load_recipe(tmp_path / "own.toml") == recipe
    assert 'dataset = "digits"' in gn.load_recipe("digits").to_toml()
