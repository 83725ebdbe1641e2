"""The page of a network in a browser: the pad by mouse, touch, keyboard and file; languages, themes, policy, axe."""

from __future__ import annotations

import base64
import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from glassnet.experiment import run as runs
from glassnet.present.page import write_page
from glassnet.support.i18n import tr
from tests.page import ALL_WAYS, WAYS, axe_violations

INK = """() => {
  const canvas = document.querySelector(".sheet canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, i) => i % 4 === 3 && value > 0).length / (canvas.width / 280) ** 2;
}"""
FRAME = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    folder = tmp_path_factory.mktemp("runs")
    dense = runs.train("digits", epochs=20, out=folder / "dense", progress=False)
    layers = ["Pixels", {"type": "Conv2D", "filters": 8, "kernel_size": 3}, "ReLU", "Flatten", {"type": "Dense", "units": 10}]
    return [dense, runs.train("digits", epochs=2, out=folder / "conv", settings={"network.layers": layers}, progress=False)]


@pytest.fixture(scope="module")
def pages(trained: list[Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The page of one run and that of two."""
    folder = tmp_path_factory.mktemp("pages")
    return {name: write_page(shown, folder / f"{name}.html") for name, shown in (("one", trained[:1]), ("two", trained))}


@contextlib.contextmanager
def opened(
    browser: Any,
    path: Path,
    width: int = 1440,
    theme: str = "light",
    locale: str = "en-GB",
    script: str | None = None,
    **options: Any,
) -> Iterator[Any]:
    """The page; at the end, it must have sent no request, broken no rule of its policy and raised no error."""
    size = {"width": width, "height": 844 if width < 600 else 900}
    context = browser.new_context(viewport=size, color_scheme=theme, locale=locale, reduced_motion="reduce", **options)
    page = context.new_page()
    page.set_default_timeout(10_000)
    if script:
        page.add_init_script(script)
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: message.type in ("error", "warning") and said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(path.as_uri())
    if not script:
        page.evaluate("glassnet.ready")
        page.evaluate(FRAME)
    yield page
    context.close()
    assert [url[:60] for url in asked if not url.startswith(("data:", "blob:"))] == [path.as_uri()[:60]]
    assert [text for text in said if not text.startswith("Canvas2D: Multiple readback")] == []  # that of INK


def draw(page: Any, *points: tuple[float, float]) -> None:
    """A stroke through points of the pad's 280 × 280."""
    box = page.locator(".sheet canvas").bounding_box()
    places = [(box["x"] + x * box["width"] / 280, box["y"] + y * box["height"] / 280) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=5)
    page.mouse.up()
    page.evaluate(FRAME)


def answer(page: Any) -> str:
    return str(page.locator(".best strong").inner_text())


def shown(page: Any) -> list[str]:
    return [text for text in page.locator(".stages small .en").all_inner_texts() if text]


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)
    page.evaluate(FRAME)


def heard(page: Any, text: str) -> None:
    """A screen reader is told this, or has been since the last look."""
    page.locator(".unseen[role=status]", has_text=text).wait_for(state="attached")


ONE = ((140, 40), (140, 240))


def test_it_answers_at_once_and_as_python_does(browser: Any, pages: dict[str, Path], trained: list[Any]) -> None:
    run = trained[0]
    with opened(browser, pages["one"]) as page:
        assert answer(page) in run.network.classes
        assert page.evaluate("glassnet.classes") == list(run.network.classes)
        images = run.splits.validation.images[:50]
        predict = "images => images.map(bytes => glassnet.predict(Uint8Array.from(bytes)))"
        found = page.evaluate(predict, images.reshape(50, -1).tolist())
        assert [one["index"] for one in found] == run.network.predict(images).tolist()
        assert np.abs(np.array([one["probabilities"] for one in found]) - run.network.predict_proba(images)).max() < 1e-5


def test_a_drawing_is_prepared_and_answered(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["one"]) as page:
        assert shown(page) == ["what the network is fed"]  # a training image, at first
        draw(page, *ONE)
        assert answer(page) == "1"
        assert shown(page) == ["drawn", "without background", "cut out", "what the network is fed"]
        assert "dark ink on light" in page.locator(".steps").inner_text()
        page.get_by_role("radio", name="Raw").check()
        page.evaluate(FRAME)
        assert shown(page) == ["what the network is fed"]
        page.get_by_role("radio", name="Cropped").check()
        page.evaluate(FRAME)
        assert "centred" not in page.locator(".steps").inner_text()


def test_undo_clear_and_width(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["one"]) as page:
        first = page.evaluate(INK)  # the training image fills the pad
        assert first > 280 * 270
        draw(page, *ONE)
        thin = page.evaluate(INK)
        assert 200 * 20 < thin < 220 * 20 + 400
        draw(page, (60, 60), (60, 200))
        assert page.evaluate(INK) > thin
        page.get_by_role("button", name="Undo").click()
        assert page.evaluate(INK) == thin
        page.get_by_role("button", name="Undo").click()
        assert page.evaluate(INK) == first
        page.get_by_role("button", name="Clear").click()
        page.evaluate(FRAME)
        assert page.evaluate(INK) == 0
        assert answer(page) == "–"
        page.get_by_role("button", name="Undo").click()
        assert page.evaluate(INK) == first
        page.get_by_role("slider", name="Pen").fill("40")
        draw(page, *ONE)
        assert page.evaluate(INK) > 1.8 * thin


@pytest.mark.parametrize("ratio", [1, 2, 2.75])
def test_the_drawing_is_the_same_on_every_screen(browser: Any, pages: dict[str, Path], ratio: float) -> None:
    """What is prepared is 128 × 128 pixels, whatever the screen."""
    with opened(browser, pages["one"], device_scale_factor=ratio) as page:
        draw(page, *ONE)
        assert page.locator(".sheet canvas").evaluate("canvas => canvas.width") == round(280 * ratio)
        assert "ink of 12 × 104 pixels at 58, 12" in page.locator(".steps").inner_text()


def test_touch_draws_and_does_not_scroll(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["one"], 390, has_touch=True, is_mobile=True) as page:
        box = page.locator(".sheet canvas").bounding_box()
        session = page.context.new_cdp_session(page)
        x, y = box["x"] + box["width"] / 2, box["y"] + 30
        for kind, down in (("touchStart", 0), *(("touchMove", 10 * step) for step in range(1, 21)), ("touchEnd", None)):
            points = [] if down is None else [{"x": x, "y": y + down}]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        page.evaluate(FRAME)
        assert answer(page) == "1"
        assert page.evaluate("scrollY") == 0
        assert page.get_by_role("button", name="Camera").is_visible()


def test_the_pressure_of_a_pen_sets_the_width(browser: Any, pages: dict[str, Path]) -> None:
    stroke = """pressure => {
      const canvas = document.querySelector(".sheet canvas"), box = canvas.getBoundingClientRect();
      canvas.setPointerCapture = () => {};
      for (const [type, y] of [["pointerdown", 40], ["pointermove", 240], ["pointerup", 240]]) {
        canvas.dispatchEvent(new PointerEvent(type, { pointerId: 7, pointerType: "pen", pressure, button: 0, bubbles: true,
          clientX: box.x + box.width / 2, clientY: box.y + y * box.width / 280 }));
      }
    }"""
    with opened(browser, pages["one"]) as page:
        areas = []
        for pressure in (0.2, 0.9):
            page.evaluate(stroke, pressure)
            areas.append(page.evaluate(INK))
            page.get_by_role("button", name="Clear").click()
        assert areas[1] > 2 * areas[0]


def test_a_whole_drawing_by_keyboard(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["one"]) as page:
        pad = page.get_by_role("application").first
        for _ in range(20):
            press(page, "Tab")
            if pad.evaluate("pad => pad === document.activeElement"):
                break
        assert page.locator(".pen").is_visible()
        assert page.locator(".sheet").evaluate("sheet => getComputedStyle(sheet).outlineStyle") == "solid"
        press(page, "Delete")
        assert page.evaluate(INK) == 0
        press(page, *["ArrowUp"] * 5, "Space")
        heard(page, "Pen down.")
        press(page, *["ArrowDown"] * 30, "Space")
        heard(page, "Answer: 1")
        drawn = page.evaluate(INK)
        press(page, *["ArrowLeft"] * 5)  # lifted
        assert page.evaluate(INK) == drawn
        heard(page, "Pen at")
        press(page, "Control+z")
        assert page.evaluate(INK) == 0
        page.keyboard.down("ArrowRight")  # two arrows at once: diagonally
        press(page, "Space", "ArrowDown", "Space")
        page.keyboard.up("ArrowRight")
        assert page.evaluate(INK) > np.pi * 100
        press(page, "Tab")  # no trap
        assert not pad.evaluate("pad => pad === document.activeElement")


ORDER = """() => [...document.querySelectorAll("a, button, input, select, [tabindex]")]
  .filter(one => one.tabIndex >= 0 && !one.disabled && one.checkVisibility())
  .filter(one => one.type !== "radio" || one.checked).length"""


def test_tab_visits_everything_in_the_order_of_the_page(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["two"]) as page:
        count, places = page.evaluate(ORDER), []
        for _ in range(count):
            press(page, "Tab")
            places.append(page.evaluate("[...document.querySelectorAll('*')].indexOf(document.activeElement)"))
        assert places == sorted(set(places))
        assert len(places) > 25


def picture(size: tuple[int, int] = (300, 200)) -> bytes:
    """A dark vertical stroke on light paper, as PNG."""
    pixels = np.full((size[1], size[0]), 240, np.uint8)
    pixels[30:170, size[0] // 2 - 8 : size[0] // 2 + 8] = 20
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


GIVE = """([how, name, type, content]) => {
  const bytes = Uint8Array.from(atob(content), letter => letter.charCodeAt(0)), data = new DataTransfer();
  data.items.add(new File([bytes], name, { type }));
  const event = how === "paste" ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })
    : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
  document.querySelector(how === "paste" ? "body" : ".sheet canvas").dispatchEvent(event);
  return event.defaultPrevented;
}"""


def give(page: Any, how: str, name: str, content: bytes, kind: str = "image/png") -> None:
    if how == "choose":
        page.locator("input[type=file]").first.set_input_files({"name": name, "mimeType": kind, "buffer": content})
    else:
        assert page.evaluate(GIVE, [how, name, kind, base64.b64encode(content).decode()])  # the browser must not open it
    page.wait_for_timeout(100)
    page.evaluate(FRAME)


@pytest.mark.parametrize("how", ["paste", "drop", "choose"])
def test_an_image_is_pasted_dropped_or_chosen(browser: Any, pages: dict[str, Path], how: str) -> None:
    with opened(browser, pages["one"]) as page:
        give(page, how, "one.png", picture())
        assert "ink of 18 × 142 pixels at 141, 29" in page.locator(".steps").inner_text()  # of the image, not of the pad
        assert answer(page) == "1"
        draw(page, *ONE)  # begins a new drawing
        assert page.evaluate(INK) < 6000
        page.get_by_role("button", name="Undo").click()
        page.evaluate(FRAME)
        assert "ink of 18 × 142" in page.locator(".steps").inner_text()


def test_wrong_files_are_refused_with_a_reason(browser: Any, pages: dict[str, Path]) -> None:
    file = io.BytesIO()
    Image.new("1", (8000, 5001)).save(file, "PNG")
    with opened(browser, pages["one"]) as page:
        before = page.evaluate(INK)
        refusal = page.get_by_role("alert")
        for how, name, content, kind, reason in (
            ("drop", "notes.txt", b"text", "text/plain", "notes.txt is not an image."),
            ("paste", "broken.png", b"\x89PNG and no more", "image/png", "broken.png can't be read as an image."),
            ("choose", "large.png", file.getvalue(), "image/png", "large.png has 40.0 megapixels; at most 40 are accepted."),
        ):
            give(page, how, name, content, kind)
            refusal.filter(has_text=reason).wait_for()
        assert page.evaluate(INK) == before
        draw(page, *ONE)
        assert not refusal.is_visible()


def test_training_images_are_shown_as_they_are(browser: Any, pages: dict[str, Path], trained: list[Any]) -> None:
    with opened(browser, pages["one"]) as page:
        buttons = page.locator(".samples button:has(canvas)")
        names = [buttons.nth(i).get_attribute("aria-label") for i in range(20)]
        assert {name.rsplit(" ", 1)[1] for name in names} == set(trained[0].network.classes)
        right = 0
        for i in range(20):
            buttons.nth(i).click()
            page.evaluate(FRAME)
            right += names[i].endswith(f" {answer(page)}")
        assert right >= 18
        page.get_by_role("button", name="Others").click()
        assert [buttons.nth(i).get_attribute("aria-label") for i in range(20)] != names


def test_several_runs_can_be_chosen(browser: Any, pages: dict[str, Path], trained: list[Any]) -> None:
    with opened(browser, pages["two"]) as page:
        draw(page, *ONE)
        before = page.locator(".bars").inner_text()
        page.locator(".chooser select").select_option("1")
        page.evaluate(FRAME)
        assert page.locator(".bars").inner_text() != before
        assert "Conv2D" in page.locator("#facts").inner_text()
        assert page.evaluate(INK) < 6000  # the drawing stays


def test_language_and_theme(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["one"]) as page:
        pad = page.get_by_role("application").first
        assert pad.get_attribute("aria-label").startswith("Drawing pad.")
        page.click("#language")
        assert page.get_by_role("button", name=tr("Undo").zh).is_visible()
        assert pad.get_attribute("aria-label").startswith("画板")
        assert not page.get_by_text("Undo").is_visible()
        page.click("#theme")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(13, 17, 23)"
    with opened(browser, pages["one"], locale="zh-CN") as page:
        leaves = "[...document.querySelectorAll('main *')].filter(e => !e.childElementCount && e.checkVisibility())"
        left = page.evaluate(f"{leaves}.map(e => e.textContent)")
        words = [text for text in left if " of " in text or " the " in text or "network" in text]
        assert words == []


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("delete globalThis.DecompressionStream", "no DecompressionStream"),
        ("delete globalThis.WebAssembly", "has no WebAssembly"),
    ],
)
def test_a_browser_that_lacks_something_says_what(browser: Any, pages: dict[str, Path], script: str, reason: str) -> None:
    with opened(browser, pages["one"], script=script) as page:
        alert = page.get_by_role("alert")
        alert.wait_for()
        assert reason in alert.inner_text()
        assert "Firefox and Safari" in alert.inner_text()


