"""Rules about the data."""

from __future__ import annotations

import numpy as np

from glassnet.analysis.diagnosis.facts import Facts
from glassnet.analysis.diagnosis.finding import Finding
from glassnet.analysis.diagnosis.images import separability, shares, spread
from glassnet.analysis.diagnosis.phrases import AUGMENT, STANDARDIZE, STRATIFY, USE_PIXELS, accuracies, whole
from glassnet.nn import BatchNorm, LayerNorm
from glassnet.nn.chain import forward_chain
from glassnet.support.i18n import FULL_STOP, NOTHING, Message, clauses, listing, mark, tr
from glassnet.training.statistics import first_changing

EXPECTED = 5  # images of a class in a part of this size, from which on its absence is not chance
LARGE, SMALL = 8.0, 0.01  # RMS of the inputs: initializers assume about 1, and tolerate a tenth of it
APART = 0.8  # area under the ROC curve: sets of other writers stay well below, an inverted or shifted set is near 1
OTHER_SHARES = 0.25  # of the images that would have to change class for the same proportions
CHECKED = 600  # images of each set that are compared
WRONG = 0.06  # of the clear training images: real sets have under 0.02 of them
LEVEL = 0.6  # wrong labels are as frequent among clear images as among all; hard images are where neighbours disagree
INFORMED = 0.65  # of the error rate of random guessing: above it, pixels say too little about the labels to contradict them
AT_CHANCE = 0.9  # of the error rate of random guessing: above it, they say nothing at all
MANY = 5  # classes
MEMORIZED = 0.9  # training accuracy
AGREE = 1.1  # accuracy and share of wrong labels of one set can't sum to more than 1, but for chance

TOO_LARGE = mark("Initializers assume inputs of about 1. Larger inputs make all activations and steps too large.")
TOO_SMALL = mark("Initializers assume inputs of about 1. Smaller inputs hardly affect the layers after them.")
ONCE_ONLY = mark("scale only once: Pixels divides integers by 255 and leaves floats as they are")


def missing_classes(facts: Facts) -> Finding | None:
    """A class has no image in the training part, or in another part that is large enough to have some."""
    if not facts.is_classification:
        return None
    parts = {mark("training"): facts.train, mark("validation"): facts.validation, mark("test"): facts.test}
    given = {name: part for name, part in parts.items() if part is not None}
    found = []
    for name, part in given.items():
        absent = part.counts == 0
        if name != "training":
            elsewhere = np.max([shares(other) for key, other in given.items() if key != name], axis=0)
            absent &= elsewhere * len(part) >= EXPECTED
        if absent.any():
            names = [(part.classes or ())[index] for index in np.flatnonzero(absent)]
            more = tr(" and {more} others", more=len(names) - 8) if len(names) > 8 else NOTHING
            text = (
                mark("the {part} part (1 image) has no images of class {names}")
                if len(part) == 1
                else mark("the {part} part ({count} images) has no images of class {names}")
            )
            found.append(tr(text, part=tr(name), count=len(part), names=listing(names[:8]) + more))
    if not found:
        return None
    return Finding(
        mark("missing-classes"),
        clauses(found) + FULL_STOP,
        tr("A class without training images can't be learnt; one without validation or test images is not measured."),
        (
            tr(STRATIFY),
            tr("look for the missing images: are they in another folder, or were they skipped as unreadable?"),
            tr("if the class is not needed, remove its name from the data"),
        ),
    )


def unscaled_inputs(facts: Facts) -> Finding | None:
    """The inputs of the first weights are very large or very small, and the network learns too little."""
    found = _size_of_inputs(facts)
    if found is None or not facts.falls_short:
        return None
    size, seen = found
    cause, step = (TOO_LARGE, USE_PIXELS) if size > LARGE else (TOO_SMALL, ONCE_ONLY)
    return Finding(mark("unscaled-inputs"), seen + FULL_STOP, tr(cause), (tr(step), tr(STANDARDIZE)))


def learns_unscaled(facts: Facts) -> tuple[Message, ...]:
    """A remark about such inputs where the network learns all the same: its initial weights and learning rate suit them."""
    found = _size_of_inputs(facts)
    if found is None or facts.falls_short:
        return ()
    more = tr(". The network learns all the same; with scaled pixels, other initializers and learning rates work too.")
    return (found[1] + more,)


