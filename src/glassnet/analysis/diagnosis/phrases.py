"""Phrases that several rules say alike: what came of a training, how its cost went, and how to ask for another rate."""

from __future__ import annotations

from glassnet.analysis.diagnosis.facts import Facts
from glassnet.support.i18n import NOTHING, Text


def outcome(facts: Facts) -> Text:
    """The accuracy, beside what comparing pixels reaches; a sentence of its own."""
    if not facts.is_classification:
        return NOTHING
    return Text(
        " Accuracy {found} %; comparing pixels alone reaches {reach} %.",
        "准确率 {found}%；仅靠比较像素可达 {reach}%。",
    ).format(found=percent(facts.accuracy), reach=percent(facts.within_reach))


def accuracies(facts: Facts) -> Text:
    """The accuracy of each part."""
    told = Text("{share} % in training", "训练 {share}%").format(share=percent(facts.train_accuracy))
    if facts.validation_accuracy is None:
        return told
    return told + Text(", {share} % in validation", "，验证 {share}%").format(share=percent(facts.validation_accuracy))


def costs(facts: Facts) -> Text:
    """From where to where the cost went; a clause."""
    found = facts.history.train_cost
    if not found:
        return NOTHING
    return Text("; the cost went from {first:.3g} to {last:.3g}", "；代价从 {first:.3g} 变为 {last:.3g}").format(
        first=facts.start_cost or found[0], last=found[-1]
    )


def at_rate(facts: Facts) -> Text:
    """The learning rate, where it is known; a clause."""
    if facts.rate is None:
        return NOTHING
    return Text("; the learning rate is {rate:g}", "；学习率为 {rate:g}").format(rate=facts.rate)


def set_rate(facts: Facts, factor: float) -> Text:
    """How to ask for so many times the learning rate, where it is known."""
    if facts.rate is None:
        return NOTHING
    return Text(": {option}", "：{option}").format(option=f"--set learning_rate={facts.rate * factor:.2g}")


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def whole(share: float) -> str:
    """A share in whole percent."""
    return f"{100 * share:.0f}"


FIND_RATE = Text("or let glassnet find-rate suggest one", "或用 glassnet find-rate 寻找合适的学习率")
SMALLER_START = Text(
    "start with smaller weights: initializer HeNormal before a ReLU, GlorotUniform before sigmoid or tanh",
    "从更小的权重开始：ReLU 之前用 HeNormal 初始化，sigmoid 或 tanh 之前用 GlorotUniform",
)
CLIP = Text("shorten long gradients: --set optimizer.clip_norm=1", "截短过长的梯度：--set optimizer.clip_norm=1")