def test_a_browser_without_simd_computes_the_same(browser: Any, pages: dict[str, Path]) -> None:
    answers = []
    for script in (None, "WebAssembly.validate = () => false"):
        with opened(browser, pages["one"], script=script) as page:
            page.evaluate("glassnet.ready")
            assert page.get_by_text("has no SIMD").count() == (script is not None)
            answers.append(page.evaluate("glassnet.predict(new Uint8Array(64).map((_, i) => (7 * i) % 256)).probabilities"))
    np.testing.assert_allclose(*answers, atol=1e-6)


def test_foreign_scripts_and_connections_are_blocked(browser: Any, pages: dict[str, Path], tmp_path: Path) -> None:
    changed = tmp_path / "changed.html"
    page_text = pages["one"].read_text(encoding="utf-8")
    changed.write_text(page_text.replace("</main>", "</main><script>document.title = 'changed'</script>"), encoding="utf-8")
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(changed.as_uri())
    page.evaluate("glassnet.ready")
    assert page.title() != "changed"
    tried = "fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'blocked')"
    assert page.evaluate(tried) == "blocked"
    told = "new Promise(done => document.addEventListener('securitypolicyviolation', e => done(e.violatedDirective)))"
    assert page.evaluate(f"Promise.race([{told}, {tried}.then(() => new Promise(() => {{}}))])") == "connect-src"
    assert not any("127.0.0.1" in url for url in asked)
    page.close()


def test_pad_and_answer_stand_on_the_first_screen(browser: Any, pages: dict[str, Path]) -> None:
    for width, _, locale in WAYS:
        with opened(browser, pages["one"], width, locale=locale) as page:
            for name in (".sheet", ".bars"):
                box = page.locator(name).bounding_box()
                assert box["y"] + box["height"] <= (844 if width == 390 else 900), (width, locale, name)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(("name", "way"), [*(("one", way) for way in ALL_WAYS), ("two", ALL_WAYS[-1])])
def test_axe_finds_no_violation(browser: Any, pages: dict[str, Path], name: str, way: tuple[int, str, str]) -> None:
    def check(page: Any, state: str) -> None:
        assert axe_violations(page) == [], state

    with opened(browser, pages[name], *way) as page:
        check(page, "a training image")
        draw(page, *ONE)
        check(page, "a drawing")
        give(page, "drop", "notes.txt", b"text", "text/plain")
        page.get_by_role("alert").wait_for()
        check(page, "a refusal")
        page.locator(".tools button").nth(1).click()
        page.evaluate(FRAME)
        check(page, "empty")
