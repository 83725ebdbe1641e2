"""One thing in two languages: the same figures in both; nothing is decided by the words."""

from __future__ import annotations

import json
import re

import pytest

import glassnet as gn
from glassnet.support.i18n import Text, clauses, same
from glassnet.training import History, Stop, StopReason

SEEN = Text("{share:.0f} % of {what}.", "{what}的 {share:.0f}%。")


def test_figures_go_in_by_language() -> None:
    told = SEEN.format(share=12.3, what=Text("units", "单元"))
    assert (told.en, told.zh) == ("12 % of units.", "单元的 12%。")
    assert told + same(" 5") == Text("12 % of units. 5", "单元的 12%。 5")
    assert clauses([Text("a", "甲"), Text("b", "乙")]) == Text("a; b", "甲；乙")


STOPS = [
    Stop(StopReason.NOT_FINITE, epoch=3, step=17),
    Stop(StopReason.NO_IMPROVEMENT, epoch=9, since=4, patience=4),
    Stop(StopReason.CALLBACK, epoch=1, step=2, words="it is not finite, at step 5"),
    Stop(StopReason.SOLVER, epoch=8, words="CONVERGENCE: NORM OF PROJECTED GRADIENT <= PGTOL"),
]


@pytest.mark.parametrize("stop", STOPS)
def test_why_a_training_ended_is_kept_as_figures(stop: Stop) -> None:
    row = json.loads(History(stopped=stop).lines())
    figures = {name: value for name, value in vars(stop).items() if name != "reason" and value is not None}
    assert row == {"stopped": {"reason": stop.reason.value, **figures}}
    assert History.from_rows([row]).stopped == stop
    assert stop.words is None or stop.text == same(stop.words)
    english, chinese = (re.findall(r"\d+", text) for text in (stop.text.en, stop.text.zh))
    assert english == chinese
    assert set(StopReason) == {known.reason for known in STOPS}


@pytest.mark.parametrize(
    ("sentence", "stop"),
    [
        (
            "the cost was no longer finite in epoch 3, at step 17: the weights grew without bound. The last good weights, "
            "from the start of an epoch, are kept. Try a smaller learning rate, or clip_norm=1.",
            Stop(StopReason.NOT_FINITE, epoch=3, step=17),
        ),
        ("no better for 4 epochs (early stopping, patience 5)", Stop(StopReason.NO_IMPROVEMENT, since=4, patience=5)),
        ("the gradient is finite", Stop(StopReason.CALLBACK, words="the gradient is finite")),
        ("no better for 4 epochs", Stop(StopReason.CALLBACK, words="no better for 4 epochs")),
    ],
)
def test_sentences_of_older_histories_are_understood(sentence: str, stop: Stop) -> None:
    history = History.from_rows([{"stopped": sentence}])
    assert (history.stopped, str(history.stopped)) == (stop, sentence)
    assert history.not_finite == (stop.reason is StopReason.NOT_FINITE)


@pytest.mark.parametrize(
    "stopped",
    [None, 3, [], {}, {"reason": "bored"}, {"reason": ["not-finite"]}, {"epoch": 1}, {"reason": "not-finite"},
     {"reason": "not-finite", "epoch": "3", "step": 1}, {"reason": "not-finite", "epoch": 3, "step": True},
     {"reason": "callback", "words": 7}, {"reason": "callback", "words": "a", "mood": 1}],
)  # fmt: skip
def test_reasons_that_are_none(stopped: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        History.from_rows([{"stopped": stopped}])


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
