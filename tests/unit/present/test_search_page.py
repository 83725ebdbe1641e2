"""The page of a finished search and its figures: what they say is what the trials are."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glassnet.analysis.search import importance_of, scale_of
from glassnet.errors import InputError, WriteError
from glassnet.experiment.recipe import load_recipe
from glassnet.experiment.search.records import SearchPlan, SearchResult, Trial
from glassnet.experiment.search.space import Parameter
from glassnet.present import figures
from glassnet.present.figures.search import worst_shown
from glassnet.present.search import search_page
from glassnet.present.search.table import value_table
from glassnet.present.search.write import page
from glassnet.support.pages import sealed
from tests.search import trained_search

RATE = "training.optimizer.learning_rate"
SPACE = (
    Parameter(key="network.hidden", values=(10, [16, 8], "<b>$x$</b>")),
    Parameter(key=RATE, low=1e-3, high=1.0, log=True),
    Parameter(key="training.optimizer.type", values=("SGD", "AdamW")),
)


@pytest.fixture(scope="module")
def trained() -> SearchResult:
    return trained_search()


def drawn(count: int, *, folds: int = 3, seed: int = 0, **changes: Any) -> SearchResult:
    """A search over names, lists and ranges, with pruned and failed trials; values are drawn."""
    rng = np.random.default_rng(seed)
    trials = []
    for number in range(count):
        settings = {
            "network.hidden": SPACE[0].values[rng.integers(3)] if SPACE[0].values else None,
            RATE: float(10 ** rng.uniform(-3, 0)),
            "training.optimizer.type": ("SGD", "AdamW")[rng.integers(2)],
        }
        state = rng.choice(["complete", "pruned", "failed"], p=[0.7, 0.2, 0.1])
        middle = 0.9 - 0.1 * (np.log10(settings[RATE]) + 1.5) ** 2
        parts = tuple(float(value) for value in middle + 0.01 * rng.normal(size=folds))
        curve = tuple(float(middle * (1 - 0.5**epoch)) for epoch in range(1, 6))
        trial = Trial(number=number, point=str(number), settings=settings, state=state, parts=parts, curve=curve, seconds=0.5)
        trials.append(trial if state != "failed" else replace(trial, parts=(), curve=(), error="<i>loss</i> is NaN"))
    options = {"recipe": load_recipe("digits"), "space": SPACE, "method": "tpe", "trials": count, "folds": folds}
    return SearchResult(SearchPlan(**options | {"pruner": "median"} | changes), tuple(trials), Path("s"))


def test_what_the_page_says_of_real_trainings(trained: SearchResult, tmp_path: Path) -> None:
    path = search_page(trained, tmp_path / "search.html")
    text = path.read_text(encoding="utf-8")
    best = trained.best
    assert best is not None
    assert best.value is not None
    assert f"{100 * best.value:.2f} %" in text
    assert "glassnet train &#39;searches/of mine/best.toml&#39; --seeds 5" in text
    assert "The test set was not used." in text
    assert "没有使用测试集。" in text
    assert "chosen by all seeds but one" in text
    for trial in trained.trials:
        assert f'<th scope="row">#{trial.number}</th>' in text
    assert search_page(trained, tmp_path / "again.html").read_bytes() == path.read_bytes()


def test_nothing_is_loaded_and_only_the_page_s_own_scripts_run(trained: SearchResult) -> None:
    text = page(trained)
    assert "default-src 'none'" in text
    scripts = re.search(r"script-src ([^\"]*)\"", text)
    assert scripts is not None
    assert len(re.findall(r"'sha256-[^']+'", scripts[1])) == text.count("<script>") == 2
    assert sealed(text) == text
    namespaces = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) <= namespaces
    assert not re.search(r"\son\w+=", text)


def test_ids_of_the_charts_are_distinct() -> None:
    found = re.findall(r'\bid="([^"]+)"', page(drawn(40)))
    assert len(found) == len(set(found))


def test_names_are_escaped() -> None:
    text = page(drawn(40))
    assert "<b>$x$</b>" not in text
    assert "&lt;b&gt;$x$&lt;/b&gt;" in text
    assert "<i>loss</i>" not in text
    assert "&lt;i&gt;loss&lt;/i&gt; is NaN" in text


def test_the_table_is_the_trials(trained: SearchResult) -> None:
    table = value_table(trained, None)
    assert table is not None
    assert (table.row, table.column, table.others) == ("hidden", "learning_rate", ())
    assert table.columns == ("0.01", "0.1", "1", "10")
    assert [label for label, _ in table.rows] == ["5", "20", "40"]
    cells = [cell for _, row in table.rows for cell in row]
    assert [cell and cell.text for cell in cells] == [f"{100 * (trial.value or 0):.2f}" for trial in trained.trials]
    assert [cell.number for cell in cells if cell and cell.best] == [trained.best and trained.best.number]
    assert max(cell.heat for cell in cells if cell) == 1


def test_with_more_parameters_a_cell_is_the_best_over_the_others() -> None:
    result = drawn(60)
    importance = importance_of(result)
    assert importance is not None
    assert next(iter(importance.shares)) == RATE
    table = value_table(result, importance)
    assert table is not None
    assert len(table.others) == 1
    by_hand: dict[int, list[Trial]] = {}
    for trial in result.ranked:  # rows or columns of the range are bins
        by_hand.setdefault(min(5, int((np.log10(trial.settings[RATE]) + 3) / 3 * 6)), []).append(trial)
    cells = (
        [row for _, row in table.rows]
        if table.row == "learning_rate"
        else list(zip(*(r for _, r in table.rows), strict=True))
    )
    for place, row in enumerate(cells):
        numbers = {cell.number for cell in row if cell}
        assert sum(cell.trials for cell in row if cell) == len(by_hand.get(place, []))
        assert not numbers or by_hand[place][0].number in numbers


def test_without_a_complete_trial_the_page_says_so() -> None:
    result = drawn(12)
    failed = tuple(
        replace(trial, state="failed", parts=(), curve=(), error="out of memory" if trial.number % 2 else None)
        for trial in result.trials
    )
    text = page(replace(result, trials=failed))
    assert "No trial is complete" in text
    assert "没有试验完成" in text
    assert "out of memory" in text
    assert "<svg" not in text
    assert "No trial is complete" in page(replace(result, trials=()))


def test_one_trial(trained: SearchResult) -> None:
    text = page(replace(trained, trials=trained.trials[4:5]))
    assert "Only one trial is complete, so nothing was chosen." in text
    assert "nan" not in text.lower().replace("nano", "")


def test_a_loss_is_no_percentage() -> None:
    options = [{"settings": {"epochs": n + 1}, "parts": (1.5 / (n + 1),), "curve": (2.0, 1.5 / (n + 1))} for n in range(8)]
    trials = tuple(Trial(number=n, point=str(n), state="complete", **each) for n, each in enumerate(options))
    space = (Parameter(key="epochs", low=1, high=8, whole=True),)
    plan = SearchPlan(recipe=load_recipe("chain"), space=space, method="random", trials=8, maximise=False)
    text = page(SearchResult(plan, (*trials, replace(trials[0], number=8, parts=(float("nan"),))), Path("s")))
    assert "Lowest validation loss" in text
    assert "0.1875" in text
    assert "can't be estimated" in text.replace("&#39;", "'")


def test_a_thousand_trials_are_folded_and_small() -> None:
    result = drawn(1000)
    text = page(result)
    assert len(text.encode()) < 2_000_000
    assert text.index("<details><summary>") < text.index('<table class="numbers sortable">')


def test_an_unwritable_place_is_named(trained: SearchResult, tmp_path: Path) -> None:
    with pytest.raises(WriteError) as error:
        search_page(trained, tmp_path / "none" / "search.html")
    assert error.value.where == tmp_path / "none" / "search.html"


def test_the_ranking_is_of_values_and_spreads(trained: SearchResult) -> None:
    axes = figures.ranking_figure(trained).axes[0]
    first = trained.ranked[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == [f"#{trial.number}" for trial in trained.ranked]
    dots, line, mean = axes.lines[:3]
    np.testing.assert_allclose(dots.get_xdata(), 100 * np.array(first.parts))
    np.testing.assert_allclose(mean.get_xdata(), [100 * np.mean(first.parts)])
    assert np.ptp(np.asarray(line.get_xdata())) <= 200 * (first.spread or 0) + 1e-9  # cut at 100 %


def test_the_best_so_far_never_falls() -> None:
    result = drawn(30)
    line = next(line for line in figures.progress_figure(result).axes[0].lines if line.get_label() == "best so far")
    values = np.asarray(line.get_ydata(), dtype=float)
    assert (np.diff(values) >= 0).all()
    assert values[-1] == pytest.approx(100 * (result.ranked[0].value or 0))


def test_curves_are_those_of_the_trials(trained: SearchResult) -> None:
    lines = {line.get_label(): line for line in figures.best_curve_figure(trained).axes[0].lines}
    best = trained.ranked[0]
    np.testing.assert_allclose(lines[f"#{best.number}, the best"].get_ydata(), 100 * np.array(best.curve))
    others = np.asarray(lines["the next 9"].get_ydata(), dtype=float)
    assert np.isnan(others).sum() == 9  # gaps between trials


def test_lines_end_at_their_settings(trained: SearchResult) -> None:
    axes = figures.parallel_coordinates_figure(trained).axes[0]
    ends = np.concatenate([np.asarray(line.get_xydata()) for line in axes.lines if len(np.asarray(line.get_xdata())) > 2])
    at_value = ends[ends[:, 0] == 2][:, 1]
    assert len(at_value) == len(trained.trials)
    assert at_value.max() == pytest.approx(1)
    assert set(np.round(ends[ends[:, 0] == 0][:, 1], 6)) == {0.0, 0.5, 1.0}  # 5, 20, 40 as names


def test_slices_have_a_plot_for_each_parameter() -> None:
    result = drawn(40)
    axes = figures.slices_figure(result).axes
    assert [each.get_xlabel() for each in axes] == ["hidden", "learning_rate", "optimizer.type"]
    assert [text.get_text() for text in axes[1].get_xticklabels()] == ["0.001", "0.01", "0.1", "1"]
    assert [text.get_text() for text in axes[0].get_xticklabels()] == ["10", "[16, 8]", "<b>$x$</b>"]
    with pytest.raises(InputError, match="no such parameter") as error:
        figures.slices_figure(result, ["depth"])
    assert error.value.received == "depth"


def test_the_importance_is_drawn_or_said_to_be_unknown(trained: SearchResult) -> None:
    found = importance_of(trained)
    assert found is not None
    bars = [bar.get_width() for bar in figures.importance_figure(trained).axes[0].patches]  # type: ignore[attr-defined]
    assert bars == pytest.approx([100 * share for share in found.shares.values()])
    few = figures.importance_figure(replace(trained, trials=trained.trials[:5])).axes[0]
    assert "too few complete trials" in [text.get_text() for text in few.texts]


def test_an_axis_leaves_out_what_is_far_worse() -> None:
    assert worst_shown(np.array([0.9, 0.91, 0.92, 0.1]), maximise=True) == pytest.approx(0.92 - 4 * 0.015)
    assert worst_shown(np.array([0.9, 0.95]), maximise=True) == pytest.approx(0.9)
    assert worst_shown(np.array([0.3, 0.2, 0.25, 9.0]), maximise=False) == pytest.approx(0.2 + 4 * 0.075)


def test_names_on_axes_tell_parameters_apart() -> None:
    space = (
        Parameter(key="a.rate", values=(1, 2)),
        Parameter(key="b.rate", values=tuple(range(1, 101))),
        Parameter(key="c.d", low=0, high=1),
    )
    plan = replace(drawn(1).plan, space=space)
    scales = [scale_of(replace(drawn(1), plan=plan), parameter) for parameter in space]
    assert [scale.name for scale in scales] == ["a.rate", "b.rate", "d"]
    assert [scale.kind for scale in scales] == ["names", "log", "linear"]
    assert scales[1].place({"b.rate": 100}) == pytest.approx(2)
    assert np.isnan(scales[0].place({"a.rate": 3}))
    assert np.isnan(scales[0].place({}))
    assert scales[2].text({}) == "–"
