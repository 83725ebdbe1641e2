"""Phrases that several rules say alike: what came of a training, how its cost went, and how to ask for another rate."""

from __future__ import annotations

from glassnet.analysis.diagnosis.facts import Facts
from glassnet.support.i18n import NOTHING, Message, mark, tr


def outcome(facts: Facts) -> Message:
    """The accuracy, beside what comparing pixels reaches; a sentence of its own."""
    if not facts.is_classification:
        return NOTHING
    return tr(
        " Accuracy {found} %; comparing pixels alone reaches {reach} %.",
        found=percent(facts.accuracy),
        reach=percent(facts.within_reach),
    )


def accuracies(facts: Facts) -> Message:
    """The accuracy of each part."""
    told = tr("{share} % in training", share=percent(facts.train_accuracy))
    if facts.validation_accuracy is None:
        return told
    return told + tr(", {share} % in validation", share=percent(facts.validation_accuracy))


def costs(facts: Facts) -> Message:
    """From where to where the cost went; a clause."""
    found = facts.history.train_cost
    if not found:
        return NOTHING
    return tr("; the loss went from {first:.3g} to {last:.3g}", first=facts.start_cost or found[0], last=found[-1])


def at_rate(facts: Facts) -> Message:
    """The learning rate, where it is known; a clause."""
    if facts.rate is None:
        return NOTHING
    return tr("; the learning rate is {rate:g}", rate=facts.rate)


def set_rate(facts: Facts, factor: float) -> Message:
    """How to ask for so many times the learning rate, where it is known."""
    if facts.rate is None:
        return NOTHING
    return tr(": {option}", option=f"--set learning_rate={facts.rate * factor:.2g}")


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def whole(share: float) -> str:
    """A share in whole percent."""
    return f"{100 * share:.0f}"


FIND_RATE = mark("or let glassnet find-rate suggest one")
SMALLER_START = mark("start with smaller weights: initializer HeNormal before a ReLU, GlorotUniform before sigmoid or tanh")
CLIP = mark("shorten long gradients: --set optimizer.clip_norm=1")
