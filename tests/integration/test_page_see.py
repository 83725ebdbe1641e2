"""See through: layers drawn as the network computed them, and the sum behind any number by mouse, touch and keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glassnet.analysis.explain import activations
from glassnet.experiment import run as runs
from glassnet.experiment.run import Run
from glassnet.present.page import write_page
from glassnet.present.page.model import some_samples
from tests.page import ALL_WAYS, axe_violations
from tests.waiting import until

CONVOLUTION: list[Any] = [
    "Pixels", {"type": "Conv2D", "filters": 6, "kernel_size": 3}, "BatchNorm", "ReLU",
    {"type": "Residual", "layers": [{"type": "Conv2D", "filters": 6, "kernel_size": 3, "padding": "same"}, "Tanh"]},
    {"type": "MaxPool2D", "pool_size": 2}, "Flatten", {"type": "Dense", "units": 12}, "ReLU", {"type": "Dense", "units": 10},
]  # fmt: skip
RECURRENT: list[Any] = [
    "Pixels", {"type": "GRU", "units": 9, "return_sequences": True}, {"type": "LSTM", "units": 8},
    {"type": "Dense", "units": 10},
]  # fmt: skip
# How many values a canvas shows.
SHADES = "c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size"
NETWORKS: dict[str, list[Any]] = {"convolution": CONVOLUTION, "recurrent": RECURRENT, "dense": [64, 30, 10]}


@pytest.fixture(scope="module")
def trained_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder = tmp_path_factory.mktemp("see")
    return {
        name: runs.train("digits", epochs=2, out=folder / name, settings={"network.layers": layers})
        for name, layers in NETWORKS.items()
    }


@pytest.fixture(scope="module")
def paths(trained_runs: dict[str, Run], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    return {name: write_page([run], folder / f"{name}.html") for name, run in trained_runs.items()}


@pytest.fixture
def opened(browser: Any, paths: dict[str, Path], request: pytest.FixtureRequest) -> Iterator[Any]:
    """A page at its first training image: (name, width, theme, locale) are the parameter."""
    name, width, theme, locale = (*request.param, *(1440, "light", "en-GB")[len(request.param) - 1 :])
    context = browser.new_context(
        viewport={"width": width, "height": 900}, offline=True, locale=locale, color_scheme=theme, reduced_motion="reduce"
    )
    page = context.new_page()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.goto(paths[name].as_uri())
    page.evaluate("window.glassnet.ready")
    page.locator(".samples button").first.click()
    page.locator("#see .layer canvas").first.wait_for()
    yield page
    context.close()
    assert failures == []


def shown(page: Any) -> tuple[str, float]:
    """The name and the value in the title of the panel."""
    name, _, value = page.locator(".sum h3").inner_text().partition(" = ")
    return name, float(value.replace("−", "-"))


def figure(page: Any, path: str) -> Any:
    return page.locator(f'.layer[data-path="{path}"]')


def drawn(page: Any, path: str) -> Any:
    """The first canvas of a layer, in view and drawn: before that it takes no keys and no clicks."""
    canvas = figure(page, path).locator("canvas").first
    canvas.scroll_into_view_if_needed()
    until(lambda: canvas.evaluate(SHADES) > 4)
    return canvas


def image_of(run: Run) -> Any:
    return some_samples(run.splits.train)[0][:1]


@pytest.mark.parametrize("opened", [(name,) for name in NETWORKS], indirect=True, ids=NETWORKS)
def test_every_layer_is_drawn_in_its_order(opened: Any, request: pytest.FixtureRequest, trained_runs: dict[str, Run]) -> None:
    run = trained_runs[request.node.callspec.id]
    for place in range(len(run.network.layers)):
        one = figure(opened, str(place))
        one.scroll_into_view_if_needed()
        assert one.locator("figcaption b").inner_text() == run.network.names[place]
        drawn(opened, str(place))


@pytest.mark.parametrize("opened", [("convolution",)], indirect=True)
def test_the_sum_is_followed_to_the_pixels_by_keyboard(opened: Any, trained_runs: dict[str, Run]) -> None:
    run, page = trained_runs["convolution"], opened
    canvas = drawn(page, "9")
    canvas.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    readout = figure(page, "9").locator("output").inner_text()
    page.keyboard.press("Enter")
    name, value = shown(page)
    assert readout.startswith(name)
    assert name == "dense2.y[2]"
    wanted = activations(run.network, image_of(run), "dense2")[0]
    assert value == pytest.approx(float(wanted[2]), rel=1e-4)
    seen = [name]
    for _ in range(30):
        sources = page.locator(".sum-body button.number")
        if not sources.count():
            break
        sources.first.focus()
        page.keyboard.press("Enter")
        seen.append(shown(page)[0])
    assert seen[-1].startswith("image[")
    kinds = [name.split(".")[0] for name in seen]
    assert {"dense2", "relu2", "dense1", "flatten1", "maxpool2d1", "residual1", "conv2d1", "pixels1"} <= set(kinds)
    assert page.locator(".crumbs li").count() == len(seen)
    page.locator(".crumbs button").first.click()
    assert shown(page)[0] == "dense2.y[2]"
    page.keyboard.press("Escape")
    assert not page.locator(".sum").is_visible()


@pytest.mark.parametrize("opened", [("recurrent",)], indirect=True)
def test_states_and_gates_at_each_step(opened: Any, trained_runs: dict[str, Run]) -> None:
    page, run = opened, trained_runs["recurrent"]
    canvas = drawn(page, "2")  # the LSTM, whose last state alone goes on
    box = canvas.bounding_box()
    canvas.click(position={"x": 2.5 * box["width"] / 8, "y": 7.5 * box["height"] / 8})
    name, value = shown(page)
    assert name == "lstm1.h[7, 2]"
    assert value == pytest.approx(float(activations(run.network, image_of(run), "lstm1")[0][2]), abs=1e-4)
    page.locator(".sum-body button.number").first.click()
    assert shown(page)[0] == "lstm1.i.into[7, 2]"
    page.locator(".sum-body button.number", has_text="").first.click()
    assert shown(page)[0].startswith(("gru1.y[7,", "lstm1.h[6,"))


@pytest.mark.parametrize("opened", [("dense",)], indirect=True)
def test_values_follow_the_drawing_and_the_panel_the_answer(opened: Any) -> None:
    page = opened
    page.locator(".see").scroll_into_view_if_needed()  # it is drawn only where it can be seen
    page.locator(".sum h3 b").wait_for()
    before = page.locator(".sum h3").inner_text()
    page.locator(".samples button").nth(1).evaluate("button => button.click()")
    until(lambda: page.locator(".sum h3").text_content() != before)
    answer = page.evaluate("[...document.querySelectorAll('.bars li')].findIndex(row => row.classList.contains('first'))")
    name, value = shown(page)
    assert name.endswith(f"[{answer}]")
    assert value > 0


@pytest.mark.parametrize("opened", [("dense",), ("convolution",)], indirect=True, ids=["dense", "convolution"])
def test_saliency_and_the_nearest_training_images(
    opened: Any, request: pytest.FixtureRequest, trained_runs: dict[str, Run]
) -> None:
    page, run = opened, trained_runs[request.node.callspec.id]
    page.locator(".nearest[data-ready]").wait_for()
    items = page.locator(".nearest li")
    assert items.count() == 8
    distances = [float(text) for text in page.locator(".nearest small").all_inner_texts()]
    assert distances == sorted(distances)
    assert distances[0] == 0  # a training image is nearest to itself
    images, labels = some_samples(run.splits.train)
    names = run.network.names
    last = max(place for place, layer in enumerate(run.network.layers) if layer.parameters)
    hidden = activations(run.network, images, names[last - 1])
    far = np.linalg.norm(hidden - hidden[0], axis=-1)
    nearest = np.argsort(far, kind="stable")[:8]
    np.testing.assert_allclose(distances, far[nearest], atol=0.006)
    assert page.locator(".nearest b").all_inner_texts() == [run.network.classes[labels[i]] for i in nearest]
    page.locator(".saliency[data-covered]").wait_for()
    colours = "c => new Set(new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size"
    for canvas in page.locator(".maps canvas").all():
        assert canvas.evaluate(colours) > 10


@pytest.mark.parametrize(
    "opened",
    [("convolution", *way) for way in ALL_WAYS[::3]] + [("recurrent", *way) for way in ALL_WAYS[1::3]],
    indirect=True,
    ids=str,
)
def test_axe_finds_no_violation_with_an_open_panel(opened: Any) -> None:
    canvas = drawn(opened, "1")
    canvas.focus()
    opened.keyboard.press("ArrowRight")
    opened.keyboard.press("Enter")
    opened.locator(".nearest[data-ready]").wait_for(state="attached")
    assert axe_violations(opened) == []
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
