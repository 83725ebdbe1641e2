"""The page in a browser: pointing at, tapping or tabbing to a symbol marks it; languages, phones, no complaints."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

import glassnet as gn
from glassnet.analysis.trace.document import ImageView
from glassnet.analysis.trace.html import _pixels
from glassnet.support.i18n import same


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    images = np.random.default_rng(2).integers(0, 256, (4, 12, 12, 1)).astype(np.uint8)
    data = gn.Dataset(images, np.arange(4) % 3)
    layers = [gn.Pixels(), gn.Conv2D(3, 5), gn.BatchNorm(), gn.ReLU(), gn.MaxPool2D(2), gn.Flatten(), gn.Dense(3)]
    network = gn.Network(layers, loss=gn.SoftmaxCrossEntropy(), input_shape=(12, 12, 1), seed=1)
    return gn.trace(network, 1, data=data).save(tmp_path_factory.mktemp("page") / "trace.html")


def test_numbers_are_red_above_zero_and_blue_below() -> None:
    url = _pixels(ImageView(same("x"), "x", np.array([[2.0, -2.0, 0.0, 1.0]])))
    pixels = np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/png;base64,")))))
    assert pixels.tolist() == [[[255, 0, 0], [0, 0, 255], [255, 255, 255], [255, 127, 127]]]


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=["laptop", "phone"])
def page(request: pytest.FixtureRequest, browser: Any, written: Path) -> Iterator[Any]:
    """The page without a network; any complaint of it fails the test."""
    width, scheme = request.param
    context = browser.new_context(
        viewport={"width": width, "height": 900}, offline=True, locale="en-GB", color_scheme=scheme, has_touch=True
    )
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("request", lambda asked: complaints.append(asked.url) if asked.url.startswith("http") else None)
    opened.goto(written.as_uri())
    yield opened
    assert complaints == []
    context.close()


def hot(page: Any) -> list[str]:
    """The elements that are marked, as tag and text."""
    found: list[str] = page.eval_on_selector_all(
        ".hot", "all => all.map(one => one.closest('.eq, .num, pre, figure').tagName)"
    )
    return found


@pytest.mark.parametrize("way", ["hover", "tap", "focus"])
def test_a_symbol_is_marked_in_equation_numbers_code_and_array(page: Any, way: str) -> None:
    symbol = page.locator("article", has_text="Conv2D: filter").first.locator(".eq [data-s=w]")
    getattr(symbol, way)()
    marked = hot(page)
    assert {"P", "PRE", "FIGURE"} == set(marked)
    assert marked.count("FIGURE") == 25  # the filter, cell by cell
    assert marked.count("P") >= 5  # in the equation, and the written terms
    assert "a weight" in page.inner_text("#meaning")
    page.keyboard.press("Escape")
    assert hot(page) == []


def test_only_the_same_step_is_marked(page: Any) -> None:
    page.locator(".step .eq [data-s=x]").first.focus()
    assert page.evaluate("new Set([...document.querySelectorAll('.hot')].map(one => one.closest('.step').id)).size") == 1


def test_each_symbol_of_the_page_can_be_reached_and_explained(page: Any) -> None:
    for symbol in page.query_selector_all(".eq [data-s]"):
        symbol.focus()
        assert page.inner_text("#meaning").strip()
        assert len(hot(page)) >= 1


def test_the_contents_lead_to_every_part_and_step(page: Any) -> None:
    parts = page.eval_on_selector_all(".bar nav a", "all => all.map(one => one.hash.slice(1))")
    assert parts == ["forward", "cost", "backward", "check", "update"]
    links = page.eval_on_selector_all("main nav a", "all => all.map(one => one.hash)")
    assert len(links) == len(parts) + page.locator("article.step").count()
    assert all(page.locator(link).count() == 1 for link in links)


def test_the_four_equations_have_plain_names_and_activations_are_a_of_z(page: Any) -> None:
    tags = set(page.locator(".tag").all_inner_texts())
    assert {"BP1, the error of the output", "BP2, the error passed back", "BP4, the gradient of a weight"} <= tags
    relu = page.locator("article", has_text="ReLU: value").first
    assert relu.locator(".eq").inner_text() == "a = max(z, 0)"


def test_languages_and_colours_switch(page: Any) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(background)
    assert page.locator("h2").first.inner_text() == "Forward: from the input to the answer"
    page.click("#language")
    assert page.locator("h2").first.inner_text() == "前向：从输入到回答"
    page.locator(".step .eq [data-s=x]").first.focus()
    assert "输入" in page.inner_text("#meaning")
    page.click("#theme")
    assert page.evaluate(background) != before


def test_nothing_is_wider_than_the_screen(page: Any) -> None:
    for _ in range(2):
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.click("#language")
