"""How well photographed digits are read: `python -m benchmarks.photos --run RUN [--images 1000] [--pages 50] [--part test]`.

MNIST digits are pasted as ink onto shaded, grainy, tilted paper of 400 to 1200 pixels, sometimes with the table beside it,
and saved as JPEG: one off-centre, one with a thin pen, or a page of twenty. Counted are the digits read right, and on pages
the boxes that overlap the true ones by at least half (intersection over union); and the MNIST images, raw and prepared.
The settings of `glassnet.data.prepare` were chosen on validation digits.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing import Pool
from typing import Any

import numpy as np
from numpy.typing import NDArray

import glassnet as gn
from glassnet.data.prepare import looks_trained

Array = NDArray[Any]
Box = tuple[float, float, float, float]  # left, top, right, bottom
ON_A_PAGE, COLUMNS = 20, 5
ENOUGH = 0.5  # intersection over union


def photo(digits: Array, rng: np.random.Generator, *, thin: bool = False) -> tuple[Array, list[Box]]:
    """One digit (1, 28, 28) somewhere on a sheet of paper, or a page of several in rows; and their boxes."""
    from PIL import Image

    height, width = (int(side) for side in rng.integers(400, 1201, 2))
    ink = np.zeros((height, width), np.float32)
    boxes = []
    for digit, (top, left, size) in zip(digits, places(len(digits), height, width, rng), strict=True):
        large = np.asarray(Image.fromarray(digit).resize((size, size), Image.Resampling.BICUBIC), np.float32) / 255
        large = thinner(large) if thin else large
        area = ink[top : top + size, left : left + size]
        np.maximum(area, large, out=area)
        rows, columns = np.nonzero(large > 0.3)
        boxes.append((left + columns.min(), top + rows.min(), left + columns.max() + 1, top + rows.max() + 1))
    angle = rng.uniform(-8, 8)
    tilted = np.asarray(Image.fromarray(ink).rotate(angle, Image.Resampling.BICUBIC))
    return photographed(tilted, rng), [turned(box, angle, width, height) for box in boxes]


def places(count: int, height: int, width: int, rng: np.random.Generator) -> list[tuple[int, int, int]]:
    """Top, left and size of each digit."""
    if count == 1:
        size = max(70, int(rng.uniform(0.15, 0.6) * min(height, width)))
        tops, lefts = (rng.integers(int(0.05 * side), int(0.95 * side) - size) for side in (height, width))
        return [(int(tops), int(lefts), size)]
    rows = -(-count // COLUMNS)
    high, wide = 0.92 * height / rows, 0.92 * width / COLUMNS
    found = []
    for number in range(count):
        row, column = divmod(number, COLUMNS)
        size = int(min(high, wide) * rng.uniform(0.55, 0.8))
        top = 0.04 * height + row * high + rng.uniform(0.35, 0.65) * (high - size)
        left = 0.04 * width + column * wide + rng.uniform(0.35, 0.65) * (wide - size)
        found.append((int(top), int(left), size))
    return found


def thinner(ink: Array) -> Array:
    """Strokes worn to about a third of their width."""
    from scipy import ndimage

    inside = ink > 0.5
    depth = ndimage.distance_transform_edt(inside)
    ridge = inside & (depth >= ndimage.maximum_filter(depth, 3) - 0.5)
    width = max(1.0, float(np.percentile(depth[ridge], 50)) / 3)
    return np.asarray(np.clip(width + 0.5 - ndimage.distance_transform_edt(~ridge), 0, 1), np.float32)


def turned(box: Box, angle: float, width: int, height: int) -> Box:
    """The box around a box that was turned with the sheet, about its middle."""
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    corners = [(x - width / 2, y - height / 2) for x in box[::2] for y in box[1::2]]
    xs = [x * cos + y * sin + width / 2 for x, y in corners]
    ys = [y * cos - x * sin + height / 2 for x, y in corners]
    return min(xs), min(ys), max(xs), max(ys)


def photographed(ink: Array, rng: np.random.Generator) -> Array:
    """Ink on coloured paper under uneven light, with grain, blur and the artefacts of JPEG, (H, W, 3)."""
    from PIL import Image
    from scipy import ndimage

    height, width = ink.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    a = rng.uniform(-1, 1, 5)
    light = 1 + rng.uniform(0, 0.35) * (a[0] * x + a[1] * y + a[2] * x * y + a[3] * x * x + a[4] * y * y) / 2
    tint = rng.uniform(150, 245) * (1 - rng.uniform(0, 0.12, 3))
    pen = np.minimum(rng.uniform(10, 90, 3), 0.6 * tint)
    cover = (ink * rng.uniform(0.75, 1))[..., None]
    paper = tint * (1 - cover) + pen * cover
    if rng.random() < 0.3:  # the table shows at one side
        direction, distance = np.radians(rng.uniform(0, 360)), rng.uniform(0.98, 1.2)
        table = (np.cos(direction) * x + np.sin(direction) * y > distance) & (ink < 0.01)
        paper = np.where(table[..., None], rng.uniform(30, 140, 3), paper)
    grain = rng.normal(0, rng.uniform(2, 10), (height, width, 3))
    fibre = ndimage.gaussian_filter(rng.normal(0, 1, (height, width)), rng.uniform(1, 3))
    fibre *= rng.uniform(0, 5) / fibre.std()
    image = np.clip(paper * np.clip(light, 0.35, 1.2)[..., None] + grain + fibre[..., None], 0, 255).astype(np.uint8)
    blur = rng.uniform(0, 1.5)
    file = io.BytesIO()
    blurred = Image.fromarray(ndimage.gaussian_filter(image, (blur, blur, 0)))
    blurred.save(file, "JPEG", quality=int(rng.integers(60, 96)))
    with Image.open(file) as opened:
        return np.asarray(opened)


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes."""
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(wide, 0) * max(high, 0)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def one_photo(number: int, *, digits: Array, like: gn.Network, thin: bool) -> Array:
    image, _ = photo(digits[number : number + 1], np.random.default_rng([number, int(thin)]), thin=thin)
    return gn.prepare(image, like)


