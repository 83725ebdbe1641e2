"""Report, trace and search pages in a browser: axe's rules, the first screen, keyboard, print, no orphans."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import glassnet as gn
from glassnet.experiment import run as runs
from glassnet.experiment.search.records import SearchResult
from glassnet.present.search import search_page
from tests.page import ALL_WAYS, axe_violations
from tests.search import trained_search


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both pages of a convolutional network and of a dense one with findings, and that of a search, by name."""
    folder = tmp_path_factory.mktemp("accessible")
    layers = ["Pixels", {"type": "Conv2D", "filters": 6, "kernel_size": 3}, "BatchNorm", "ReLU", "Flatten"]
    layers += [{"type": "Dense", "units": 16}, "ReLU", {"type": "Dense", "units": 10}]
    good = runs.train("digits", epochs=4, out=folder / "good", settings={"network.layers": layers})
    failing = {"optimizer": {"type": "SGD", "learning_rate": 100.0}, "network.layers": [64, 30, 10], "loss": "Quadratic"}
    bad = runs.train("digits", epochs=3, out=folder / "bad", settings=failing)
    chain = runs.train("chain", epochs=2, out=folder / "chain")
    bad.evaluate()  # its report has a ledger
    found = {name: gn.report(run) for name, run in (("report", good), ("report of a failure", bad), ("chain", chain))}
    found["search"] = search_page(with_all_states(), folder / "search.html")
    traced = {"trace": good, "trace of sigmoids": bad, "trace of a chain": chain}
    return found | {name: gn.trace(run).save(folder / f"{name}.html") for name, run in traced.items()}


def with_all_states() -> SearchResult:
    """A search that was really trained, then with a pruned and a failed trial."""
    result = trained_search()
    pruned, failed = (
        replace(result.trials[0], state="pruned"),
        replace(result.trials[1], state="failed", parts=(), error="NaN"),
    )
    return replace(result, trials=(pruned, failed, *result.trials[2:]))


@contextlib.contextmanager
def opened(browser: Any, path: Path, width: int = 1440, theme: str = "light", locale: str = "en-GB") -> Iterator[Any]:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, offline=True, locale=locale, color_scheme=theme, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto(path.as_uri())
    yield page
    context.close()


NAMES = ("report", "report of a failure", "chain", "search", "trace", "trace of sigmoids", "trace of a chain")


@pytest.mark.parametrize("name", NAMES)
def test_axe_finds_no_violation(browser: Any, pages: dict[str, Path], name: str) -> None:
    """The three pages in all ways; those of other networks, whose parts differ, in one."""
    for width, theme, locale in ALL_WAYS if name in ("report", "trace", "search") else ALL_WAYS[-1:]:
        with opened(browser, pages[name], width, theme, locale) as page:
            for fold in page.query_selector_all("details:not([open]) > summary"):
                fold.click()
            cells = page.locator("[data-cell]")
            if cells.count():
                cells.first.click()
            assert axe_violations(page) == [], (width, theme, locale)
            assert page.evaluate("document.documentElement.lang") == ("zh-Hans" if locale == "zh-CN" else "en")


def test_images_and_curves_stand_on_the_first_screen_and_settings_last(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["report"]) as page:
        assert page.locator(".tiles").first.bounding_box()["y"] < 450
        box = page.locator("#curves ~ .charts").first.bounding_box()
        assert box["y"] + box["height"] <= 900
        assert page.locator("h2[id]").last.get_attribute("id") == "what"
    with opened(browser, pages["report"], 390) as page:
        assert page.locator(".tiles .image").first.bounding_box()["y"] < 844


def test_the_matrix_opens_its_images_beside_it_by_keyboard_too(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["report"]) as page:
        table = page.locator("table.confusion").bounding_box()
        first = page.locator('[data-cell="0,0"]')
        first.focus()
        seen = {page.evaluate("document.activeElement.dataset.cell")}
        for key in ("ArrowDown", "ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"):
            page.keyboard.press(key)
            seen.add(page.evaluate("document.activeElement.dataset.cell"))
        assert len(seen) > 1
        page.keyboard.press("Enter")
        panel = page.locator("#cell").bounding_box()
        assert panel["x"] >= table["x"] + table["width"]
        assert panel["y"] < table["y"] + table["height"]
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.dataset.cell") in seen


ALONE = """() => {
  const rows = items => Object.values(Object.groupBy(items, one => Math.round(one.getBoundingClientRect().top)));
  const found = [];
  for (const group of document.querySelectorAll(".tiles:not(.flow), .cards, .looks, .charts")) {
    const lines = rows([...group.children]);
    const last = lines[lines.length - 1];
    if (lines.length > 1 && lines[0].length > 1 && last.length === 1 &&
        last[0].getBoundingClientRect().width < 0.9 * group.getBoundingClientRect().width) found.push(group.className);
  }
  return found;
}"""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [390, 800, 1440])
def test_nothing_stands_alone_on_a_last_row(browser: Any, pages: dict[str, Path], name: str, width: int) -> None:
    with opened(browser, pages[name], width) as page:
        assert page.evaluate(ALONE) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_print_is_light_without_buttons_and_with_images(browser: Any, pages: dict[str, Path]) -> None:
    for name in ("report", "trace"):
        with opened(browser, pages[name], theme="dark") as page:
            page.click("#theme")
            page.emulate_media(media="print", color_scheme="dark")
            assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
            assert not page.locator("#theme").is_visible()
            exact = "getComputedStyle(document.querySelector('.image, .pixels')).printColorAdjust"
            assert page.evaluate(exact) == "exact"  # browsers leave out backgrounds otherwise


def test_the_table_of_trials_sorts_by_any_column(browser: Any, pages: dict[str, Path]) -> None:
    def column(page: Any, number: int) -> list[str]:
        cells: list[str] = page.locator(f"table.sortable tbody tr > :nth-child({number})").all_inner_texts()
        return cells

    with opened(browser, pages["search"]) as page:
        numbers = [f"#{number}" for number in range(12)]
        assert column(page, 1) == numbers
        heading = page.locator("table.sortable thead th").nth(1)
        heading.locator("button").focus()
        page.keyboard.press("Enter")
        assert heading.get_attribute("aria-sort") == "ascending"
        values = [float(text) for text in column(page, 2) if text != "–"]
        assert values == sorted(values)
        assert column(page, 2)[-1] == "–"  # the failed one
        page.keyboard.press("Enter")
        assert heading.get_attribute("aria-sort") == "descending"
        assert [float(text) for text in column(page, 2)[:-1]] == sorted(values, reverse=True)
        assert column(page, 2)[-1] == "–"
        page.locator("table.sortable thead button").first.click()
        assert column(page, 1) == numbers  # by their value: #2 before #10
        assert heading.get_attribute("aria-sort") is None


def test_all_pages_have_the_same_header(browser: Any, pages: dict[str, Path]) -> None:
    looks = []
    for name in ("report", "trace", "search"):
        with opened(browser, pages[name]) as page:
            looks.append(
                page.evaluate(
                    """() => ["body", "h1", "h2", ".bar", "#theme", "#language", ".card"].map(name => {
                    const {color, backgroundColor, fontFamily, fontSize, borderRadius, padding} =
                      getComputedStyle(document.querySelector(name));
                    return [name, color, backgroundColor, fontFamily, fontSize, borderRadius, padding];
                    })"""
                )
            )
    assert looks[0] == looks[1] == looks[2]
