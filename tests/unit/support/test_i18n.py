"""Messages in the user's language and in each: the same figures in both; nothing is decided by the words."""

from __future__ import annotations

import copy
import json
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

import glassnet as gn
from glassnet.support import i18n
from glassnet.support.i18n import FULL_STOP, NOTHING, VARIABLES, Message, clauses, language, listing, mark, same, tr
from glassnet.support.terminal import table
from glassnet.training import History, Stop, StopReason

OF_IMAGES = "{count} images of {shape}"


@pytest.fixture
def no_language(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize("name", VARIABLES)
@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("zh", "zh"),
        ("zh_CN.UTF-8", "zh"),
        ("ZH_TW", "zh"),
        ("C.UTF-8", "en"),
        ("de_DE", "en"),
        ("de:zh_CN", "zh"),
        ("en:zh", "en"),
    ],
)
def test_each_variable_chooses_the_language(no_language: pytest.MonkeyPatch, name: str, value: str, wanted: str) -> None:
    no_language.setenv(name, value)
    assert language() == wanted
    assert tr("training") == {"en": "training", "zh": "训练"}[wanted]


def test_the_first_variable_that_is_set_decides(no_language: pytest.MonkeyPatch) -> None:
    assert language() == "en"
    for number, name in enumerate(reversed(VARIABLES)):
        no_language.setenv(name, ("zh_CN.UTF-8", "en_GB.UTF-8")[number % 2])
        assert language() == ("zh", "en")[number % 2]
    no_language.setenv(VARIABLES[0], "")
    assert language() == "en"


def test_the_catalogue_is_not_read_for_english(no_language: pytest.MonkeyPatch) -> None:
    no_language.setattr(i18n, "_catalogue", lambda: pytest.fail("read"))
    assert tr(OF_IMAGES, count=3, shape="2 × 2") == "3 images of 2 × 2"


def test_figures_go_in_by_language() -> None:
    inside = tr("{part}: {count}", part=tr("training"), count=5)
    assert (inside, inside.en, inside.zh) == ("training: 5", "training: 5", "训练: 5")
    assert tr(OF_IMAGES, count=3, shape=tr("training")).zh == "3 张图片，大小 训练"
    assert tr("{a:.2f}{b}", a=1, b=Path("c")) == "1.00c"


def test_texts_without_figures_are_left_as_they_are() -> None:
    assert tr("a {brace}") == "a {brace}"
    assert same("{x}").zh == "{x}"
    assert mark("training") == "training"
    assert type(mark("training")) is str
    assert NOTHING.zh == tr("").zh == ""


def test_messages_are_joined_in_each_language() -> None:
    told = tr("training") + " 5" + FULL_STOP
    assert (told, told.zh) == ("training 5.", "训练 5。")
    told = "{" + tr("training") + "}"
    assert (told, told.zh) == ("{training}", "{训练}")
    names = [tr("training"), "b", tr("test")]
    assert (clauses(names), clauses(names).zh) == ("training; b; test", "训练；b；测试")
    assert (listing(names), listing(names).zh) == ("training, b, test", "训练、b、测试")
    assert (listing([]), listing([]).zh) == ("", "")


def test_a_message_is_a_text_that_travels() -> None:
    message = tr("{part}: {count}", part=tr("training"), count=np.float32(5))
    for copied in (pickle.loads(pickle.dumps(message)), copy.copy(message), copy.deepcopy(message)):
        assert isinstance(copied, Message)
        assert (copied, copied.zh) == (message, message.zh)
    assert str(message).zh == message.zh
    assert type(f"{message}!") is str
    assert json.loads(json.dumps({message: message})) == {str(message): message}
    assert hash(message) == hash("training: 5.0")


STOPS = [
    Stop(StopReason.NOT_FINITE, epoch=3, step=17),
    Stop(StopReason.NO_IMPROVEMENT, epoch=9, since=4, patience=4),
    Stop(StopReason.CALLBACK, epoch=1, step=2, words="it is not finite, at step 5"),
    Stop(StopReason.REQUEST, epoch=4),
    Stop(StopReason.SOLVER, epoch=8, words="CONVERGENCE: NORM OF PROJECTED GRADIENT <= PGTOL"),
]


@pytest.mark.parametrize("stop", STOPS)
def test_why_a_training_ended_is_kept_as_figures(stop: Stop) -> None:
    row = json.loads(History(stopped=stop).lines())
    figures = {name: value for name, value in vars(stop).items() if name != "reason" and value is not None}
    assert row == {"stopped": {"reason": stop.reason.value, **figures}}
    assert History.from_rows([row]).stopped == stop
    assert stop.words is None or both(stop.text) == (stop.words, stop.words)
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
    assert (history.stopped, str(history.stopped)) == (stop, sentence.replace("the cost was", "the loss was"))
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
            told = recipe.message(key)
            english, chinese = (sorted(re.findall(r"\d+(?:[,.:]\d+)*", text)) for text in (told.en, told.zh))
            assert english == chinese, (recipe.name, key)
            assert re.search(r"[一-鿿]", told.zh), (recipe.name, key)


def both(message: Message) -> tuple[str, str]:
    return message.en, message.zh


def test_other_words_are_not_told_in_the_old_ones() -> None:
    recipe = gn.load_recipe("digits")
    assert both(recipe.changed({"title": "Mine"}).heading) == ("Mine", "Mine")
    assert both(recipe.changed({"title": "Mine", "title_zh": "我的"}).heading) == ("Mine", "我的")
    assert both(recipe.changed({"epochs": 3}).heading) == both(recipe.heading)
    assert both(recipe.model_copy(update={"title": ""}).heading) == ("digits", "digits")


def test_columns_of_a_terminal_hold_half_a_chinese_character() -> None:
    assert table([("a", "b", "cc"), ("类别", "bb", "")], left=1) == ["a      b  cc", "类别  bb"]
    assert table([("a", "b"), ("类别", "b")], left=2) == ["a     b", "类别  b"]
