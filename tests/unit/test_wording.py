"""One thing in two languages: the same figures in both, and back from the English words."""

from __future__ import annotations

import re

import pytest

import glassnet as gn
from glassnet.training.reasons import NO_BETTER, NOT_FINITE, in_both
from glassnet.wording import Text, clauses, same

SEEN = Text("{share:.0f} % of {what}.", "{what}的 {share:.0f}%。")


def test_figures_go_in_by_language() -> None:
    told = SEEN.format(share=12.3, what=Text("units", "单元"))
    assert (told.en, told.zh) == ("12 % of units.", "单元的 12%。")
    assert told + same(" 5") == Text("12 % of units. 5", "单元的 12%。 5")
    assert clauses([Text("a", "甲"), Text("b", "乙")]) == Text("a; b", "甲；乙")


def test_english_words_are_read_back() -> None:
    template = Text("after {count} steps (of {all})", "{all} 步中的第 {count} 步之后")
    assert template.read("after 3 steps (of 10)") == Text("after 3 steps (of 10)", "10 步中的第 3 步之后")
    assert template.read("after 3 steps") is None


@pytest.mark.parametrize(
    ("template", "figures"), [(NOT_FINITE, {"epoch": 3, "step": 17}), (NO_BETTER, {"since": 4, "patience": 4})]
)
def test_reasons_are_found_again(template: Text, figures: dict[str, int]) -> None:
    told = template.format(**figures)
    assert in_both(told.en) == told
    assert in_both("a callback's own words") == same("a callback's own words")


def test_recipes_say_the_same_in_both_languages() -> None:
    for recipe in gn.list_recipes():
        for key in ("title", "about", "expect"):
            told = recipe.told(key)
            english, chinese = (sorted(re.findall(r"\d+(?:[,.:]\d+)*", text)) for text in (told.en, told.zh))
            assert english == chinese, (recipe.name, key)
            assert re.search(r"[一-鿿]", told.zh), (recipe.name, key)


def test_other_words_are_not_told_in_the_old_ones() -> None:
    recipe = gn.load_recipe("digits")
    assert recipe.changed({"title": "Mine"}).heading == same("Mine")
    assert recipe.changed({"title": "Mine", "title_zh": "我的"}).heading == Text("Mine", "我的")
    assert recipe.changed({"epochs": 3}).heading == recipe.heading
    assert recipe.model_copy(update={"title": ""}).heading == same("digits")
