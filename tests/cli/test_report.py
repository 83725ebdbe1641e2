"""The report: what stands in it, in both languages, and that it opens in a browser without a network."""

from __future__ import annotations

import base64
import io
import json
import re
import time
from collections.abc import Callable, Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import pytest

import glassnet as gn
from glassnet.analysis.diagnosis import Diagnosis, rules
from glassnet.experiment import run as runs
from glassnet.present.figures.base import percent
from glassnet.present.report.facts import gather
from glassnet.present.report.overview import brief
from glassnet.present.report.showing import EACH, choose
from glassnet.present.report.sprites import Sheet
from glassnet.support.i18n import Message

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

FIGURES = {"cost", "accuracy", "classes", "calibration", "gradients", "updates"}
FIGURES |= {f"activations-{statistic}" for statistic in ("mean", "spread", "dead")}


class Page(HTMLParser):
    """What is looked for in the report: texts by language, ids, links, and whatever would be fetched."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.spoken = {"en": 0, "zh": 0}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids += [found["id"] or ""] if "id" in found else []
        for name in ("src", "href", "xlink:href"):
            value = found.get(name) or ""
            if value.startswith("#"):
                self.links.append(value[1:])
            elif value and not value.startswith("data:"):
                self.fetched.append(value)
        if found.get("class") in ("en", "zh"):
            self.spoken[str(found["class"])] += 1


def read(path: Path) -> tuple[str, Page]:
    text = path.read_text(encoding="utf-8")
    return text, Page(text)


def script_data(text: str) -> Any:
    return json.loads(re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[0])


@pytest.fixture(scope="module")
def convolutional(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small convolutional network on the digits; not to be changed."""
    folder = tmp_path_factory.mktemp("report") / "cnn"
    layers = [
        "Pixels",
        {"type": "Conv2D", "filters": 4, "kernel_size": 3},
        "BatchNorm",
        "ReLU",
        "Flatten",
        {"type": "Dense", "units": 16},
    ]
    layers += ["ReLU", {"type": "Dense", "units": 10}]
    settings = {"network.layers": layers, "title": "A <b>title</b> & more"}
    runs.train("digits", epochs=3, out=folder, settings=settings)
    return folder


def test_report_stands_in_the_run_folder_and_needs_nothing_else(cli: CommandLine, digits_run: Path) -> None:
    said = cli.good("report", digits_run).out
    path = digits_run / "report.html"
    assert said.startswith(f"{path}   ")
    text, page = read(path)
    assert page.fetched == []
    assert "default-src 'none'" in text
    assert len(page.ids) == len(set(page.ids))
    assert set(page.links) <= set(page.ids)
    assert page.spoken["en"] == page.spoken["zh"] > 40
    assert path.stat().st_size < 1_000_000
    for part in (
        "what",
        "diagnosis",
        "curves",
        "per-class",
        "confusion",
        "worst",
        "random",
        "looks",
        "inside",
        "calibration",
        "health",
        "ledger",
    ):
        assert part in page.ids
    assert not (digits_run / "ledger.jsonl").exists()  # the test set stayed closed
    assert "glassnet train digits-run/recipe.toml" in text


def test_the_figures_of_the_page_are_those_of_the_run(digits_run: Path) -> None:
    run = gn.Run.load(digits_run)
    path = gn.report(run)
    assert run.splits.validation is not None
    result = run.network.evaluate(run.splits.validation)
    text, _ = read(path)
    assert f'<b><span class="en" lang="en">{100 * result.accuracy:.2f} %</span>' in text
    low, high = result.interval
    assert f"95 % interval {100 * low:.2f}–{100 * high:.2f} %" in text
    counted = {key: int(count) for key, count in re.findall(r'data-cell="([\d,]+)" data-count="(\d+)"', text)}
    assert counted == {f"{i},{j}": n for (i, j), n in np.ndenumerate(result.confusion) if n}
    cells = script_data(text)["cells"]
    assert set(cells) == set(counted)
    found = run.network.predict(run.splits.validation.images)
    for key, tiles in cells.items():
        truth, said = map(int, key.split(","))
        assert len(tiles) == min(counted[key], EACH)
        for _, place, _ in tiles:
            assert (run.splits.validation.labels[place], found[place]) == (truth, said)