def one_page(number: int, *, digits: Array, like: gn.Network) -> tuple[list[gn.Prepared], list[Box]]:
    chosen = digits[ON_A_PAGE * number : ON_A_PAGE * (number + 1)]
    image, boxes = photo(chosen, np.random.default_rng([number, 2]))
    return gn.find(image, like), boxes


def in_two(work: Callable[[int], Any], count: int) -> list[Any]:
    """The work for 0 … count − 1, in two processes."""
    with Pool(2) as pool:
        return pool.map(work, range(count), chunksize=4)


def photos(data: gn.Dataset, network: gn.Network, count: int, *, thin: bool) -> None:
    chosen = data[:count]
    work = partial(one_photo, digits=chosen.images[..., 0], like=network, thin=thin)
    images = np.stack(in_two(work, len(chosen)))
    raw, read = ((network.predict(each) == chosen.labels).mean() for each in (chosen.images, images))
    kind = "with a thin pen" if thin else "photographed"
    print(f"{count} digits {kind}: read right {100 * read:.2f} % (the digits themselves {100 * raw:.2f} %)", flush=True)


def pages(data: gn.Dataset, network: gn.Network, count: int) -> None:
    results = in_two(partial(one_page, digits=data.images[: ON_A_PAGE * count, ..., 0], like=network), count)
    found = right = more = whole = 0
    for number, (page, boxes) in enumerate(results):
        labels = data.labels[ON_A_PAGE * number : ON_A_PAGE * (number + 1)]
        answers = network.predict(np.stack([one.pixels for one in page])) if page else np.zeros(0, np.int64)
        taken = set()
        for box, label in zip(boxes, labels, strict=True):
            shares = [overlap(one.box or (0, 0, 1, 1), box) for one in page]
            best = int(np.argmax(shares)) if shares else 0
            if shares and shares[best] >= ENOUGH:
                taken.add(best)
                found, right = found + 1, right + int(answers[best] == label)
        more += len(page) - len(taken)
        whole += answers.tolist() == labels.tolist()
    total = ON_A_PAGE * count
    counts = f"found {100 * found / total:.2f} %, read right {100 * right / total:.2f} %, {more} false boxes"
    print(f"pages of {ON_A_PAGE}: {counts}; {whole} of {count} pages without an error, in reading order", flush=True)


def prepared_set(data: gn.Dataset, network: gn.Network) -> None:
    """The images of the data set as they are, and through `prepare`."""
    style = network.image_style
    assert style is not None
    changed = [number for number, image in enumerate(data.images) if not looks_trained(image[..., 0], style)]
    images = data.images.copy()
    for number in changed:
        images[number] = gn.prepare(data.images[number], network)
    raw, prepared = ((network.predict(each) == data.labels).mean() for each in (data.images, images))
    print(
        f"{len(data)} images of the data set: raw {100 * raw:.2f} %, prepared {100 * prepared:.2f} % ({len(changed)} changed)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", required=True, help="a run on MNIST")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--pages", type=int, default=50)
    parser.add_argument("--part", choices=("validation", "test"), default="test")
    options = parser.parse_args()
    run = gn.Run.load(options.run)
    network, data = run.network, getattr(run.splits, options.part)
    if network.image_style is None:  # a run of an earlier version
        network.image_style = gn.ImageStyle.of(run.splits.train)
    prepared_set(data, network)
    photos(data, network, options.images, thin=False)
    pages(data, network, options.pages)
    photos(data, network, options.images, thin=True)


if __name__ == "__main__":
    main()
