"""Rules about the result of a training: always the same class, overfitting, or underfitting."""

from __future__ import annotations

import numpy as np

from glassnet.analysis.diagnosis.facts import FEW, Facts
from glassnet.analysis.diagnosis.finding import Finding
from glassnet.analysis.diagnosis.phrases import (
    AUGMENT,
    BALANCE,
    DECAY,
    DROPOUT,
    KEEP_BEST,
    LESS_DECAY,
    LESS_DROPOUT,
    STOP_EARLY,
    costs,
    percent,
    whole,
)
from glassnet.support.i18n import NOTHING, Message, listing, mark, tr

ONE_CLASS = 0.95  # of the predictions
LARGEST = 0.6  # share of a class from which on always predicting it is tempting
BEHIND = 0.12  # below the baseline, on training images: unlucky initial weights that still learn stay within
LEVEL = 0.99  # of the loss of the epoch before: below it, the training has not converged
GAP = 0.1  # between training and validation accuracy; on large sets it is a hundredth or two
SELDOM = 0.2  # of a class's share: predicted less often, it is hardly learnt

UNEVEN = mark("One class is so frequent that always predicting it gives a low loss and a good accuracy, with nothing learnt.")
EVEN = mark("The network predicts one class for every image: it has learnt the class frequencies, nothing from the images.")
BALANCED = (
    BALANCE,
    mark("look at the accuracy of each class, not only at the mean: glassnet evaluate prints it"),
    mark("collect more images of the rare classes"),
)
START_LEARNING = (
    mark("try a learning rate ten times higher and one ten times lower: glassnet find-rate suggests one"),
    LESS_DECAY,
    mark("check the gradients numerically: glassnet check"),
)


def majority_class_of_many(facts: Facts) -> Finding | None:
    """Nearly all predictions are one class, and most images have one class."""
    return _majority(facts) if facts.is_classification and facts.chance >= LARGEST else None


def majority_class(facts: Facts) -> Finding | None:
    """Nearly all predictions are one class, though the classes are balanced."""
    return _majority(facts) if facts.is_classification and facts.chance < LARGEST else None


def _majority(facts: Facts) -> Finding | None:
    shares = facts.predicted_shares
    most, largest = int(shares.argmax()), int(facts.train.counts.argmax())
    if shares[most] < ONE_CLASS or (facts.train.counts > 0).sum() < 2 or facts.chance > ONE_CLASS + 0.04:
        return None
    others = facts.learnt.labels != most
    recall = float((facts.train_classes == facts.learnt.labels)[others].mean()) if others.any() else 1.0
    if recall > 0.3:  # it does distinguish the others: there are only few of them
        return None
    names = facts.train.classes or ()
    seen = tr(
        "{predicted} % of the predictions are class {most}; class {largest} makes up {share} % of the training images; "
        "{recall} % of the images of other classes are classified correctly.",
        predicted=whole(shares[most]),
        most=names[most],
        largest=names[largest],
        share=whole(facts.chance),
        recall=whole(recall),
    )
    cause, steps = (UNEVEN, BALANCED) if facts.chance >= LARGEST else (EVEN, START_LEARNING)
    return Finding(mark("majority-class"), seen, tr(cause), tuple(map(tr, steps)))


def overfitting(facts: Facts) -> Finding | None:
    """The accuracy is much higher on training images than on validation images."""
    if not facts.is_classification or facts.validation_accuracy is None or facts.not_finite:
        return None
    if facts.train_accuracy - facts.validation_accuracy < GAP + 2 * facts.uncertainty:
        return None
    found = [cost for cost in facts.history.validation_cost if cost is not None]
    course = NOTHING
    if found and found[-1] > 1.05 * min(found):
        text = mark("; the validation loss was lowest after epoch {epoch} ({low:.3g}) and ended at {last:.3g}")
        course = tr(text, epoch=found.index(min(found)) + 1, low=min(found), last=found[-1])
    seen = tr(
        "accuracy {train} % on training images, {validation} % on validation images{course}; {parameters:,} parameters, "
        "{images:,} training images.",
        train=percent(facts.train_accuracy),
        validation=percent(facts.validation_accuracy),
        course=course,
        parameters=facts.network.flat.size,
        images=len(facts.train),
    )
    return Finding(
        mark("overfitting"),
        seen,
        tr("The network has memorized its training images, and generalizes less well to new ones."),
        (
            *map(tr, (AUGMENT, KEEP_BEST, STOP_EARLY, DECAY, DROPOUT)),
            tr("use more images, or a smaller network"),
        ),
    )


def underfitting(facts: Facts) -> Finding | None:
    """The accuracy is below that of nearest neighbours even on training images."""
    if not facts.is_classification or facts.not_finite or not facts.falls_short:
        return None
    found = facts.history.train_cost
    if len(found) < 2 and facts.steps < FEW:  # it may not have converged
        return None
    if facts.train_accuracy > facts.within_reach - BEHIND or (len(found) > 1 and found[-1] < LEVEL * found[-2]):
        return None
    seen = tr(
        "accuracy only {train} % on training images, though nearest neighbours among {images} of them reach {near} % on new "
        "images{costs}; {parameters:,} parameters.",
        train=percent(facts.train_accuracy),
        images=facts.neighbours.images,
        near=percent(facts.neighbours.accuracy),
        costs=costs(facts),
        parameters=facts.network.flat.size,
    )
    return Finding(
        mark("underfitting"),
        seen,
        tr("The network is too small for this data, or regularization or dropout is too strong."),
        (
            tr("use more units or layers"),
            tr(LESS_DECAY),
            tr(LESS_DROPOUT),
            tr(
                "train longer, at another learning rate (glassnet find-rate): --epochs {epochs}", epochs=3 * (len(found) or 1)
            ),
        ),
    )


def unsure(facts: Facts) -> tuple[Message, ...]:
    """A remark where no rule applies to a training that is at chance level, below the baseline, or too short."""
    if facts.not_finite or not facts.steps:
        return ()
    if not facts.beats_chance:
        return (_at_chance(facts),)
    if facts.is_classification and facts.falls_short:
        return (_below_baseline(facts),)
    if facts.too_short:
        text = mark("only {steps} steps were taken, and the loss was still falling{shown}. Train for longer.")
        reached = tr("; accuracy {found} %", found=percent(facts.accuracy)) if facts.is_classification else NOTHING
        return (tr(text, steps=facts.steps, shown=reached),)
    return ()


def _at_chance(facts: Facts) -> Message:
    if not facts.is_classification:
        return tr("the loss has hardly fallen{costs}.", costs=costs(facts))
    text = mark("accuracy {found} %; averaged over the classes it is not clearly better than guessing{costs}.")
    return tr(text, found=percent(facts.accuracy), costs=costs(facts))


def _below_baseline(facts: Facts) -> Message:
    """The accuracy, the baseline, and the classes that are hardly predicted so far."""
    rare = np.flatnonzero(facts.predicted_shares < SELDOM * facts.train.counts / len(facts.train))
    left_out = NOTHING
    if len(rare):
        names = listing((facts.train.classes or ())[index] for index in rare[:8])
        left_out = tr("; hardly ever predicted so far: class {names}", names=names)
    text = mark(
        "accuracy {found} %; the better of two baselines (nearest neighbour, largest class) reaches {reach} %{left_out}. "
        "More epochs or another seed may help (--seeds 5)."
    )
    return tr(text, found=percent(facts.accuracy), reach=percent(facts.within_reach), left_out=left_out)
