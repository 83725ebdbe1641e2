"""Phrases that several rules share: the accuracy, how the loss changed, and how to set another learning rate."""

from __future__ import annotations

from glassnet.analysis.diagnosis.facts import Facts
from glassnet.support.i18n import NOTHING, Message, mark, tr

FIND_RATE = mark("or let glassnet find-rate suggest one")
SMALLER_START = mark("start with smaller weights: initializer HeNormal before a ReLU, GlorotUniform before sigmoid or tanh")
CLIP = mark("clip the gradient norm: --set optimizer.clip_norm=1")


def outcome(facts: Facts) -> Message:
    """The accuracy and that of the baselines, as a sentence."""
    if not facts.is_classification:
        return NOTHING
    text = mark(" Accuracy {found} %; the better of two baselines (nearest neighbour, largest class) reaches {reach} %.")
    return tr(text, found=percent(facts.accuracy), reach=percent(facts.within_reach))


def accuracies(facts: Facts) -> Message:
    """The accuracy on each part."""
    found = tr("{share} % in training", share=percent(facts.train_accuracy))
    if facts.validation_accuracy is None:
        return found
    return found + tr(", {share} % in validation", share=percent(facts.validation_accuracy))


def costs(facts: Facts) -> Message:
    """The first and the last loss, as a clause."""
    found = facts.history.train_cost
    if not found:
        return NOTHING
    return tr("; the loss went from {first:.3g} to {last:.3g}", first=facts.start_cost or found[0], last=found[-1])


def at_rate(facts: Facts) -> Message:
    """The learning rate, where it is known, as a clause."""
    return NOTHING if facts.rate is None else tr("; the learning rate is {rate:g}", rate=facts.rate)


def set_rate(facts: Facts, factor: float) -> Message:
    """The option that multiplies the learning rate, where it is known, after a colon."""
    return NOTHING if facts.rate is None else tr(": {option}", option=f"--set learning_rate={facts.rate * factor:.2g}")


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def whole(share: float) -> str:
    """A share in whole percent."""
    return f"{100 * share:.0f}"
