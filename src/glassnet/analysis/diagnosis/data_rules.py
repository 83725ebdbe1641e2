"""Rules about the data: what no training can mend."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassnet.analysis.diagnosis.facts import Facts
from glassnet.analysis.diagnosis.finding import Finding
from glassnet.analysis.diagnosis.images import shares, spread, told_apart
from glassnet.analysis.diagnosis.phrases import accuracies, whole
from glassnet.data import Dataset
from glassnet.nn import BatchNorm, LayerNorm
from glassnet.nn.chain import forward_chain
from glassnet.support.i18n import FULL_STOP, Message, clauses, listing, mark, tr
from glassnet.training.statistics import first_changing

EXPECTED = 5  # images of a class that a small set should have, before its absence is more than chance
LARGE, SMALL = 8.0, 0.01  # typical size of the inputs: usual starts of the weights assume about 1, and bear a tenth of it
APART = 0.8  # area under the curve: sets of other writers stay well below, an inverted or shifted set is near 1
OTHER_SHARES = 0.25  # of the images that would have to change class for the same proportions
CHECKED = 600  # images of each set that are compared
WRONG = 0.06  # of the clear training images: real sets have under 0.02 of them
LEVEL = 0.6  # wrong labels lie evenly, among clear images as among all; hard images lie where neighbours disagree
INFORMED = 0.65  # of what is wrong by lot: above it, pixels tell too little about the labels to contradict them
AT_CHANCE = 0.9  # of what is wrong by lot: above it, they tell nothing at all
MANY = 5  # classes
BY_HEART = 0.9  # of the training images right
AGREE = 1.1  # accuracy and wrong labels of one set can't sum to more than 1, but for chance


TOO_LARGE = mark(
    "Weights start at sizes that suit inputs of about 1. With larger ones every sum, and every step, is as many times too "
    "large."
)
TOO_SMALL = mark("Weights start at sizes that suit inputs of about 1. Smaller ones hardly move what comes after them.")
USE_PIXELS = mark("begin the network with Pixels, which brings 0 … 255 to 0 … 1")
ONCE_ONLY = mark("scale once only: Pixels divides whole numbers by 255 and leaves fractions as they are")


def missing_classes(facts: Facts) -> Finding | None:
    """A class without an image in the training part, or in another part that is large enough to have some."""
    if not facts.is_classification:
        return None
    parts = {mark("training"): facts.train, mark("validation"): facts.validation, mark("test"): facts.test}
    told = []
    typical = shares(facts.train)
    for name, part in parts.items():
        if part is None:
            continue
        absent = part.counts == 0
        if name != "training":
            elsewhere = np.maximum(typical, _other_share(parts, name))
            absent &= elsewhere * len(part) >= EXPECTED
        if absent.any():
            names = [str((part.classes or ())[place]) for place in np.flatnonzero(absent)]
            told.append(
                tr(
                    "the {part} part ({count} images) has none of class {names}",
                    part=tr(name),
                    count=len(part),
                    names=_listing(names),
                )
            )
    if not told:
        return None
    return Finding(
        mark("missing-classes"),
        clauses(told) + FULL_STOP,
        tr("What is not in the training part can't be learnt, and what is not in the other parts is not measured."),
        (
            tr("divide the data by class, so that each part has its share of each: --set data.split=stratified"),
            tr("look for the missing images: are they in another folder, or were they left out as unreadable?"),
            tr("if the class is not wanted at all, take its name out of the data"),
        ),
    )


def _other_share(parts: dict[str, Dataset | None], name: str) -> Any:
    found = [shares(part) for other, part in parts.items() if part is not None and other != name]
    return np.max(found, axis=0) if found else 0.0


def unscaled_inputs(facts: Facts) -> Finding | None:
    """Images that reach the first weights as large numbers, or as next to nothing, of which a network learns too little."""
    found = _size_of_inputs(facts)
    if found is None or not facts.falls_short:
        return None
    size, seen = found
    large = size > LARGE
    standardize = tr("or with Standardize, which takes mean and spread from the training images")
    return Finding(
        mark("unscaled-inputs"),
        seen + FULL_STOP,
        tr(TOO_LARGE) if large else tr(TOO_SMALL),
        (tr(USE_PIXELS) if large else tr(ONCE_ONLY), standardize),
    )


def learns_unscaled(facts: Facts) -> tuple[Message, ...]:
    """A remark about such images where the network learns them all the same: its start and its rate suit them."""
    found = _size_of_inputs(facts)
    if found is None or facts.falls_short:
        return ()
    more = tr(". The network learns all the same; with scaled pixels it would bear other starts and learning rates too.")
    return (found[1] + more,)


def _size_of_inputs(facts: Facts) -> tuple[float, Message] | None:
    """The typical size of what reaches the first weights, and a clause on it; None where it is usual, or normalised."""
    network = facts.network
    first = first_changing(network)
    if not facts.weights or any(isinstance(layer, (BatchNorm, LayerNorm)) for layer in network.layers[first : first + 1]):
        return None
    some = spread(facts.train, 200)
    rows = network.rows(some.images)
    x = forward_chain(network.layers[:first], rows.reshape(len(rows), *network.input_shape), network.dtype)[0]
    size = float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))
    if SMALL <= size <= LARGE or size == 0:
        return None
    seen = tr(
        "the numbers that reach the first weights have a typical size of {size:.3g} (from {low:.3g} to {high:.3g}); 0 to 1 "
        "is usual",
        size=size,
        low=float(x.min()),
        high=float(x.max()),
    )
    return size, seen


def validation_mismatch(facts: Facts) -> Finding | None:
    """Validation images that a straight line tells from training images, or classes in other proportions."""
    if facts.validation is None:
        return None
    told = []
    apart = told_apart(spread(facts.train, CHECKED), spread(facts.validation, CHECKED))
    if apart > APART:
        means = [spread(part, CHECKED).images.mean() for part in (facts.train, facts.validation)]
        by_looks = tr(
            "by brightness, contrast and coarse pixels alone, a validation image is told from a training image {apart} % of "
            "the time (50 % is chance); mean pixel {train:.3g} in training, {validation:.3g} in validation",
            apart=whole(apart),
            train=means[0],
            validation=means[1],
        )
        told.append(by_looks)
    if facts.is_classification:
        first, second = shares(facts.train), shares(facts.validation)
        moved = float(np.abs(first - second).sum() / 2)
        noise = float(np.sqrt(first * (1 - first) * (1 / len(facts.train) + 1 / len(facts.validation))).sum() / 2)
        if moved > OTHER_SHARES + 2 * noise:
            place = int(np.abs(first - second).argmax())
            name = (facts.train.classes or ())[place]
            by_share = tr(
                "class {name} makes up {train} % of the training part and {validation} % of the validation part",
                name=name,
                train=whole(first[place]),
                validation=whole(second[place]),
            )
            told.append(by_share)
    if not told:
        return None
    if facts.is_classification:
        told.append(tr("accuracy {told}", told=accuracies(facts)))
    return Finding(
        mark("validation-mismatch"),
        clauses(told) + FULL_STOP,
        tr(
            "The validation images are of another kind than the training images, so the network is asked what it was not "
            "taught, and its validation accuracy says little about either."
        ),
        (
            tr("look at both parts side by side: polarity (ink dark or light), scale, position, source"),
            tr("prepare all images by the same steps, and divide them by chance afterwards: --set data.split=stratified"),
            tr("if the difference is real and wanted, teach it: --set training.augmentation.shift=2, or images of that kind"),
        ),
    )


def noisy_labels(facts: Facts) -> Finding | None:
    """Labels that contradict those of the most similar images, among clear images as often as among all."""
    if not facts.is_classification or facts.not_finite or len(facts.train) < 50:
        return None
    near = facts.neighbours
    if near.clear_wrong < WRONG or near.clear_wrong < LEVEL * near.wrong:
        return None
    by_lot = 1.0 - float(np.square(shares(facts.train)).sum())  # wrong, if labels had nothing to do with images
    if near.wrong > AT_CHANCE * by_lot:
        if not _learns_by_heart_only(facts):
            return None
    elif near.wrong > INFORMED * by_lot or _contradicts(facts):
        return None
    seen = tr(
        "of the training images whose nearest neighbours agree best, {clear} % carry another label than these neighbours "
        "({wrong} % of all); accuracy {told}.",
        clear=whole(near.clear_wrong),
        wrong=whole(near.wrong),
        told=accuracies(facts),
    )
    return Finding(
        mark("noisy-labels"),
        seen,
        tr(
            "Labels contradict the images: they are shuffled against them, or partly wrong. A network can only learn such "
            "labels by heart, which helps with no new image."
        ),
        (
            tr("look at images beside their labels; check that images and labels are read in the same order"),
            tr("correct or leave out the labels that neighbours contradict"),
            tr("where they can't be corrected, stop before they are learnt by heart: --set training.keep=best"),
        ),
    )


def _learns_by_heart_only(facts: Facts) -> bool:
    """Whether the network finds nothing either where neighbours find nothing, so that it can't be for lack of likeness.

    Photographs of two kinds are hardly alike in their pixels, of many classes they always are a little.
    """
    found = facts.validation_accuracy
    if found is not None and found > facts.chance + 2 * facts.uncertainty:
        return False
    return len(facts.train.counts) >= MANY or (found is not None and facts.train_accuracy > BY_HEART)


def _contradicts(facts: Facts) -> bool:
    """Whether the network is right more often than it could be if so many validation labels were wrong."""
    near, found = facts.neighbours, facts.validation_accuracy
    if found is None or near.held_out_wrong is None or near.held_out_wrong < near.clear_wrong / 2:
        return False
    return found + near.held_out_wrong > AGREE + 2 * facts.uncertainty


def _listing(names: list[str]) -> Message:
    shown = listing(names[:8])
    more = len(names) - 8
    return shown if more <= 0 else shown + tr(" and {more} others", more=more)