def _size_of_inputs(facts: Facts) -> tuple[float, Message] | None:
    """The RMS of the inputs of the first weights, and a clause on it; None where it is usual or they are normalized."""
    network = facts.network
    first = first_changing(network)
    if not facts.weights or any(isinstance(layer, (BatchNorm, LayerNorm)) for layer in network.layers[first : first + 1]):
        return None
    rows = network.rows(spread(facts.train, 200).images)
    x = forward_chain(network.layers[:first], rows.reshape(len(rows), *network.input_shape), network.dtype)[0]
    size = float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))
    if SMALL <= size <= LARGE or size == 0:
        return None
    text = mark("the inputs of the first weights have an RMS of {size:.3g} (from {low:.3g} to {high:.3g}); 0 to 1 is usual")
    return size, tr(text, size=size, low=float(x.min()), high=float(x.max()))


def validation_mismatch(facts: Facts) -> Finding | None:
    """A linear classifier can separate validation from training images, or the classes have other proportions."""
    if facts.validation is None:
        return None
    found = []
    some = [spread(part, CHECKED) for part in (facts.train, facts.validation)]
    apart = separability(*some)
    if apart > APART:
        text = mark(
            "a linear classifier on brightness, contrast and coarse pixels separates validation from training images with an "
            "AUC of {apart:.2f} (0.50 is chance); mean pixel {train:.3g} in training, {validation:.3g} in validation"
        )
        found.append(tr(text, apart=apart, train=some[0].images.mean(), validation=some[1].images.mean()))
    if facts.is_classification:
        first, second = shares(facts.train), shares(facts.validation)
        moved = float(np.abs(first - second).sum() / 2)
        noise = float(np.sqrt(first * (1 - first) * (1 / len(facts.train) + 1 / len(facts.validation))).sum() / 2)
        if moved > OTHER_SHARES + 2 * noise:
            most = int(np.abs(first - second).argmax())
            text = mark("class {name} makes up {train} % of the training part and {validation} % of the validation part")
            name = (facts.train.classes or ())[most]
            found.append(tr(text, name=name, train=whole(first[most]), validation=whole(second[most])))
    if not found:
        return None
    if facts.is_classification:
        found.append(tr("accuracy {shares}", shares=accuracies(facts)))
    return Finding(
        mark("validation-mismatch"),
        clauses(found) + FULL_STOP,
        tr("Training and validation images differ in kind, so the validation accuracy does not measure what was learnt."),
        (
            tr("compare images of both parts: polarity (dark or light ink), scale, position, source"),
            tr("preprocess all images in the same way"),
            tr(STRATIFY),
            tr("if the difference is intended, train on such images"),
            tr(AUGMENT),
        ),
    )


def noisy_labels(facts: Facts) -> Finding | None:
    """Labels contradict those of the most similar images, among clear images as often as among all."""
    if not facts.is_classification or facts.not_finite or len(facts.train) < 50:
        return None
    near = facts.neighbours
    if near.clear_wrong < WRONG or near.clear_wrong < LEVEL * near.wrong:
        return None
    at_random = 1.0 - float(np.square(shares(facts.train)).sum())  # error rate, if labels had nothing to do with images
    if near.wrong > AT_CHANCE * at_random:
        if not _only_memorizes(facts):
            return None
    elif near.wrong > INFORMED * at_random or _contradicts(facts):
        return None
    text = mark(
        "of the training images whose nearest neighbours agree most, {clear} % have another label than these neighbours "
        "({wrong} % of all training images); accuracy {shares}."
    )
    return Finding(
        mark("noisy-labels"),
        tr(text, clear=whole(near.clear_wrong), wrong=whole(near.wrong), shares=accuracies(facts)),
        tr("Labels are shuffled or partly wrong. A network can only memorize such labels, which does not generalize."),
        (
            tr("look at images with their labels; check that images and labels are read in the same order"),
            tr("correct or remove the labels that neighbours contradict"),
            tr("if they can't be corrected, stop before they are memorized: --set training.keep=best"),
        ),
    )


def _only_memorizes(facts: Facts) -> bool:
    """Whether the network finds nothing where neighbours find nothing, so that it can't be for lack of similarity.

    Photographs of two kinds are hardly similar in their pixels, those of many classes always are a little.
    """
    found = facts.validation_accuracy
    if found is not None and found > facts.chance + 2 * facts.uncertainty:
        return False
    return len(facts.train.counts) >= MANY or (found is not None and facts.train_accuracy > MEMORIZED)


def _contradicts(facts: Facts) -> bool:
    """Whether the network is right more often than it could be if so many validation labels were wrong."""
    near, found = facts.neighbours, facts.validation_accuracy
    if found is None or near.held_out_wrong is None or near.held_out_wrong < near.clear_wrong / 2:
        return False
    return found + near.held_out_wrong > AGREE + 2 * facts.uncertainty
