"""Rules about what came of a training: one answer to everything, learnt by heart, or not learnt at all."""

from __future__ import annotations

from glassnet.analysis.diagnosis.course_rules import FEW
from glassnet.analysis.diagnosis.facts import Facts
from glassnet.analysis.diagnosis.finding import Finding
from glassnet.analysis.diagnosis.phrases import costs, percent, whole
from glassnet.support.i18n import NOTHING, mark, tr

ONE_CLASS = 0.95  # of the answers
LARGEST = 0.6  # share of a class from which on answering it always is tempting
BEHIND = 0.12  # below what comparing pixels tells, on training images: unlucky starts that still learn stay within
LEVEL = 0.99  # of the cost of the epoch before: with less, the training is not at its end
GAP = 0.1  # between training and validation accuracy; large sets have a hundredth or two

UNEVEN = mark(
    "One class is so frequent that answering it always is nearly the lowest loss, and the accuracy looks good without "
    "anything being learnt."
)
EVEN = mark("The network gives one answer to everything: it has found the shares of the classes, nothing in the images.")
COUNT_RARE = (
    mark("let rare classes count more: --set training.class_weight=balanced"),
    mark("look at the accuracy of each class, not at the mean: glassnet evaluate tells it"),
    mark("collect more images of the rare classes"),
)
GET_GOING = (
    mark("try another learning rate, ten times higher and ten times lower: glassnet find-rate suggests one"),
    mark("lower penalties on the weights, which can hold them at zero"),
    mark("hold the gradients against their definition: glassnet check"),
)


def majority_class_of_many(facts: Facts) -> Finding | None:
    """A network that always answers the class that most images have."""
    return _majority(facts) if facts.is_classification and facts.chance >= LARGEST else None


def majority_class(facts: Facts) -> Finding | None:
    """A network that always gives one answer, though the classes are balanced."""
    return _majority(facts) if facts.is_classification and facts.chance < LARGEST else None


def _majority(facts: Facts) -> Finding | None:
    found = facts.train_classes
    answers = [float((found == label).mean()) for label in range(len(facts.train.counts))]
    most = int(max(range(len(answers)), key=answers.__getitem__))
    if answers[most] < ONE_CLASS or (facts.train.counts > 0).sum() < 2 or facts.chance > ONE_CLASS + 0.04:
        return None
    largest = int(facts.train.counts.argmax())
    others = facts.learnt.labels != most
    recall = float((found[others] == facts.learnt.labels[others]).mean()) if others.any() else 1.0
    if recall > 0.3:  # it does tell the others apart: there are only few of them
        return None
    names = facts.train.classes or ()
    uneven = facts.chance >= LARGEST
    seen = tr(
        "{answers} % of the answers are class {most}; class {largest} makes up {share} % of the training images; of the "
        "other classes' images {recall} % are right.",
        answers=whole(answers[most]),
        most=names[most],
        largest=names[largest],
        share=whole(facts.chance),
        recall=whole(recall),
    )
    return Finding(
        mark("majority-class"), seen, tr(UNEVEN) if uneven else tr(EVEN), tuple(map(tr, COUNT_RARE if uneven else GET_GOING))
    )


def overfitting(facts: Facts) -> Finding | None:
    """A network that knows its training images much better than new ones."""
    if not facts.is_classification or facts.validation_accuracy is None or facts.not_finite:
        return None
    gap = facts.train_accuracy - facts.validation_accuracy
    if gap < GAP + 2 * facts.uncertainty:
        return None
    found = [cost for cost in facts.history.validation_cost if cost is not None]
    low = min(range(len(found)), key=found.__getitem__) if found else 0
    course = NOTHING
    if found and found[-1] > 1.05 * found[low]:
        course = tr(
            "; the validation loss was lowest after epoch {epoch} ({low:.3g}) and ended at {last:.3g}",
            epoch=low + 1,
            low=found[low],
            last=found[-1],
        )
    seen = tr(
        "{train} % of the training images are right and {validation} % of the validation images{course}; {parameters:,} "
        "parameters, {images:,} training images.",
        train=percent(facts.train_accuracy),
        validation=percent(facts.validation_accuracy),
        course=course,
        parameters=facts.network.flat.size,
        images=len(facts.train),
    )
    return Finding(
        mark("overfitting"),
        seen,
        tr("The network has learnt its training images by heart, more than what they have in common."),
        (
            tr("more images, or changed copies of these: --set training.augmentation.shift=2"),
            tr("stop at the best epoch: --set training.keep=best --set training.patience=5"),
            tr("a penalty on the weights (--set network.regularizer.l2=1e-4), Dropout, or a smaller network"),
        ),
    )


def underfitting(facts: Facts) -> Finding | None:
    """A network that can't do, even for its training images, what comparing pixels can."""
    if not facts.is_classification or facts.not_finite or not facts.falls_short:
        return None
    found = facts.history.train_cost
    if len(found) < 2 and facts.steps < FEW:  # nothing tells that it is at its end
        return None
    if facts.train_accuracy > facts.within_reach - BEHIND or (len(found) > 1 and found[-1] < LEVEL * found[-2]):
        return None
    seen = tr(
        "only {train} % of the training images are right, though comparing pixels with {images} of them gets {near} % of "
        "new ones{costs}; {parameters:,} parameters.",
        train=percent(facts.train_accuracy),
        images=facts.neighbours.images,
        near=percent(facts.neighbours.accuracy),
        costs=costs(facts),
        parameters=facts.network.flat.size,
    )
    return Finding(
        mark("underfitting"),
        seen,
        tr(
            "The network does not learn what is there to be learnt: it is too small for it, or held back by penalties or "
            "dropout."
        ),
        (
            tr("give it more units or layers"),
            tr("lower penalties and dropout"),
            tr(
                "train for longer, at another learning rate (glassnet find-rate): {option}",
                option=f"--epochs {3 * max(1, len(facts.history))}",
            ),
        ),
    )