def test_a_budget_is_shared_by_all_cells(digits_run: Path) -> None:
    facts = gather(gn.Run.load(digits_run))
    assert facts.result is not None
    filled = int((facts.result.confusion > 0).sum())
    few = choose(facts, filled)
    assert sum(map(len, few.values())) <= filled
    many = choose(facts, 200)
    assert sum(map(len, many.values())) == 200
    wrong = sum(len(places) for (i, j), places in many.items() if i != j)
    assert wrong == min(len(facts.mistakes), 200 - sum(len(places) for (i, j), places in many.items() if i == j))
    assert len({place for places in many.values() for place in places}) == 200


def test_the_worst_mistakes_are_the_surest(digits_run: Path) -> None:
    facts = gather(gn.Run.load(digits_run))
    assert facts.confidence is not None
    sure = facts.confidence[facts.mistakes]
    assert len(sure) > 3
    np.testing.assert_array_equal(sure, np.sort(sure)[::-1])
    assert (percent(1.0), percent(0.9999), percent(0.985), percent(0.4)) == ("100 %", "> 99 %", "98 %", "40 %")


def test_with_test_the_test_set_is_opened_and_the_look_noted(cli: CommandLine, digits_run: Path) -> None:
    said = cli.good("report", digits_run, "--test", "--out", "test.html").out
    assert "This is evaluation 1 on the test set" in said
    run = gn.Run.load(digits_run)
    (look,) = run.looks
    text, _ = read(Path("test.html"))
    assert "All images below are from the test set" in text
    assert f"{look['correct']} / {look['total']}" in text
    assert f'<b><span class="en" lang="en">{100 * look["correct"] / look["total"]:.2f} %</span>' in text
    assert "← shown above" in text
    cli.good("report", digits_run)
    text, _ = read(digits_run / "report.html")
    assert "All images below are from the validation set" in text
    assert f"{look['correct']} / {look['total']}" in text  # the ledger tells of the look, and opens nothing
    assert len(run.looks) == 1


def test_what_a_user_wrote_is_not_taken_for_html(convolutional: Path) -> None:
    text, page = read(gn.report(convolutional, convolutional.parent / "r.html"))
    assert "A &lt;b&gt;title&lt;/b&gt; &amp; more" in text
    assert "<b>title" not in text
    assert "maps-relu1" in text
    assert "sheet-weights-conv2d1" in text
    assert page.fetched == []


def test_a_regression_has_fewer_sections(cli: CommandLine) -> None:
    cli.good("train", "chain", "--out", "chain")
    text, page = read(Path("chain/report.html"))
    assert {"what", "curves", "health", "outputs", "ledger"} <= set(page.ids)
    assert not {"per-class", "confusion", "worst", "looks", "inside", "calibration"} & set(page.ids)
    assert "This data has no validation set." in text


@pytest.mark.parametrize(
    "layers",
    [
        ["Pixels", {"type": "LSTM", "units": 8}, {"type": "Dense", "units": 10}],
        ["Flatten", "Pixels", {"type": "Dense", "units": 10}],
        ["Flatten", "Pixels", {"type": "Dense", "units": 8}, "Tanh", {"type": "Dense", "units": 10}, "Tanh"],
    ],
    ids=["recurrence", "one layer", "no probabilities"],
)
def test_networks_of_all_kinds(layers: list[Any], here: Path) -> None:
    loss = "Quadratic" if "Tanh" in layers else "SoftmaxCrossEntropy"
    run = runs.train("digits", epochs=1, out="a", settings={"network.layers": layers, "loss": loss})
    _, page = read(gn.report(run))
    assert {"confusion", "worst", "random", "looks"} <= set(page.ids)
    assert ("calibration" in page.ids) == (loss != "Quadratic")


