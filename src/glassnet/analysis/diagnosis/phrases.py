"""Phrases that several rules share: the accuracy, how the loss changed, and how to set another learning rate."""

from __future__ import annotations

from glassnet.analysis.diagnosis.facts import Facts
from glassnet.support.i18n import NOTHING, Message, mark, tr

FIND_RATE = mark("or let glassnet find-rate suggest one")
USE_PIXELS = mark("begin the network with Pixels, which scales 0 … 255 to 0 … 1")
STANDARDIZE = mark("begin it with Standardize, which uses the mean and standard deviation of the training images")
STRATIFY = mark("use a stratified split: --set data.split=stratified")
AUGMENT = mark("augment the training images: --set training.augmentation.shift=2")
KEEP_BEST = mark("keep the weights of the best epoch: --set training.keep=best")
STOP_EARLY = mark("stop early: --set training.patience=5")
DECAY = mark("use weight decay: --set network.regularizer.l2=1e-4")
DROPOUT = mark("use Dropout")
BALANCE = mark("give rare classes a larger weight in the loss: --set training.class_weight=balanced")
LESS_DECAY = mark("reduce regularization")
LESS_DROPOUT = mark("reduce dropout")
WARM_UP = mark("increase it slowly at first: WarmUp, or OneCycle over the whole training")
CHECK_SCALE = mark("check that the images are scaled to 0 … 1")
BATCH_NORM = mark("put BatchNorm between the layers")
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


def set_rate(facts: Facts) -> Message:
    """The option that sets the learning rate suggested, where the present one is known, after a colon."""
    if facts.rate is None:
        return NOTHING
    return tr(": {option}", option=f"--set learning_rate={facts.rate * facts.rate_factor:.2g}")


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def whole(share: float) -> str:
    """A share in whole percent."""
    return f"{100 * share:.0f}"
