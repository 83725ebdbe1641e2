"""Digits drawn with a pen on the exported page: `python -m benchmarks.strokes --run RUN [--digits 1000]`.

MNIST test digits are thinned to skeletons (Zhang and Suen, 1984), the skeletons followed as strokes, and these drawn with the
mouse in Chromium at random width, size and place. RUN is a trained mnist-cnn.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

import glassnet as gn
from glassnet.present.page import write_page

SCALE = 4  # digits are enlarged before they are thinned: smoother lines
AROUND = (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1)  # north, north-east, east …
Points = list[tuple[float, float]]  # (x, y)


def skeleton(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Lines one pixel wide."""
    image = np.pad(ink, 1)
    while True:
        before = image.copy()
        for first in (True, False):
            p = [np.roll(image, shift, (0, 1)) for shift in AROUND]
            count = sum(one.astype(int) for one in p)
            turns = sum((~p[i] & p[(i + 1) % 8]).astype(int) for i in range(8))
            north, east, south, west = p[0], p[2], p[4], p[6]
            free = ~(north & east & south) & ~(east & south & west)
            if not first:
                free = ~(north & east & west) & ~(north & south & west)
            image &= ~(image & (count >= 2) & (count <= 6) & (turns == 1) & free)
        if (image == before).all():
            return np.asarray(image[1:-1, 1:-1])


def strokes(digit: NDArray[np.uint8]) -> list[Points]:
    """The lines of a digit, in its pixels: from ends and crossings along neighbours, the straightest way first."""
    large = ndimage.gaussian_filter(ndimage.zoom(digit.astype(float), SCALE, order=1), SCALE / 2)
    left = {(int(y), int(x)) for y, x in np.argwhere(skeleton(large > 100))}
    if not left:
        y, x = ndimage.center_of_mass(digit)
        return [[(x, y), (x + 0.5, y)]]

    def near(place: tuple[int, int], among: set[tuple[int, int]]) -> list[tuple[int, int]]:
        return [found for dy, dx in AROUND if (found := (place[0] + dy, place[1] + dx)) in among]

    lines: list[Points] = []
    all_places = set(left)
    while left:
        start = min(left, key=lambda place: (len(near(place, left)), place))
        line = [start]
        left.discard(start)
        while nexts := near(line[-1], left):
            back = line[max(0, len(line) - 5)]
            ahead = np.subtract(line[-1], back)
            line.append(max(nexts, key=lambda place: float(np.dot(np.subtract(place, line[-1]), ahead))))
            left.discard(line[-1])
        for end in (0, -1):  # up to the line that it leaves, or to where it closes
            others = [place for place in near(line[end], all_places) if place not in line[:3] + line[-3:]]
            line = [*others[:1], *line] if end == 0 else [*line, *others[:1]]
        if len(line) > 2 or not lines:
            lines.append([((x + 0.5) / SCALE, (y + 0.5) / SCALE) for y, x in [*line[:: 2 * SCALE], line[-1]]])
    return lines


def draw(page: Any, box: dict[str, float], lines: list[Points], rng: np.random.Generator) -> None:
    """The strokes at random width, size and place of the pad."""
    x, y = np.array([point for line in lines for point in line]).T
    longer = max(np.ptp(x), np.ptp(y), 1)
    side = rng.uniform(0.3, 0.75) * box["width"]
    scale = side / longer
    room_x, room_y = box["width"] - np.ptp(x) * scale, box["height"] - np.ptp(y) * scale
    left, top = rng.uniform(0.1, 0.9) * room_x - x.min() * scale, rng.uniform(0.1, 0.9) * room_y - y.min() * scale
    page.locator("input[type=range]").first.fill(str(round(side * rng.uniform(0.06, 0.12))))
    for line in lines:
        at = [(box["x"] + left + scale * px, box["y"] + top + scale * py) for px, py in line]
        page.mouse.move(*at[0])
        page.mouse.down()
        for place in at[1:]:
            page.mouse.move(*place)
        page.mouse.up()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--digits", type=int, default=1000)
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    from tests.install_browser import launch

    run, rng = gn.Run.load(options.run), np.random.default_rng(0)
    chosen = rng.choice(len(run.test), options.digits, replace=False)
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        page = launch(driver).new_page(viewport={"width": 1280, "height": 900})
        page.goto(write_page([run], Path(folder) / "page.html").as_uri())
        page.evaluate("glassnet.ready")
        box, right = page.locator(".sheet").bounding_box(), 0
        for index in chosen:
            page.get_by_role("button", name="Clear", exact=True).first.click()
            draw(page, box, strokes(run.test.images[index, :, :, 0]), rng)
            page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
            answer = page.locator(".best strong").inner_text()
            right += answer == str(run.test.labels[index])
        own = run.network.predict(run.test.images[chosen]) == run.test.labels[chosen]
        print(f"{options.digits} digits drawn with a pen: {100 * right / options.digits:.2f} % read right")
        print(f"(the test images that they were traced from: {100 * own.mean():.2f} %)")


if __name__ == "__main__":
    main()