def test_a_training_that_ran_away_has_a_report_too(here: Path) -> None:
    settings = {
        "network.layers": ["Flatten", {"type": "Scale", "factor": 1.0}, {"type": "Dense", "units": 10}],
        "loss": "Quadratic",
    }
    with pytest.warns(gn.TrainingWarning):
        run = runs.train("digits", out="a", settings={**settings, "optimizer": {"type": "SGD", "learning_rate": 1e6}})
    text, _ = read(gn.report(run))
    assert "Training ended early" in text
    run.network.flat[:] = np.nan
    text, page = read(gn.report(run))
    assert "looks" not in page.ids
    assert "inside" not in page.ids


def test_figures_as_files(cli: CommandLine, digits_run: Path) -> None:
    cli.good("report", digits_run, "--figures", "figures")
    names = {path.name for path in Path("figures").iterdir()}
    assert names == {f"{name}.svg" for name in FIGURES}


def test_wrong_input_is_told(cli: CommandLine, digits_run: Path) -> None:
    assert cli.wrong("report", "nothing")["what"] == "This is not a run folder."
    assert cli.wrong("report", digits_run, "--out", "no/such/r.html")["what"] == "There is no such folder for the report."
    assert cli.wrong("report", digits_run, "--out", digits_run)["what"] == "The report can't be written."


def test_the_diagnosis_is_told_in_both_languages(here: Path) -> None:
    settings = {"optimizer": {"type": "SGD", "learning_rate": 100.0}, "network.layers": [64, 30, 10], "loss": "Quadratic"}
    run = runs.train("digits", epochs=5, out="a", settings=settings)
    found = gn.diagnose(run.history, run.network, run.splits, learning_rate=run.learning_rate)
    text, page = read(gn.report(run))
    assert "diagnosis" in page.ids
    assert text.count('class="finding"') == len(found.top) > 0
    for finding in found.top:
        for told in (finding.title, finding.evidence, finding.cause, *finding.try_next):
            assert isinstance(told, Message)
            assert told.en in unescape(text)
            assert told.zh in unescape(text)


