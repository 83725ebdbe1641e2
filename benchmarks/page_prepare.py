"""Whether the page prepares images as Python does: `python -m benchmarks.page_prepare --run runs/mnist-cnn [--images 1000]`.

Photographed digits, drawings in many forms, digits of the data set, blank, tiny, huge, coloured and transparent images go
through `gn.prepare` and, as the same pixels, through the page's JavaScript in Chromium. Reported are how many agree in kind,
box and steps, the pixels and the predictions that differ, and how long a drawing of 280 × 280 pixels takes in the page.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

import glassnet as gn
from benchmarks.photos import photo

Array = NDArray[Any]
SCRIPTS = Path(gn.__file__).parent / "present" / "page" / "js"
MODULES = ("numbers", "resample", "colour", "ink", "parts", "background", "filters", "find", "cut", "prepare")
CANVAS = 280
KINDS = ("photo", "drawing", "photo, thin", "dark drawing", "transparent", "digit", "inverted", "tiny", "colour", "enlarged",
         "blank", "noise", "long", "edge", "huge", "two sizes")  # fmt: skip
IN_PAGE = """([image, style, shape, options]) => {
  const bytes = Uint8ClampedArray.from(atob(image.data), letter => letter.charCodeAt(0));
  const started = performance.now();
  const made = prepareOne({...image, data: bytes}, style, shape, options);
  const milliseconds = performance.now() - started;
  const {kind, box, steps, stages} = made;
  return {kind, box, steps, milliseconds, pixels: [...made.pixels], stages: stages.map(
    ({name, width, height, channels, values}) =>
      ({name, whole: values.length === width * height * (channels ?? 1), low: Math.min(...values.slice(0, 9e4)),
        high: Math.max(...values.slice(0, 9e4))}))};
}"""


def joined(names: tuple[str, ...] = MODULES) -> str:
    """The modules in one scope, as the page has them."""
    sources = [(SCRIPTS / f"{name}.js").read_text(encoding="utf-8") for name in names]
    return re.sub(r"^export (?=const|class|function)|^import .*$", "", "\n".join(sources), flags=re.MULTILINE)


def opened(browser: Any) -> Any:
    """A page of the browser with `prepareOne`."""
    page = browser.new_page()
    page.add_script_tag(content=joined() + "\nwindow.prepareOne = prepareOne;", type="module")
    page.wait_for_function("() => Boolean(window.prepareOne)")
    return page


def strokes(rng: np.random.Generator, side: int = CANVAS) -> Array:
    """A drawing of a few curved strokes, 0…255, of varied width, size and place."""
    sheet = Image.new("L", (2 * side, 2 * side))
    draw = ImageDraw.Draw(sheet)
    width, size = int(rng.uniform(0.02, 0.12) * 2 * side), rng.uniform(0.2, 0.8) * 2 * side
    corner = rng.uniform(0.02, 0.98, 2) * (2 * side - size)
    for _ in range(rng.integers(1, 4)):
        points = rng.uniform(0, size, (4, 2)) + corner
        t = np.linspace(0, 1, 30)[:, None]
        curve = sum(
            weight * point
            for weight, point in zip(((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3), points, strict=True)
        )
        draw.line([tuple(point) for point in np.asarray(curve)], 255, width, "curve")
    return np.asarray(sheet.resize((side, side), Image.Resampling.BOX))


def image(number: int, digits: Array) -> tuple[str, Array]:
    """The name of a kind of image, and one of it: (H, W), (H, W, 3) or (H, W, 4)."""
    rng = np.random.default_rng([number, 13])
    digit = digits[number % len(digits)]
    kind = KINDS[number % len(KINDS)]
    if kind.startswith("photo"):
        return kind, photo(digit[None], rng, thin="thin" in kind)[0]
    if kind in ("drawing", "dark drawing"):
        drawn = strokes(rng, CANVAS)
        return kind, drawn if kind == "drawing" else 255 - drawn
    if kind == "transparent":
        drawn, pen = strokes(rng, int(rng.integers(60, 500))), rng.integers(0, 256, 3)
        return kind, np.dstack([np.broadcast_to(pen, (*drawn.shape, 3)), drawn]).astype(np.uint8)
    if kind in ("digit", "inverted"):
        return kind, digit if kind == "digit" else 255 - digit
    if kind == "tiny":
        height, width = rng.integers(1, 60, 2)
        return kind, np.asarray(Image.fromarray(digit).resize((int(width), int(height)), Image.Resampling.BICUBIC))
    if kind == "colour":
        small = rng.integers(0, 256, (6, 8, 3)).astype(np.uint8)
        return kind, np.asarray(Image.fromarray(small).resize((320, 240), Image.Resampling.BICUBIC))
    if kind == "enlarged":
        side = int(rng.integers(29, 300))
        return kind, np.asarray(Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC))
    if kind == "blank":
        return kind, np.full(tuple(rng.integers(1, 400, 2)), rng.integers(0, 256), np.uint8)
    if kind == "noise":
        return kind, np.clip(rng.normal(rng.uniform(0, 255), 30, (200, 150)), 0, 255).astype(np.uint8)
    if kind == "long":
        return kind, np.ascontiguousarray(255 - strokes(rng, 450)[:, : int(rng.integers(2, 60))])
    if kind == "edge":
        return kind, np.ascontiguousarray(strokes(rng)[: int(rng.integers(60, 200)), int(rng.integers(20, 100)) :])
    if kind == "huge":
        large = photo(digit[None], rng)[0]
        return kind, np.asarray(Image.fromarray(large).resize((2400, 1800), Image.Resampling.BICUBIC))
    return kind, np.concatenate([strokes(rng, 200), strokes(rng, 200) // 3], axis=int(rng.integers(2)))


def in_page(page: Any, pixels: Array, style: gn.ImageStyle | None, shape: tuple[int, ...], **options: str) -> dict[str, Any]:
    """What `prepareOne` makes of the pixels: grey bytes as they are, colours with alpha, as a canvas has them."""
    if pixels.ndim == 3 and pixels.shape[-1] == 3:
        pixels = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    data = base64.b64encode(np.ascontiguousarray(pixels).tobytes()).decode()
    described = None if style is None else style.describe()
    made = page.evaluate(
        IN_PAGE,
        [{"data": data, "width": pixels.shape[1], "height": pixels.shape[0]}, described, list(shape), options],
    )
    made["pixels"] = np.array(made["pixels"], np.uint8).reshape(shape)
    return dict(made)


def said(steps: list[dict[str, Any]]) -> list[str]:
    """The steps' texts with their figures, as Python fills them in."""
    return [step["text"].format(**step["values"]) for step in steps]


