"""How much of what is no digit a network trained on MNIST calls novel: `python -m benchmarks.novelty --run runs/mnist-cnn`.

Four kinds of images, 1,000 of each, brought to MNIST's form (20×20 box, centre of mass in 28×28): Chinese numerals
(`chinese-numerals.zip` under GLASSNET_DATA, left out where it is missing), letters a-z and A-Z in the DejaVu fonts that come
with matplotlib, smooth random scribbles, and uniform noise. Beside them the false alarms: MNIST's test images called novel.
"""

from __future__ import annotations

import argparse
import string
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import glassnet as gn
from glassnet.errors import DataError
from glassnet.experiment.run import Run
from glassnet.runtime.features import HiddenFeatures, hidden_depths
from glassnet.runtime.novelty import Novelty

Images = NDArray[np.uint8]

SIZE, BOX, SHEET = 28, 20, 280
DIGIT_SHAPES = "BDGILOSZabgiloqsz"  # letters that are, in a font without serifs, also digits: reported apart
FONTS = ("Sans", "Sans-Bold", "Sans-Oblique", "SansMono", "SansMono-Oblique", "Serif", "Serif-Bold", "Serif-Italic")


def placed(ink: NDArray[Any]) -> Images:
    """Light ink on black as MNIST has it: cropped, in a box of 20×20, its centre of mass in the middle of 28×28."""
    ink = np.where(ink > 0.25 * ink.max(), ink, 0).astype(np.uint8)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    cropped = Image.fromarray(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    scale = BOX / max(cropped.size)
    small = np.asarray(
        cropped.resize((max(1, round(cropped.width * scale)), max(1, round(cropped.height * scale))), Image.Resampling.BOX)
    )
    small = np.minimum(255, small * (255 / small.max()))
    y, x = (np.average(np.arange(small.shape[axis]), weights=small.sum(axis=1 - axis)) for axis in (0, 1))
    top, left = (round(min(max((SIZE - 1) / 2 - c, 0), SIZE - n)) for c, n in zip((y, x), small.shape, strict=True))
    image = np.zeros((SIZE, SIZE, 1), np.uint8)
    image[top : top + small.shape[0], left : left + small.shape[1], 0] = small
    return image


def numerals(count: int, rng: np.random.Generator) -> Images:
    data = gn.load_dataset("chinese-numerals").train
    chosen = data.images[rng.choice(len(data), count, replace=False), ..., 0].astype(np.float64)
    light = np.median(chosen, axis=(1, 2)) > 127
    return np.stack([placed(255 - image if dark else image) for image, dark in zip(chosen, light, strict=True)])


def letters(count: int, rng: np.random.Generator) -> Images:
    import matplotlib

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    names = {"Sans": "DejaVuSans", "SansMono": "DejaVuSansMono", "Serif": "DejaVuSerif"}
    found = []
    for number in range(count):
        family, _, style = FONTS[rng.integers(len(FONTS))].partition("-")
        font = ImageFont.truetype(str(folder / f"{names[family]}{'-' * bool(style)}{style}.ttf"), 160)
        sheet = Image.new("L", (SHEET, SHEET))
        letter = string.ascii_letters[number % len(string.ascii_letters)]
        ImageDraw.Draw(sheet).text((SHEET / 2, SHEET / 2), letter, font=font, fill=255, anchor="mm")
        found.append(placed(np.asarray(sheet)))
    return np.stack(found)


def scribbles(count: int, rng: np.random.Generator) -> Images:
    from scipy.interpolate import make_interp_spline

    found = []
    for _ in range(count):
        knots = int(rng.integers(6, 16))
        curve = make_interp_spline(np.arange(knots), rng.uniform(60, 220, (knots, 2)), k=3)(np.linspace(0, knots - 1, 400))
        sheet = Image.new("L", (SHEET, SHEET))
        points = [(float(x), float(y)) for x, y in curve]
        ImageDraw.Draw(sheet).line(points, fill=255, width=int(rng.integers(8, 20)), joint="curve")
        found.append(placed(np.asarray(sheet)))
    return np.stack(found)


def noise(count: int, rng: np.random.Generator) -> Images:
    return rng.integers(0, 256, (count, SIZE, SIZE, 1)).astype(np.uint8)


def smaller(run: Run, novelty: Novelty, features: HiddenFeatures, references: int, components: int) -> Novelty:
    """As a page has it: of so many training images and components, its limit set on the validation images."""
    train, held_out = run.splits.train, run.splits.validation
    assert held_out is not None
    chosen = np.sort(np.random.default_rng(0).choice(len(train), references, replace=False))
    known, unseen = (features(run.network.rows(images)) for images in (train.images[chosen], held_out.images))
    found = novelty.subset(known, unseen, components)
    size = len(zlib.compress(b"".join(array.tobytes() for array in found.arrays().values()), 9))
    print(f"{references:,} references, {components} components: {size / 1000:,.0f} kB compressed")
    return found


def table(run: Run, novelty: Novelty, features: HiddenFeatures, count: int, seed: int) -> list[tuple[str, int, int]]:
    """(name, how many are called novel, of how many)."""
    network, rows = run.network, []

    def add(name: str, images: Images) -> None:
        rows.append((name, int((novelty.of(features(network.rows(images))) > 1).sum()), len(images)))

    for number, draw in enumerate((numerals, letters, scribbles, noise)):
        try:
            images = draw(count, np.random.default_rng([seed, number]))
        except DataError as error:
            print(f"{draw.__name__}: {error.what}", file=sys.stderr)
            continue
        add(draw.__name__, images)
        if draw is letters:
            shapes = np.array([string.ascii_letters[i % len(string.ascii_letters)] in DIGIT_SHAPES for i in range(count)])
            add(f"letters but {DIGIT_SHAPES}", images[~shapes])
    add("MNIST test (false alarms)", run.test.images)
    return rows


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.novelty", description="What is called novel.")
    parser.add_argument("--run", type=Path, required=True, help="a run trained on MNIST")
    parser.add_argument("--images", type=int, default=1000, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--references", type=int, help="measure a smaller one, as a page has it, of so many training images")
    parser.add_argument("--components", type=int, default=64, help="of a smaller one")
    options = parser.parse_args(arguments)
    run = gn.Run.load(options.run)
    if run.network.fitted_novelty is None:
        run.network.fit_novelty(run.splits.train, run.splits.validation)
    novelty, features = run.network.fitted_novelty, HiddenFeatures(run.network, hidden_depths(run.network))
    assert novelty is not None
    if options.references:
        novelty = smaller(run, novelty, features, options.references, options.components)
    for name, novel, total in table(run, novelty, features, options.images, options.seed):
        print(f"{name:32} {100 * novel / total:6.2f} %   {novel:,} of {total:,}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