def test_a_training_is_diagnosed_once(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, apply_rules = [], rules.apply_rules

    def counted(facts: Any) -> Any:
        asked.append(facts)
        return apply_rules(facts)

    monkeypatch.setattr(rules, "apply_rules", counted)
    said = cli.good("train", "digits", "--epochs", 2, "--out", "one").out
    assert len(asked) == 1
    assert "Diagnosis: nothing wrong found." in said
    assert "Nothing wrong found." in Path("one/report.html").read_text(encoding="utf-8")
    cli.good("train", "digits", "--epochs", 1, "--seeds", 2, "--out", "two")
    assert len(asked) == 3
    cli.good("report", "one")
    assert len(asked) == 4


def test_remarks_are_told_in_both_languages(digits_run: Path) -> None:
    remark = Message("accuracy 12.0 %", chinese="准确率 12.0%")
    text, _ = read(gn.report(digits_run, digits_run.parent / "r.html", diagnosis=Diagnosis((), (remark,))))
    assert f'<span class="en" lang="en">{remark.en}</span><span class="zh" lang="zh-Hans">{remark.zh}</span>' in text


def test_nothing_stays_english_in_chinese(
    cli: CommandLine, digits_run: Path, convolutional: Path, english_left: Callable[[str], list[str]]
) -> None:
    names = {"digits", "chain"}  # of recipes and data sets
    stopping = ("--set", "patience=1", "--set", "optimizer.learning_rate=0.0001", "--epochs", 20, "--out", "stopped")
    cli.good("train", "digits", "--set", "optimizer.type=SGD", *stopping)
    cli.good("train", "chain", "--epochs", 2, "--out", "chain")
    for path in (gn.report(digits_run), Path("stopped/report.html"), Path("chain/report.html")):
        text, _ = read(path)
        assert [left for left in english_left(text) if left not in names] == []
    text, _ = read(gn.report(convolutional, convolutional.parent / "zh.html"))
    assert [left for left in english_left(text) if left not in names] == []
    assert english_left("<p>one way</p><p lang='en'>another way</p><p>两 ways</p><p>dense1</p>") == ["one way"]


def test_why_training_ended_early_is_told_in_both_languages(here: Path) -> None:
    run = runs.train("digits", epochs=30, out="a", settings={"patience": 1})
    stopped = run.history.stopped
    assert stopped is not None
    text, _ = read(gn.report(run))
    chinese = stopped.text.zh
    assert re.findall(r"\d+", chinese) == re.findall(r"\d+", str(stopped))
    assert f"Training ended early: {stopped}" in unescape(text)
    assert f"训练提前结束：{chinese}" in unescape(text)


def test_a_layer_is_told_with_its_size() -> None:
    layers = [gn.Conv2D(8, 3), gn.MaxPool2D(2), gn.Dropout(1e-5), gn.Residual([gn.Sigmoid(), gn.Dense(5)]), gn.Sigmoid()]
    assert [brief(layer) for layer in layers] == [
        "Conv2D(8)",
        "MaxPool2D((2, 2))",
        "Dropout(1e-05)",
        "Residual(5)",
        "Sigmoid",
    ]


def test_ten_thousand_images_in_ten_seconds(here: Path) -> None:
    """Half of them noise that the network is wrong about, so that no cell is empty and nothing is easily made small."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (13_000, 28, 28), dtype=np.uint8)
    np.savez(
        "noise.npz", x_train=images[:3000], y_train=np.arange(3000) % 10, x_test=images[3000:], y_test=np.arange(10_000) % 10
    )
    run = runs.train("digits", epochs=1, data="noise.npz", out="a")
    start = time.process_time()  # of this process alone, whatever else the machine does
    path = gn.report(run, test=True)
    assert time.process_time() - start < 10
    assert path.stat().st_size < 5_000_000
    assert len(script_data(path.read_text(encoding="utf-8"))["cells"]) > 20


@pytest.mark.parametrize("count", [1, 3, 4])
def test_an_image_of_a_sheet_is_shown_whole_and_with_nothing_of_its_neighbours(count: int) -> None:
    rng = np.random.default_rng(count)
    images = [rng.integers(0, 256, (6, 8, 1)).astype(np.uint8) for _ in range(count)]
    sheet = Sheet("s", images, exact=True)
    with PIL.Image.open(io.BytesIO(base64.b64decode(sheet.url.partition(",")[2]))) as file:
        whole = np.asarray(file)
    size = [float(share) / 100 for share in re.findall(r"background-size:(.*?)% (.*?)%", sheet.css)[0]]
    assert (size[1] * 6, size[0] * 8) == pytest.approx(whole.shape, rel=1e-4)
    for number, image in enumerate(images):
        across, down = (float(share) / 100 for share in sheet.style(number).split(":")[1].replace("%", "").split())
        top, left = down * (whole.shape[0] - 6), across * (whole.shape[1] - 8)  # as CSS has it
        assert (top, left) == pytest.approx((round(top), round(left)), abs=1e-3)
        top, left = round(top), round(left)
        np.testing.assert_array_equal(whole[top : top + 6, left : left + 8], image[..., 0])
        np.testing.assert_array_equal(whole[top - 1, left : left + 8], image[0, :, 0])
        np.testing.assert_array_equal(whole[top : top + 6, left + 8], image[:, -1, 0])


# ------------------------------------------------------------------ in a browser


@pytest.fixture(scope="module")
def written(convolutional: Path) -> Path:
    return gn.report(convolutional, convolutional.parent / "browser.html")


@pytest.fixture
def opened(browser: Any, written: Path) -> Iterator[Any]:
    """The report on a laptop without a network; any complaint of the page fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True, locale="en-GB", color_scheme="light")
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if request.url.startswith("http") else None)
    page.goto(written.as_uri())
    yield page
    assert complaints == []
    context.close()


