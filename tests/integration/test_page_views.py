"""Learn, Time, Break it and Compare on the page, in a browser, with small networks that were trained for it."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.experiment import run as runs
from glassnet.present.page import page_html
from glassnet.present.page.snapshots import dequantised, pack_snapshots, quantised
from tests.page import ALL_WAYS, axe_violations

LAYERS = [
    "Pixels", {"type": "Conv2D", "filters": 8, "kernel_size": 3}, "BatchNorm", "ReLU", "MaxPool2D", "Flatten",
    {"type": "Dense", "units": 16}, "Sigmoid", {"type": "Dense", "units": 10},
]  # fmt: skip
INNER = (
    "window.inner = { page, stepOn, flipTo, epochsOf, switchOff, quantise, distorted, folderNames, changesOf, shadesNow };\n"
)
QUIET = "new Promise((done) => setTimeout(done, 300))"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    folder = tmp_path_factory.mktemp("runs")
    plain = {"type": "SGD", "learning_rate": 0.1}
    dense = runs.train("digits", epochs=8, out=folder / "dense", settings={"optimizer": plain}, progress=False)
    return [dense, runs.train("digits", epochs=3, out=folder / "conv", progress=False,
                              settings={"network.layers": LAYERS, "optimizer": plain})]  # fmt: skip


@pytest.fixture(scope="module")
def path(trained: list[Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of both, with what is inside it to be asked for."""
    place = tmp_path_factory.mktemp("page") / "page.html"
    place.write_text(page_html(trained).replace("window.glassnet = {", INNER + "window.glassnet = {"), encoding="utf-8")
    return place


