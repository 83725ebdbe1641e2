"""Rules about the course of a training: its steps, too large, too small or too few."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite

from glassnet.analysis.diagnosis.facts import Facts
from glassnet.analysis.diagnosis.finding import Finding
from glassnet.analysis.diagnosis.phrases import CLIP, FIND_RATE, at_rate, costs, outcome, set_rate, whole
from glassnet.support.i18n import FULL_STOP, NOTHING, Message, mark, tr
from glassnet.training.stop import NOT_FINITE_AT, StopReason

THROWN = 0.3  # of a weight matrix's length, changed in one step: useful steps change a hundredth or less, early ones a tenth
LONG = 0.1  # of it, changed in one step: early steps of a good training may, but then the cost falls
TINY = 1e-4  # of a weight matrix's length, changed in one step: ten thousand of them would be needed to replace it
USEFUL = 3e-3  # what a step may well change
FEW = 1000  # steps: networks of this kind take some thousands
FALLING = 0.01  # of the cost, that the last epoch still gained
PACE = 0.1  # or that it would have gained in `FEW` steps, as an epoch of a dozen steps gains little however well it goes


def non_finite_cost(facts: Facts) -> Finding | None:
    """A cost that became infinite or NaN."""
    if not facts.not_finite:
        return None
    where = tr("the loss of an epoch is not finite")
    stopped = facts.history.stopped
    if stopped is not None and stopped.reason is StopReason.NOT_FINITE:
        where = tr(NOT_FINITE_AT, epoch=stopped.epoch, step=stopped.step)
    where += tr(", {count} whole epochs", count=len(facts.history))
    if facts.rate is not None:
        where += tr(" at a learning rate of {rate:g}", rate=facts.rate)
    return Finding(
        mark("non-finite-cost"),
        where + FULL_STOP,
        tr(
            "The weights grew without bound until numbers overflowed: each step went past the valley and up its other side, "
            "higher than it had been."
        ),
        (
            tr("lower the learning rate tenfold") + set_rate(facts, 0.1),
            tr(CLIP),
            tr("check that the images are scaled to 0 … 1; find a good rate with glassnet find-rate"),
        ),
    )


def learning_rate_too_high(facts: Facts) -> Finding | None:
    """Steps that change the weights by a good part of themselves, and a network that is the worse for it."""
    change = max([facts.first_change or 0.0, *facts.changes])
    epochs = facts.history.train_cost
    did_harm = bool(facts.start_cost and epochs and epochs[-1] > facts.start_cost)  # all steps together
    if not facts.falls_short or (isfinite(change) and not change > (LONG if did_harm else THROWN)):
        return None
    course = NOTHING
    if facts.start_cost and epochs:
        course = tr(
            "; the loss was {start:.3g} before the first step and {last:.3g} in the last epoch",
            start=facts.start_cost,
            last=epochs[-1],
        )
    seen = tr(
        "a single step changed a weight matrix by {change} % of its length (1 % and less is usual{rate}){course}.",
        change=whole(change),
        rate=at_rate(facts),
        course=course,
    )
    return Finding(
        mark("learning-rate-too-high"),
        seen + outcome(facts),
        tr(
            "The steps are too long: instead of going down the valley of the loss they jump across it{flat}.",
            flat=_flat(facts),
        ),
        (
            tr("lower the learning rate") + set_rate(facts, min(0.1, 0.03 / change)),
            tr(FIND_RATE),
            tr("raise it slowly at first: WarmUp, or OneCycle over the whole training"),
        ),
    )


def _flat(facts: Facts) -> Message:
    """Where the first steps have thrown the units, if that shows."""
    places = {
        "saturated": tr("where its curve is flat"),
        "dead": tr("where it gives zero for every image"),
    }
    for name, found in facts.end_activations.items():
        start = facts.start_activations.get(name, {})
        for what, place in places.items():
            if found.get(what, 0) > 0.8 and found[what] > start.get(what, 0) + 0.1:
                return tr(
                    ", and have thrown {share} % of {name} to {place}, so that nothing is learnt any more",
                    share=whole(found[what]),
                    name=name,
                    place=place,
                )
    return NOTHING


def learning_rate_too_low(facts: Facts) -> Finding | None:
    """Steps that hardly change the weights, from first to last."""
    changes = [*([] if facts.first_change is None else [facts.first_change]), *facts.changes]
    if (
        not changes
        or not facts.falls_short
        or not 0 < max(changes) < TINY
        or facts.cost < 0.1 * (facts.start_cost or facts.cost)
    ):
        return None
    seen = tr(
        "no recorded step changed a weight matrix by more than {change:.1g} of its length (1e-3 to 1e-2 is usual{rate}), "
        "over {steps} steps{costs}.",
        change=max(changes),
        rate=at_rate(facts),
        steps=facts.steps,
        costs=costs(facts),
    )
    return Finding(
        mark("learning-rate-too-low"),
        seen + outcome(facts),
        tr("The steps are so short that the training hardly leaves its start."),
        (
            tr("raise the learning rate tenfold or more") + set_rate(facts, min(1e4, max(10.0, USEFUL / max(changes)))),
            tr(FIND_RATE),
        ),
    )


def too_few_steps(facts: Facts) -> Finding | None:
    """A cost that was still falling when the training ended, after few steps."""
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
    seen = tr(
        "{steps} steps in all, in {epochs}; in the last one the loss still fell, from {before:.3g} to {after:.3g}.",
        steps=facts.steps,
        epochs=tr("1 epoch") if len(found) == 1 else tr("{count} epochs", count=len(found)),
        before=before,
        after=after,
    )
    return Finding(
        mark("too-few-steps"),
        seen + outcome(facts),
        tr("The training ended while it was still learning."),
        (
            tr("train for longer: {option}", option=f"--epochs {_more_epochs(facts)}"),
            tr("take smaller mini-batches, which give more steps an epoch: --set training.batch_size=32"),
        ),
    )


def _more_epochs(facts: Facts) -> int:
    each = max(1, facts.steps // len(facts.history))
    return max(3 * len(facts.history), -(-2 * FEW // each))


Rule = Callable[[Facts], Finding | None]
