"""`glassnet train FOLDER` on five data sets, beside shipped recipes in equal time: `python -m benchmarks.own_folder [SET…]`.

Sets: shapes, cats, chinese, cifar10, mnist. `--share 0.1` takes that share of the images of cifar10 and mnist. The shipped
recipe trains on the same split for as many epochs as fit into the same seconds. The test set is opened once for each, at the
end; with `--validation` it stays closed, as while the constants of the rule are chosen. cats.zip, chinese-numerals.zip and
cifar10-jpeg.zip are in GLASSNET_DATA.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import zipfile
from collections.abc import Callable
from math import cos, pi, sin
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

import glassnet as gn
from glassnet.experiment.auto_recipe import auto_recipe

DATA = Path(os.environ.get("GLASSNET_DATA", "."))
RIVALS = {"cats": "cats-cnn", "chinese": "chinese-cnn", "mnist": "mnist-cnn"}


def draw_shapes(folder: Path, count: int = 60, seed: int = 0) -> Path:
    """Circles, squares and triangles, dark on light paper, turned, of many sizes and images of many sizes."""
    rng = np.random.default_rng(seed)
    corners = {"circle": 40, "square": 4, "triangle": 3}
    for number in range(count):
        name = list(corners)[number % 3]
        width = int(rng.integers(40, 200))
        height = int(width * rng.uniform(0.7, 1.4))
        radius, turn = min(width, height) * rng.uniform(0.25, 0.42), rng.uniform(0, 2 * pi)
        x, y = (rng.uniform(radius + 2, side - radius - 2) for side in (width, height))
        angles = [turn + 2 * pi * corner / corners[name] for corner in range(corners[name])]
        points = [(x + radius * cos(angle), y + radius * sin(angle)) for angle in angles]
        image = Image.new("L", (width, height), int(rng.integers(220, 256)))
        ink, pen = int(rng.integers(0, 90)), int(rng.integers(2, 6))
        if rng.uniform() < 0.5:
            ImageDraw.Draw(image).polygon(points, fill=ink)
        else:
            ImageDraw.Draw(image).line([*points, *points[:2]], fill=ink, width=pen)
        path = folder / name / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)
    return folder


def some_cifar(folder: Path, share: float) -> Path:
    """A share of each class and part of cifar10-jpeg.zip, in a zip."""
    path = folder / "cifar10.zip"
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(DATA / "cifar10-jpeg.zip") as source, zipfile.ZipFile(path, "w") as target:
        names = np.array(sorted(name for name in source.namelist() if not name.endswith("/")))
        for name in names[rng.uniform(size=len(names)) < share]:
            target.writestr(str(name), source.read(str(name)))
    return path


def mnist_folders(folder: Path, share: float) -> Path:
    """A share of MNIST as PNG files, one folder a class below train and test."""
    splits, rng = gn.load_dataset("mnist", fractions=(1, 0, 0)), np.random.default_rng(0)
    for name, part in (("train", splits.train), ("test", splits.test)):
        assert part is not None
        for index in np.flatnonzero(rng.uniform(size=len(part)) < share):
            path = folder / "mnist" / name / str(part.labels[index]) / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(part.images[index, :, :, 0]).save(path)
    return folder / "mnist"


SETS: dict[str, Callable[[Path, float], Path]] = {
    "shapes": lambda folder, share: draw_shapes(folder / "shapes"),
    "cats": lambda folder, share: DATA / "cats.zip",
    "chinese": lambda folder, share: DATA / "chinese-numerals.zip",
    "cifar10": some_cifar,
    "mnist": mnist_folders,
}


def accuracy(run: gn.Run, *, validation: bool) -> float:
    if not validation:
        return 100 * run.evaluate().accuracy
    assert run.splits.validation is not None
    return 100 * run.network.evaluate(run.splits.validation).accuracy


def trained(recipe: gn.Recipe, out: Path, seed: int, **options: Any) -> tuple[gn.Run, float]:
    """The run and the seconds of its epochs."""
    run = gn.train(recipe, out=out, seed=seed, progress=False, **options)
    return run, sum(run.history.seconds)


def measure(name: str, folder: Path, options: argparse.Namespace) -> str:
    """A line about one data set."""
    began = time.perf_counter()
    path = SETS[name](folder, options.share)
    made = auto_recipe(path, dict(options.set))
    looked = time.perf_counter() - began
    recipe = made.recipe.changed(dict(options.set)) if options.set else made.recipe
    run, seconds = trained(recipe, folder / f"{name}-own", options.seed)
    line = f"{name}: {made.data.train} training images, {recipe.training.epochs} epochs in {seconds:.0f} s (said: about "
    line += f"{made.seconds:.0f}; looking {looked:.1f} s): {accuracy(run, validation=options.validation):.2f} %"
    rival = RIVALS.get(name)
    if rival is None or options.alone:
        return line
    data = {"path": recipe.data.path, "fold": None, "fractions": recipe.data.fractions, "split": recipe.data.split}
    other = gn.load_recipe(rival)
    other = other.model_copy(update={"data": other.data.model_copy(update=data)})
    _, probe = trained(other.changed({"epochs": 1, "plain_epochs": 0}), folder / f"{name}-probe", options.seed)
    epochs = max(1, round(seconds / probe))
    short = {"epochs": epochs, "plain_epochs": min(other.training.plain_epochs, epochs // 4)}
    run, seconds = trained(other.changed(short), folder / f"{name}-{rival}", options.seed)
    result = accuracy(run, validation=options.validation)
    return f"{line}; {rival}, {epochs} epochs in {seconds:.0f} s: {result:.2f} %"


def setting(text: str) -> tuple[str, Any]:
    from glassnet.cli.settings import changes_of

    return next(iter(changes_of([text]).items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", metavar="SET", help=", ".join(SETS))
    parser.add_argument("--share", type=float, default=0.1, help="of the images of cifar10 and mnist")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", type=setting, action="append", default=[], metavar="KEY=VALUE", help="as of glassnet train")
    parser.add_argument("--validation", action="store_true", help="accuracy on validation data")
    parser.add_argument("--alone", action="store_true", help="without the shipped recipe")
    options = parser.parse_args()
    for name in options.sets or SETS:
        with tempfile.TemporaryDirectory() as folder:
            print(measure(name, Path(folder), options), flush=True)


if __name__ == "__main__":
    main()