@contextlib.contextmanager
def opened(browser: Any, path: Path, width: int = 1440, theme: str = "light", locale: str = "en-GB") -> Iterator[Any]:
    context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, locale=locale, color_scheme=theme,
                                  reduced_motion="reduce", bypass_csp=True)  # fmt: skip
    page = context.new_page()
    page.set_default_timeout(10_000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(path.as_uri())
    page.evaluate("glassnet.ready")
    page.evaluate(QUIET)
    yield page
    context.close()
    assert faults == []


def choose(page: Any, number: int) -> None:
    page.select_option(".chooser select", str(number))
    page.evaluate(QUIET)


def changed(page: Any) -> float:
    """How far the weights are from the trained ones."""
    return float(
        page.evaluate("Math.max(...inner.page.model.parameters.map((x, i) => Math.abs(x - inner.page.model.saved[i])))")
    )


def slide(page: Any, name: str, value: float) -> None:
    page.get_by_label(name).evaluate("(input, x) => { input.value = x; input.dispatchEvent(new Event('input')); }", value)


@pytest.mark.parametrize("number", [0, 1])
def test_one_step_follows_the_gradient_that_is_shown(browser: Any, path: Path, number: int) -> None:
    """Also with dropout and batch normalisation: w ← w − η·∂L/∂w, and the running statistics stay."""
    with opened(browser, path) as page:
        choose(page, number)
        before, gradient, after, freed = page.evaluate("""() => {
          const { model, pixels } = inner.page;
          const before = [...model.parameters], end = model.machine.end;
          const { gradients } = model.learn(pixels, 3);
          inner.stepOn(model, pixels, 3, 0.5);
          return [before, [...gradients], [...model.parameters], model.machine.end === end];
        }""")
        wanted = np.array(before)
        wanted[: len(gradient)] -= 0.5 * np.array(gradient)
        assert np.abs(gradient).max() > 1e-3
        np.testing.assert_allclose(after, wanted, atol=2e-6)
        assert freed


def test_a_step_is_shown_on_the_whole_page_and_undone(browser: Any, path: Path) -> None:
    with opened(browser, path) as page:
        view = page.locator("#learn")
        view.get_by_label("Right answer").select_option("7")
        view.get_by_label("Learning rate").first.fill("0.02")
        share = page.locator(".answer .share").inner_text()
        for _ in range(2):
            view.get_by_role("button", name="One step").click()
        page.evaluate(QUIET)
        losses = [float(text.split()[-1]) for text in view.locator(".pair .head .en").all_inner_texts()]
        assert losses[1] < losses[0]
        assert page.locator(".answer .share").inner_text() != share
        assert "steps of learning: 2" in page.locator(".changed").inner_text()
        view.get_by_role("button", name="Take the step back").click()
        assert "steps of learning: 1" in page.locator(".changed").inner_text()
        assert changed(page) > 0
        view.get_by_role("button", name="Take the step back").click()
        assert changed(page) == 0
        assert not page.locator(".changed").is_visible()
        assert view.get_by_role("button", name="Take the step back").is_disabled()
        view.get_by_label("Learning rate").first.fill("-1")
        view.get_by_role("button", name="One step").click()
        assert "must be a number above 0" in view.locator(".refusal").inner_text()
        assert changed(page) == 0
        rows = view.locator("table.flow tbody tr")
        assert rows.count() == 9
        assert view.locator(".filters figure").count() == 16


COLOURS = """(canvas) => {
  const numbers = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return [...new Set(Array.from({ length: numbers.length / 4 }, (_, i) => numbers.slice(4 * i, 4 * i + 3).join()))];
}"""


@pytest.mark.parametrize(("width", "number"), [(390, 0), (390, 1), (1440, 0), (1440, 1)])
def test_learning_and_breaking_show_colours_and_names_as_see_through_does(
    browser: Any, path: Path, trained: list[Any], width: int, number: int
) -> None:
    names = trained[number].network.names
    with opened(browser, path, width) as page:
        choose(page, number)
        for view in ("learn", "break"):
            page.locator(f"#{view}").scroll_into_view_if_needed()
            page.evaluate(QUIET)
        assert page.locator("#learn .flow tbody th").all_inner_texts() == [*reversed(names)]
        assert page.locator("#see .layer figcaption b").all_inner_texts()[1:][: len(names)] == [*names]
        weighted = [name for name in names if name.startswith(("conv2d", "dense"))]
        chosen = page.locator("#break select option").all_inner_texts()
        assert [text.split(" (")[0] for text in chosen] == weighted[:-1]
        table = page.locator("#learn .scroll:has(.flow)")
        assert table.evaluate("(box) => box.scrollWidth <= box.clientWidth")
        for theme in ("light", "dark"):
            page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
            page.evaluate(QUIET)
            known = set(
                page.evaluate("[...inner.shadesNow().signed].map((x) => [x & 255, (x >> 8) & 255, (x >> 16) & 255].join())")
            )
            for place in ("#learn .filters canvas", "#break .units canvas", "#learn .flow canvas.pixels"):
                for canvas in page.locator(place).all()[:8]:
                    assert len(known & set(canvas.evaluate(COLOURS))) > 1, (place, theme)
                    assert set(canvas.evaluate(COLOURS)) <= known | {"0,0,0"}, (place, theme)  # nothing between the tiles


def test_drawings_are_trained_on_and_leave_as_a_folder_per_class(browser: Any, path: Path, tmp_path: Path) -> None:
    with opened(browser, path) as page:
        view = page.locator("#learn")
        add = view.get_by_role("button", name="Add this drawing")
        for sample in range(20):  # given wrong names, so that there is something to learn
            page.evaluate(
                "(i) => { const { model } = inner.page; inner.page.show(model.samples.images.slice(64 * i, 64 * i + 64)); }",
                sample,
            )
            page.evaluate(QUIET)
            view.get_by_label("Right answer").select_option(str(sample % 2))
            add.click()
        assert view.locator(".collection button").count() == 20
        view.locator(".collection button").last.click()
        assert view.locator(".collection button").count() == 19
        with page.expect_download(timeout=30_000) as waiting:
            view.get_by_role("button", name="Download as a zip").click()
        waiting.value.save_as(tmp_path / "drawings.zip")
        right = page.evaluate("inner.page.model.parameters.length")
        view.get_by_label("Epochs").fill("30")
        view.get_by_role("button", name="Train on the drawings").click()
        view.get_by_text("Trained in").first.wait_for()
        before, after = (
            int(part) for part in view.locator(".result li").first.inner_text().split(":")[1].split("/")[0].split("→")
        )
        assert before < 8
        assert after > before + 4
        assert "trained on drawings: 19" in page.locator(".changed").inner_text()
        assert page.evaluate("inner.page.model.parameters.length") == right
        page.locator(".changed button").click()
        assert changed(page) == 0
    with zipfile.ZipFile(tmp_path / "drawings.zip") as archive:
        assert archive.testzip() is None
        assert sorted({name.split("/")[0] for name in archive.namelist()}) == ["0", "1"]
    splits = gn.load_dataset(str(tmp_path / "drawings.zip"))
    assert splits.train.images.shape[1:3] == (8, 8)
    run = gn.train(tmp_path / "drawings.zip", out=tmp_path / "run", epochs=1, progress=False)
    assert len(run.splits.train) + len(run.splits.validation or []) + len(run.splits.test or []) == 19
    assert run.network.classes == ("0", "1")


def test_names_of_folders_are_safe_and_told_apart(browser: Any, path: Path) -> None:
    names = ["a/b", "A:B", "", "..", "CON", "nul.txt", "零", "cat ", "cat", "Cat", "train", ".hidden", "x" * 300]
    with opened(browser, path) as page:
        found = page.evaluate("(names) => inner.folderNames(names)", names)
    assert found[6] == "零"
    assert len({name.lower() for name in found}) == len(names)
    for name in found:
        assert name == name.strip(" ."), name
        assert 0 < len(name) <= 84
        assert not set('<>:"/\\|?*') & set(name)
        assert name.lower() not in ("con", "nul.txt", "train")


def test_time_shows_the_networks_of_the_kept_epochs(browser: Any, path: Path, trained: list[Any]) -> None:
    run = trained[0]
    epochs = [snapshot.epoch for snapshot in run.snapshots]
    saved, snapshots = run.network.state, {snapshot.epoch: snapshot.state for snapshot in run.snapshots}
    arrays = [(slot.offset, slot.size) for slot in (*run.network.slots, *run.network.running_slots)]
    with opened(browser, path) as page:
        view = page.locator("#time")
        view.scroll_into_view_if_needed()
        page.evaluate(QUIET)
        assert view.locator(".times button").count() == len(set(epochs) | {run.history.best_epoch})
        view.locator(".times button").first.click()
        assert "weights after epoch 0" in page.locator(".changed").inner_text()
        shown = np.array(page.evaluate("[...inner.page.model.parameters]"), np.float32)
        np.testing.assert_allclose(shown, dequantised(quantised(snapshots[0], saved, arrays, 8), saved, arrays), atol=1e-7)
        assert np.abs(shown - snapshots[0]).max() < np.abs(saved - snapshots[0]).max() / 200
        slider = view.locator("input.epochs")
        slider.focus()
        page.keyboard.press("End")
        page.keyboard.press("ArrowLeft")
        assert changed(page) > 0
        assert page.get_by_role("button", name="Back to the trained network").is_visible()
        view.get_by_role("button", name="Trained network").click()
        assert changed(page) == 0


def test_snapshots_fit_a_budget_by_bits_and_then_by_number(trained: list[Any]) -> None:
    run = trained[0]
    images, labels = run.splits.train.images[:100], run.splits.train.labels[:100]
    entry, packed = pack_snapshots(run, images, labels)
    assert entry["bits"] == 8
    assert len(entry["epochs"]) == entry["kept"] == len(packed["snapshots"])
    for row in entry["epochs"]:
        assert abs(row["accuracy"] - row["shown"]) <= 0.03
    bits, numbers = [8], [entry["kept"]]
    for budget in (120_000, 60_000, 20_000, 100):
        entry, packed = pack_snapshots(run, images, labels, budget)
        bits.append(entry["bits"])
        numbers.append(len(entry["epochs"]))
        assert len(packed.get("snapshots", ())) == numbers[-1]
    assert bits == sorted(bits, reverse=True)
    assert bits[-1] == 3
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[-1] == 0 < numbers[-2] < numbers[0]


@pytest.mark.parametrize("number", [0, 1])
def test_units_that_are_off_give_zero_after_their_activation(browser: Any, path: Path, number: int) -> None:
    with opened(browser, path) as page:
        choose(page, number)
        view = page.locator("#break")
        choice = view.get_by_label("Units and filters of layer")
        for place in range(2):
            choice.select_option(str(place))
            view.get_by_role("button", name="All off").click()
            assert view.locator(".units button[aria-pressed=true]").count() == view.locator(".units button").count()
        layers = page.evaluate("inner.page.model.layers.map((layer) => layer.type)")
        seen = page.evaluate("inner.page.seen.values.map((values) => Math.max(...values.map(Math.abs)))")
        for name, most in zip(layers, seen, strict=False):
            if name in ("ReLU", "Sigmoid"):
                assert most == pytest.approx(0, abs=1e-30), name
        view.get_by_role("button", name="All on").click()
        view.locator(".units button").nth(3).click()
        assert " off" in page.locator(".changed").inner_text()
        page.locator(".changed button").click()
        assert changed(page) == 0
        assert view.locator(".units button[aria-pressed=true]").count() == 0


def test_weights_are_rounded_and_disturbed_and_come_back(browser: Any, path: Path, trained: list[Any]) -> None:
    with opened(browser, path) as page:
        slide(page, "Bits of the weights", 3)
        weight = page.evaluate("[...inner.page.model.parameter('2', 'weight')]")
        assert 2 < len(set(weight)) <= 7
        slide(page, "Noise on the weights", 20)
        assert "rounded to 3 bits" in page.locator(".changed").inner_text()
        assert "noise of 20 %" in page.locator(".changed").inner_text()
        noisy = np.array(page.evaluate("[...inner.page.model.parameter('2', 'weight')]"))
        assert np.std(noisy - weight) / np.sqrt(np.mean(np.square(weight))) == pytest.approx(0.2, rel=0.1)
        slide(page, "Noise on the weights", 0)
        slide(page, "Bits of the weights", 9)
        assert changed(page) == 0
        assert not page.locator(".changed").is_visible()


def test_images_are_turned_and_moved(browser: Any, path: Path) -> None:
    with opened(browser, path) as page:
        image = np.zeros((8, 8), np.uint8)
        image[2, 5] = 200
        code = "([pixels, change]) => [...inner.distorted(Uint8Array.from(pixels), [8, 8, 1], change)]"
        flat = image.ravel().tolist()
        for change, wanted in (
            ({}, image), ({"right": 2, "down": 3}, np.roll(image, (3, 2), (0, 1))), ({"turn": 90}, np.rot90(image, -1)),
        ):  # fmt: skip
            np.testing.assert_array_equal(np.reshape(page.evaluate(code, [flat, change]), (8, 8)), wanted)
        slide(page, "Move right", 2)
        shown = page.evaluate(
            "[...document.querySelector('#break .spoilt canvas').getContext('2d').getImageData(0, 0, 8, 8).data]"
        )
        pixels = np.reshape(page.evaluate("[...inner.page.pixels]"), (8, 8))
        np.testing.assert_array_equal(np.reshape(shown, (8, 8, 4))[:, 2:, 0], pixels[:, :6])
        noisy = np.array(page.evaluate(code, [[100] * 64, {"noise": 10}]))
        assert 7 < noisy.std() < 13


@pytest.mark.parametrize("number", [0, 1])
def test_a_small_change_flips_the_answer_to_each_class(browser: Any, path: Path, trained: list[Any], number: int) -> None:
    network = trained[number].network
    with opened(browser, path) as page:
        choose(page, number)
        start = np.array(page.evaluate("[...inner.page.pixels]"))
        answer = page.evaluate("inner.page.seen.index")
        others = [target for target in range(10) if target != answer]
        code = """(target) => {
          const found = inner.flipTo(inner.page.model, inner.page.pixels, target);
          return found && [...found.pixels];
        }"""
        sizes = []
        for target in others:
            found = page.evaluate(code, target)
            assert found is not None, target
            shaped = np.array(found, np.uint8).reshape(1, 8, 8, 1)
            assert network.predict(shaped)[0] == target
            sizes.append(np.sqrt(np.mean(np.square(found - start))))
        random = np.random.default_rng(0).standard_normal((50, 64))
        noise = min(sizes) * random / np.sqrt(np.mean(np.square(random), axis=1, keepdims=True))
        disturbed = np.clip(start + noise, 0, 255).round().astype(np.uint8).reshape(-1, 8, 8, 1)
        assert np.mean(network.predict(disturbed) == answer) > 0.9  # noise of that size does not
        page.get_by_role("button", name=f"Change the image until the answer is {others[0]}", exact=True).click()
        assert page.locator("#break .flip canvas").count() == 3
        page.locator("#break .flip").get_by_role("button").click()
        page.evaluate(QUIET)
        assert page.evaluate("inner.page.seen.index") == others[0]


def test_networks_are_compared(browser: Any, path: Path, trained: list[Any]) -> None:
    with opened(browser, path) as page:
        view = page.locator("#compare")
        page.evaluate("new Promise((done) => setTimeout(done, 1200))")
        assert view.locator("article").count() == 2
        assert " ms an image" in view.locator("article").first.inner_text()
        view.get_by_role("button", name="Ask them about the training images").click()
        images = np.array(page.evaluate("[...inner.page.model.samples.images]"), np.uint8).reshape(-1, 8, 8, 1)
        one, other = (run.network.predict(images) for run in trained)
        apart = int((one != other).sum())
        assert apart > 0
        assert f"They differ on {apart} of 300" in view.inner_text()
        buttons = view.locator(".samples button")
        assert buttons.count() == min(24, apart)
        buttons.first.click()
        page.evaluate(QUIET)
        assert "They differ: " in view.locator(".told").first.inner_text()


def tab_to(page: Any, selector: str) -> None:
    """Press Tab until an element that fits is focused."""
    for _ in range(150):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"Tab does not reach {selector}")


