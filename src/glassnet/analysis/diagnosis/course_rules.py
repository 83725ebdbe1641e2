"""Rules about the steps of a training: too large, too small or too few."""

from __future__ import annotations

from math import isfinite

from glassnet.analysis.diagnosis.facts import FALLING, FEW, HUGE, LARGE, TINY, Facts
from glassnet.analysis.diagnosis.finding import Finding
from glassnet.analysis.diagnosis.phrases import (
    CHECK_SCALE,
    CLIP,
    FIND_RATE,
    WARM_UP,
    at_rate,
    costs,
    outcome,
    set_rate,
    whole,
)
from glassnet.support.i18n import FULL_STOP, NOTHING, Message, mark, tr
from glassnet.training.stop import NOT_FINITE_AT, StopReason

PACE = 0.1  # or would have fallen in `FEW` steps, as an epoch of a dozen steps gains little however well it goes
UNITS = {
    "saturated": mark(". After training, {share} % of the outputs of {layer} are saturated"),
    "dead": mark(". After training, {share} % of the units of {layer} output zero for every image"),
}


def non_finite_cost(facts: Facts) -> Finding | None:
    """The loss became infinite or NaN."""
    if not facts.not_finite:
        return None
    seen = tr("the loss of an epoch is not finite")
    stopped = facts.history.stopped
    if stopped is not None and stopped.reason is StopReason.NOT_FINITE:
        seen = tr(NOT_FINITE_AT, epoch=stopped.epoch, step=stopped.step)
    seen += tr(", after {count} complete epochs", count=len(facts.history)) + at_rate(facts) + FULL_STOP
    return Finding(
        mark("non-finite-cost"),
        seen,
        tr("The training diverged: each step overshot the minimum by more than the one before, until numbers overflowed."),
        (
            tr("lower the learning rate") + set_rate(facts),
            tr(CLIP),
            tr(CHECK_SCALE),
            tr(FIND_RATE),
        ),
    )


def learning_rate_too_high(facts: Facts) -> Finding | None:
    """A step changed the weights by a large part of themselves, and the network is worse for it."""
    change = facts.change
    epochs, start = facts.history.train_cost, facts.start_cost
    did_harm = bool(start and epochs and epochs[-1] > start)  # all steps together
    if not facts.falls_short or (isfinite(change) and not change > (LARGE if did_harm else HUGE)):
        return None
    course = NOTHING
    if start and epochs:
        text = mark("; the loss was {start:.3g} before the first step and {last:.3g} in the last epoch")
        course = tr(text, start=start, last=epochs[-1])
    text = mark("a single step changed a weight matrix by {change} % of its norm (1 % or less is usual{rate}){course}.")
    return Finding(
        mark("learning-rate-too-high"),
        tr(text, change=whole(change), rate=at_rate(facts), course=course) + outcome(facts),
        tr("The steps are too large: they overshoot the minimum of the loss{units}.", units=_lost_units(facts)),
        (
            tr("lower the learning rate") + set_rate(facts),
            tr(FIND_RATE),
            tr(WARM_UP),
        ),
    )


def _lost_units(facts: Facts) -> Message:
    """A layer most of whose units became saturated or dead during the training."""
    for layer, found in facts.end_activations.items():
        start = facts.start_activations.get(layer, {})
        for what, text in UNITS.items():
            if found.get(what, 0) > 0.8 and found[what] > start.get(what, 0) + 0.1:
                return tr(text, share=whole(found[what]), layer=layer)
    return NOTHING


def learning_rate_too_low(facts: Facts) -> Finding | None:
    """All steps hardly changed the weights."""
    if not facts.falls_short or not 0 < facts.change < TINY:
        return None
    if facts.cost < 0.1 * (facts.start_cost or facts.cost):
        return None
    text = mark(
        "no recorded step changed a weight matrix by more than {change:.1g} of its norm (1e-3 to 1e-2 is usual{rate}), in "
        "{steps} steps{costs}."
    )
    seen = tr(text, change=facts.change, rate=at_rate(facts), steps=facts.steps, costs=costs(facts))
    return Finding(
        mark("learning-rate-too-low"),
        seen + outcome(facts),
        tr("The steps are so small that the weights are still close to their initial values."),
        (tr("multiply the learning rate by 10 or more") + set_rate(facts), tr(FIND_RATE)),
    )


def too_few_steps(facts: Facts) -> Finding | None:
    """The loss was still falling when the training ended, after few steps."""
    found = facts.history.train_cost
    if not found or not facts.steps or facts.steps >= FEW or not facts.falls_short:
        return None
    before, after = (found[-2], found[-1]) if len(found) > 1 else (facts.start_cost, facts.end_cost)
    if before is None or after >= before:
        return None
    gain = 1 - after / before
    if gain < FALLING and gain * FEW / (facts.steps / len(found)) < PACE:
        return None
    if facts.is_classification and facts.train_accuracy > facts.within_reach:
        return None
    epochs = tr("1 epoch") if len(found) == 1 else tr("{count} epochs", count=len(found))
    text = mark("{steps} steps in {epochs}; in the last epoch the loss still fell, from {before:.3g} to {after:.3g}.")
    each = max(1, facts.steps // len(found))
    longer = max(3 * len(found), -(-2 * FEW // each))
    return Finding(
        mark("too-few-steps"),
        tr(text, steps=facts.steps, epochs=epochs, before=before, after=after) + outcome(facts),
        tr("The training ended while the loss was still falling."),
        (
            tr("train for longer: {option}", option=f"--epochs {longer}"),
            tr("use smaller mini-batches, which give more steps per epoch: --set training.batch_size=32"),
        ),
    )
