"""What is written, printed and answered about a network of 300 classes stays short, and names what matters."""

from __future__ import annotations

import asyncio
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

import glassnet as gn
from glassnet.data import Splits
from glassnet.present import figures
from glassnet.present.notebook import html
from glassnet.present.page import page_html
from glassnet.present.report.facts import gather
from glassnet.present.report.showing import choose
from glassnet.server.app import make_app
from glassnet.server.served import load
from tests.cli.conftest import CommandLine

CLASSES = 300
FIRST = 0x4E00  # 一


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 300 classes, four images of each in training, two in each other part; not to be changed."""
    folder = tmp_path_factory.mktemp("many")
    rng = np.random.default_rng(0)
    means = rng.integers(0, 256, (CLASSES, 8, 8))
    labels = np.tile(np.arange(CLASSES), 8)
    images = np.clip(means[labels] + rng.normal(0, 60, (len(labels), 8, 8)), 0, 255).astype(np.uint8)
    names = np.array([chr(FIRST + label) for label in labels])
    part = np.repeat(["train", "train", "train", "train", "validation", "validation", "test", "test"], CLASSES)
    arrays = {f"{kind}_{which}": values[part == which]
              for which in ("train", "validation", "test") for kind, values in (("x", images), ("y", names))}  # fmt: skip
    np.savez(folder / "many.npz", **arrays)
    (folder / "many.toml").write_text(
        f'title = "many"\n[data]\npath = "{folder}/many.npz"\n[network]\nloss = "SoftmaxCrossEntropy"\n'
        'layers = ["Flatten", "Pixels", { type = "Dense", units = 40 }, "ReLU", { type = "Dense", units = 300 }]\n'
        '[training]\nepochs = 4\nbatch_size = 20\noptimizer = "Adam"\n'
    )
    gn.train(folder / "many.toml", seed=1, out=folder / "run", progress=False)
    return folder


def test_the_report_has_a_table_to_search_and_no_square(many: Path) -> None:
    run = gn.Run.load(many / "run")
    path = gn.report(run, many / "report.html")
    text = path.read_text()
    assert path.stat().st_size < 1_500_000
    assert 'class="confusion"' not in text
    assert 'id="find"' in text
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])  # type: ignore[index]
    assert run.splits.validation is not None
    result = run.network.evaluate(run.splits.validation)
    assert [row[:2] for row in data["rows"]] == [[one.total, one.correct] for one in result.per_class]
    for truth, row in enumerate(data["rows"]):
        assert sum(count for _, count in row[3]) == row[0] - row[1]  # two images a class: all its mistakes are listed
        assert all(result.confusion[truth, said] == count for said, count in row[3])
    assert {int(cell.split(",")[0]) for cell in data["cells"]} == set(range(CLASSES))  # each class has an image
    assert f"Top-{result.top_k} accuracy" in text


def test_a_small_budget_shows_frequent_mistakes_first(many: Path) -> None:
    facts = gather(gn.Run.load(many / "run"))
    chosen = choose(facts, 5)
    assert sum(map(len, chosen.values())) == 5
    assert all(truth != said for truth, said in chosen)


def test_the_search_finds_a_class_and_shows_its_images(many: Path, browser: Any) -> None:
    path = gn.report(many / "run", many / "seen.html")
    page = browser.new_page(viewport={"width": 390, "height": 800})
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(path.as_uri())
    rows = page.locator("#classes tbody tr")
    assert rows.count() == 30
    page.click("#more")
    assert rows.count() == 120
    recalls = [float(cell.split()[0]) for cell in page.locator("#classes tbody td:nth-child(4)").all_inner_texts()]
    assert recalls == sorted(recalls)
    page.click('[data-sort="recall"]')
    assert page.locator("#classes tbody td:nth-child(4)").first.inner_text() == "100.0 %"
    page.fill("#find", chr(FIRST + 7) + chr(FIRST + 299))
    assert rows.count() == 2
    page.locator("#classes tbody button").first.click()
    assert page.locator("#cell .tile").count() >= 1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.close()
    assert problems == []


def test_evaluate_prints_few_lines_that_fit(many: Path, cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = cli.good("evaluate", many / "run").lines
    assert len(lines) < 45
    assert re.search(r"top-5 accuracy \d+\.\d\d %$", lines[0])
    assert max(len(line) for line in lines[1:] if str(many) not in line) <= 80
    text = cli.good("evaluate", many / "run", "--top", 300).out
    assert "top-300 accuracy 100.00 %" in text
    assert gn.Run.load(many / "run").looks[-1]["top_k_correct"] == 600
    assert cli.wrong("evaluate", many / "run", "--top", 301)["expected"] == "1 to 300, the number of classes"


def test_predict_lists_the_best_five_and_ten_in_json(many: Path, cli: CommandLine) -> None:
    file = many / "image.png"
    Image.fromarray(np.load(many / "many.npz")["x_test"][7]).save(file)
    assert cli.good("predict", many / "run", file, "--prepare", "none").out.count(" %") == 5
    assert cli.good("predict", many / "run", file, "--prepare", "none", "--top", 2).out.count(" %") == 2
    (answer,) = json.loads(cli.good("predict", many / "run", file, "--json").out)
    shares = list(answer["probabilities"].values())
    assert len(shares) == 10
    assert shares == sorted(shares, reverse=True)
    assert next(iter(answer["probabilities"])) == answer["class"]
    assert len(json.loads(cli.good("predict", many / "run", file, "--json", "--top", 300).out)[0]["probabilities"]) == 300
    head, row = (line.split(",") for line in cli.good("predict", many / "run", file, "--csv").lines)
    assert head[:5] == ["file", "class", "probability", "class2", "probability2"]
    assert len(head) == len(row) == 21
    assert row[1] == answer["class"]


async def _ask(folder: Path, questions: list[dict[str, Any]]) -> list[httpx.Response]:
    transport = httpx.ASGITransport(app=make_app(load([folder]), quiet=True))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        return [
            await client.post("/api/predict", json=[[0, 9] * 4] * 8, params={"prepare": "none", **one}) for one in questions
        ]


def test_the_service_answers_with_the_best_ten_unless_asked_for_all(many: Path) -> None:
    questions: list[dict[str, Any]] = [{}, {"top": 3}, {"top": "all"}, {"top": 0}, {"top": "some"}]
    with ThreadPoolExecutor(1) as pool:  # a browser of this module's tests has an event loop in this thread
        told = pool.submit(lambda: asyncio.run(_ask(many / "run", questions))).result()
    assert [len(one.json()["predictions"][0]["probabilities"]) for one in told[:3]] == [10, 3, 300]
    assert [one.status_code for one in told] == [200, 200, 200, 422, 422]


def test_figures_notebooks_and_texts_are_short(many: Path) -> None:
    run = gn.Run.load(many / "run")
    assert run.splits.validation is not None
    result = run.network.evaluate(run.splits.validation)
    assert len(repr(result)) < 400
    assert len(html(result)) < 8_000
    assert "The most frequent mistakes" in html(result)
    bars = figures.confusion_figure(result).axes[0].patches
    assert [bar.get_width() for bar in bars] == [one.count for one in result.most_confused(30)]
    histogram = figures.class_accuracy_figure(result).axes[0].patches
    assert sum(bar.get_height() for bar in histogram) == CLASSES


def test_the_page_lists_some_classes_and_300_samples(many: Path) -> None:
    assert len(page_html([gn.Run.load(many / "run")])) < 1_500_000


def test_errors_name_some_classes(many: Path, cli: CommandLine) -> None:
    said = cli.wrong("trace", many / "run", "--label", "none")
    assert said["expected"].endswith("… (300 in all)")
    assert len(said["expected"]) < 80


def test_few_images_of_every_class_are_no_imbalance_and_have_few_sheets(many: Path, tmp_path: Path) -> None:
    splits: Splits = gn.Run.load(many / "run").splits
    found = gn.inspect(splits)
    assert found.finding("class-imbalance") is None
    from glassnet.present.figures.sheets import write_inspection

    names = [path.name for path in write_inspection(found, tmp_path) if path.name.startswith("class")]
    assert len(names) == 21
    assert "classes.png" in names