def test_a_whole_session_by_keyboard_alone(browser: Any, path: Path) -> None:
    """Choose a network, draw, compare, see through, learn, go back in time, break: no mouse, in the order of the page."""
    with opened(browser, path) as page:
        press = page.keyboard.press
        tab_to(page, ".chooser select")
        press("ArrowDown")
        page.evaluate(QUIET)
        tab_to(page, ".sheet canvas")
        for key in ["Delete", *["ArrowUp"] * 5, "Space", *["ArrowDown"] * 30, "Space"]:
            press(key)
        page.evaluate(QUIET)
        answer = page.locator(".best strong").inner_text()
        assert answer in "0123456789"
        tab_to(page, ".modes input")
        press("ArrowLeft")
        page.evaluate(QUIET)
        assert page.locator(".modes input:checked").get_attribute("value") == "cropped"
        tab_to(page, "#compare button")
        press("Enter")
        page.evaluate(QUIET)
        assert page.locator("#compare .told").first.inner_text()
        tab_to(page, "#see .layer canvas")
        press("ArrowRight")
        press("Enter")
        assert "=" in page.locator(".sum h3").inner_text()
        tab_to(page, "#learn select")
        press("3")
        tab_to(page, "#learn .tools button")
        press("Enter")
        page.evaluate(QUIET)
        assert changed(page) > 0
        tab_to(page, "#time input")
        press("Home")
        page.evaluate(QUIET)
        assert page.locator("#time input").first.input_value() == "0"
        tab_to(page, "#break .units button:not(:disabled)")
        press("Enter")
        page.evaluate(QUIET)
        assert page.locator(".changed").inner_text()


@pytest.mark.parametrize(("width", "theme", "locale"), ALL_WAYS)
def test_axe_finds_no_violation_in_any_state(browser: Any, path: Path, width: int, theme: str, locale: str) -> None:
    with opened(browser, path, width, theme, locale) as page:
        for state in ("fresh", "changed"):
            if state == "changed":
                page.locator("#learn .tools button").first.click()
                page.locator("#learn h3 ~ .tools button").first.click()
                page.locator("#break .units button").nth(1).click()
                page.locator("#break .targets button:not(:disabled)").first.click()
                page.locator("#compare button").first.click()
            for name in ("compare", "learn", "time", "break"):
                page.locator(f"#{name}").scroll_into_view_if_needed()
                page.evaluate(QUIET)
            assert axe_violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