def test_each_cell_shows_its_images(opened: Any) -> None:
    buttons = opened.query_selector_all("[data-cell]")
    assert len(buttons) > 10
    panel = opened.query_selector("#cell")
    assert not panel.is_visible()
    for button in buttons:
        button.click()
        assert panel.is_visible()
        assert button.get_attribute("aria-pressed") == "true"
        wanted = min(int(button.get_attribute("data-count")), EACH)
        tiles = panel.query_selector_all(".image")
        assert len(tiles) == wanted
        assert tiles[0].bounding_box()["width"] > 30
        assert button.get_attribute("data-count") in panel.query_selector("strong").inner_text()
    assert opened.locator('[aria-pressed="true"]').count() == 1
    panel.query_selector("button").click()
    assert not panel.is_visible()
    buttons[0].press("Enter")
    assert panel.is_visible()
    opened.keyboard.press("Escape")
    assert not panel.is_visible()


def test_the_language_changes_every_text(opened: Any) -> None:
    def chinese() -> bool:
        return bool(re.search("混淆矩阵", opened.inner_text("main")))

    assert not chinese()
    opened.query_selector("[data-cell]").click()
    assert re.search(r"images? of 0", opened.inner_text("#cell"))
    opened.click("#language")
    assert chinese()
    assert "Confusion matrix" not in opened.inner_text("body")
    assert "张" in opened.inner_text("#cell strong")
    words = opened.query_selector("svg.figure").query_selector_all("tspan")
    assert {word.text_content() for word in words if word.is_visible()} == {"损失", "训练", "验证", "轮"}
    assert opened.evaluate("document.documentElement.lang") == "zh-Hans"
    opened.reload()
    assert chinese()  # it is remembered
    opened.click("#language")
    assert not chinese()


def test_light_and_dark(opened: Any) -> None:
    def paper() -> str:
        return str(opened.evaluate("getComputedStyle(document.body).backgroundColor"))

    assert paper() == "rgb(255, 255, 255)"
    opened.click("#theme")
    assert paper() == "rgb(13, 17, 23)"
    opened.click("#theme")
    assert paper() == "rgb(255, 255, 255)"
    opened.click("#theme")
    assert paper() == "rgb(255, 255, 255)"
    opened.emulate_media(color_scheme="dark")
    assert paper() == "rgb(13, 17, 23)"


def test_the_whole_table_of_contents_is_seen(opened: Any) -> None:
    for _ in range(2):
        assert opened.evaluate("(nav => nav.scrollWidth <= nav.clientWidth)(document.querySelector('nav'))")
        assert opened.locator("nav a").count() == opened.locator("h2[id]").count() > 8
        assert all(word.strip() for word in opened.locator("nav a").all_inner_texts())
        opened.click("#language")


def test_every_link_and_fold_answers(opened: Any) -> None:
    for link in opened.query_selector_all("nav a"):
        link.click()
        assert opened.query_selector(link.get_attribute("href")).is_visible()
    for fold in opened.query_selector_all("details"):
        before = fold.get_attribute("open") is not None
        fold.query_selector("summary").click()
        assert (fold.get_attribute("open") is not None) != before


def test_layers_in_brief() -> None:
    layers = (gn.Dense(30), gn.Conv2D(20, 5), gn.MaxPool2D((2, 3)), gn.Dropout(0.25), gn.ReLU(), gn.LayerNorm())
    assert [brief(layer) for layer in layers] == [
        "Dense(30)", "Conv2D(20)", "MaxPool2D((2, 3))", "Dropout(0.25)", "ReLU", "LayerNorm"
    ]  # fmt: skip


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_is_wider_than_the_window(opened: Any, width: int) -> None:
    opened.set_viewport_size({"width": width, "height": 800})
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
