"""The page prepares images as `gn.prepare` does: the same pixels go through Python and, in a browser, through JavaScript."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

import glassnet as gn
from benchmarks.page_prepare import KINDS, image, in_page, opened, said, strokes

Array = np.ndarray[Any, Any]
SHAPE = (28, 28, 1)


def style(**changes: Any) -> gn.ImageStyle:
    """As MNIST is: 20 pixels of 28, centred by mass, on black."""
    known: dict[str, Any] = {
        "ground": 0.0, "contrast": 0.9961, "height": 20.02, "width": 14.91, "side": 20.03, "y": 13.97, "x": 14.01,
        "stroke": 2.31, "thin": 1.52, "gap_y": 0.0, "gap_x": 0.0, "least": 17.5, "most": 20.8, "off": 1.4,
    }  # fmt: skip
    return gn.ImageStyle(ink=True, **(known | changes))


def network(known: gn.ImageStyle | None, shape: tuple[int, int, int] = SHAPE) -> gn.Network:
    """Of that shape and style; what it answers does not matter."""
    net = gn.Network(["Flatten", "Pixels", gn.Dense(3)], input_shape=shape, seed=0)
    net.image_style = known
    return net


@pytest.fixture(scope="module")
def page(browser: Any) -> Iterator[Any]:
    opened_page = opened(browser)
    yield opened_page
    opened_page.close()


@pytest.fixture(scope="module")
def digits() -> Array:
    """The digits of scikit-learn as MNIST would have them: 20 pixels of 28, light on black."""
    found = gn.load_dataset("digits").train.images[:64, ..., 0]
    large = [np.asarray(Image.fromarray(one * 15).resize((20, 20), Image.Resampling.BICUBIC)) for one in found]
    return np.pad(np.stack(large), ((0, 0), (4, 4), (4, 4)))


def check(page: Any, pixels: Array, net: gn.Network, mode: str = "auto", fit: str = "stretch") -> gn.Prepared:
    """Python's result, once the page's is the same."""
    from glassnet.experiment.prepare import Preparation

    wanted = Preparation(net, fit).one(pixels, mode)  # type: ignore[arg-type]
    made = in_page(page, pixels, net.image_style, net.input_shape, mode=mode, fit=fit)
    assert made["kind"] == wanted.kind
    assert made["box"] == wanted.describe()["box"]
    assert said(made["steps"]) == [step.en for step in wanted.steps]
    assert [step["text"] for step in made["steps"]] == [step.msgid for step in wanted.steps]  # so that its Chinese is found
    difference = np.abs(made["pixels"].astype(int) - wanted.pixels)
    assert difference.max() <= 1
    assert (difference > 0).mean() <= 1e-3
    assert all(stage["whole"] and stage["low"] >= 0 and stage["high"] <= 1 for stage in made["stages"])
    return wanted


def test_images_of_all_kinds_become_the_same_pixels(page: Any, digits: Array) -> None:
    net = network(style())
    found = [check(page, image(number, digits)[1], net).kind for number in range(2 * len(KINDS))]
    assert set(found) == {"ink", "blank", "unchanged"}


@pytest.mark.parametrize(
    "changes",
    [
        {"ground": 1.0, "contrast": -0.92},
        {"centring": "box"},
        {"stretched": True, "height": 26.0, "width": 25.0},
        {"thin": 9.0, "stroke": 9.5},
        {"gap_y": 0.9},
    ],
)
def test_every_style_of_training_images(page: Any, digits: Array, changes: dict[str, Any]) -> None:
    net = network(style(**changes))
    for number in (1, 3, 5, 9):
        check(page, image(number, digits)[1], net)


def test_ink_is_looked_for_where_it_is_asked_for_and_raw_is_only_resized(page: Any, digits: Array) -> None:
    net = network(style())
    for pixels in (digits[3], strokes(np.random.default_rng(1))):
        assert check(page, pixels, net, "ink").kind == "ink"
        assert check(page, pixels, net, "none").kind == "unchanged"


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("known", [None, gn.ImageStyle(ink=False)])
def test_photographs_are_resized_as_pillow_does(page: Any, digits: Array, fit: str, known: gn.ImageStyle | None) -> None:
    colour = image(8, digits)[1]
    for shape in ((32, 32, 3), (24, 40, 1), (120, 80, 3)):
        net = network(known, shape)
        transparent = np.dstack([colour, np.broadcast_to(np.arange(320) % 256, (240, 320))]).astype(np.uint8)
        sharp = np.where(colour > 127, 255, 0).astype(np.uint8)
        same = np.ascontiguousarray(colour[: shape[0], : shape[1]])
        for pixels in (colour, colour[:, :7], colour[:1], colour[:200, :30], sharp, sharp[::-1, :150], transparent, same):
            check(page, pixels, net, fit=fit)


def test_cropped_ink_stays_where_it_was_drawn(page: Any) -> None:
    drawn = np.zeros((280, 280), np.uint8)
    drawn[20:90, 40:60] = 255
    made = in_page(page, drawn, style(), SHAPE, mode="cropped")
    rows, columns = (np.flatnonzero(made["pixels"][..., 0].max(axis=axis) > 127) for axis in (1, 0))
    assert [rows[0], rows[-1]] == [0, 19]  # 20 pixels long, as high up as they fit
    assert np.mean(columns) + 0.5 == pytest.approx(28 * 50 / 280, abs=0.6)
    assert "centred" not in " ".join(said(made["steps"]))
    assert [stage["name"] for stage in made["stages"]] == ["drawn", "without background", "cut out", "fed"]