def main() -> None:
    from playwright.sync_api import sync_playwright

    from tests.install_browser import launch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", required=True, help="a run on MNIST")
    parser.add_argument("--images", type=int, default=1000)
    options = parser.parse_args()
    run = gn.Run.load(options.run)
    network, style = run.network, run.network.image_style or gn.ImageStyle.of(run.splits.train)
    network.image_style = style
    test = run.splits.test
    assert test is not None
    digits = test.images[..., 0]
    kinds: Counter[str] = Counter()
    same, equal, near, largest, wrong, other, times = 0, 0, 0, 0, [], 0, []
    with sync_playwright() as driver:
        browser = launch(driver)
        page = opened(browser)
        for number in range(options.images):
            kind, pixels = image(number, digits)
            wanted = gn.prepare(pixels, network, return_record=True)
            made = in_page(page, pixels, style, network.input_shape)
            difference = np.abs(made["pixels"].astype(int) - wanted.pixels)
            agrees = made["kind"] == wanted.kind and made["box"] == wanted.describe()["box"]
            agrees = agrees and said(made["steps"]) == [step.en for step in wanted.steps]
            kinds[wanted.kind] += 1
            same += agrees
            equal += int((difference == 0).sum())
            near += int((difference <= 1).all())
            largest = max(largest, int(difference.max()))
            if not agrees or difference.max() > 1:
                wrong.append((number, kind, made["kind"], wanted.kind, made["box"], wanted.box, int(difference.max())))
            answers = network.predict(np.stack([made["pixels"], wanted.pixels]))
            other += int(answers[0] != answers[1])
        for number in range(300):
            drawn = strokes(np.random.default_rng([number, 14]))
            times.append(in_page(page, np.dstack([drawn] * 3), style, network.input_shape)["milliseconds"])
        browser.close()
    count = options.images
    size = int(np.prod(network.input_shape))
    print(f"{count} images ({json.dumps(kinds)}): kind, box and steps agree in {same}, all pixels within one level in {near}")
    print(f"pixels equal: {100 * equal / (count * size):.4f} %, largest difference {largest}; other answers: {other}")
    middle, late = np.quantile(times[20:], [0.5, 0.95])
    print(f"a drawing of {CANVAS} × {CANVAS} pixels: median {middle:.1f} ms, 95th percentile {late:.1f} ms")
    for case in wrong:
        print("differs:", *case)


if __name__ == "__main__":
    main()
