"""Rules about the data: what no training can mend."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassnet.data import Dataset
from glassnet.diagnosis.facts import Facts
from glassnet.diagnosis.finding import Finding
from glassnet.diagnosis.pictures import shares, spread, told_apart
from glassnet.layers import BatchNorm, LayerNorm
from glassnet.layers.chain import forward_chain
from glassnet.training.statistics import first_changing

EXPECTED = 5  # pictures of a class that a small set should have, before its absence is more than chance
LARGE, SMALL = 8.0, 0.01  # typical size of the inputs: usual starts of the weights assume about 1, and bear a tenth of it
APART = 0.8  # area under the curve: sets of other writers stay well below, an inverted or shifted set is near 1
OTHER_SHARES = 0.25  # of the pictures that would have to change class for the same proportions
CHECKED = 600  # pictures of each set that are compared
WRONG = 0.06  # of the clear training pictures: real sets have under 0.02 of them
LEVEL = 0.6  # wrong labels lie evenly, among clear pictures as among all; hard pictures lie where neighbours disagree
INFORMED = 0.65  # of what is wrong by lot: above it, pixels tell too little about the labels to contradict them
AT_CHANCE = 0.9  # of what is wrong by lot: above it, they tell nothing at all
MANY = 5  # classes
BY_HEART = 0.9  # of the training pictures right
AGREE = 1.1  # accuracy and wrong labels of one set can't sum to more than 1, but for chance


def missing_classes(facts: Facts) -> Finding | None:
    """A class without a picture in the training part, or in another part that is large enough to have some."""
    if not facts.is_classification:
        return None
    parts = {"training": facts.train, "validation": facts.validation, "test": facts.test}
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
            told.append(f"the {name} part ({len(part)} pictures) has none of class {_list(names)}")
    if not told:
        return None
    return Finding(
        "missing-classes",
        "; ".join(told) + ".",
        "What is not in the training part can't be learnt, and what is not in the other parts is not measured.",
        (
            "divide the data by class, so that each part has its share of each: --set data.split=stratified",
            "look for the missing pictures: are they in another folder, or were they left out as unreadable?",
            "if the class is not wanted at all, take its name out of the data",
        ),
    )


def _other_share(parts: dict[str, Dataset | None], name: str) -> Any:
    found = [shares(part) for other, part in parts.items() if part is not None and other != name]
    return np.max(found, axis=0) if found else 0.0


def unscaled_inputs(facts: Facts) -> Finding | None:
    """Pictures that reach the first weights as large numbers, or as next to nothing."""
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
    large = size > LARGE
    return Finding(
        "unscaled-inputs",
        f"the numbers that reach the first weights have a typical size of {size:.3g} "
        f"(from {float(x.min()):.3g} to {float(x.max()):.3g}); 0 to 1 is usual.",
        "Weights start at sizes that suit inputs of about 1. With larger ones every sum, and every step, is as many "
        "times too large." if large else "Weights start at sizes that suit inputs of about 1. Smaller ones hardly move "
        "what comes after them.",
        (
            "begin the network with Pixels, which brings 0 … 255 to 0 … 1"
            if large
            else "scale once only: Pixels divides whole numbers by 255 and leaves fractions as they are",
            "or with Standardize, which takes mean and spread from the training pictures",
        ),
    )  # fmt: skip


def validation_mismatch(facts: Facts) -> Finding | None:
    """Validation pictures that a straight line tells from training pictures, or classes in other proportions."""
    if facts.validation is None:
        return None
    told = []
    apart = told_apart(spread(facts.train, CHECKED), spread(facts.validation, CHECKED))
    if apart > APART:
        means = [spread(part, CHECKED).images.mean() for part in (facts.train, facts.validation)]
        told.append(
            f"by brightness, contrast and coarse pixels alone, a validation picture is told from a training picture "
            f"{100 * apart:.0f} % of the time (50 % is chance); mean pixel {means[0]:.3g} in training, "
            f"{means[1]:.3g} in validation"
        )
    if facts.is_classification:
        first, second = shares(facts.train), shares(facts.validation)
        moved = float(np.abs(first - second).sum() / 2)
        noise = float(np.sqrt(first * (1 - first) * (1 / len(facts.train) + 1 / len(facts.validation))).sum() / 2)
        if moved > OTHER_SHARES + 2 * noise:
            place = int(np.abs(first - second).argmax())
            name = (facts.train.classes or ())[place]
            told.append(
                f"class {name} makes up {100 * first[place]:.0f} % of the training part and "
                f"{100 * second[place]:.0f} % of the validation part"
            )
    if not told:
        return None
    return Finding(
        "validation-mismatch",
        "; ".join(told) + f"; accuracy {_percent(facts)}." if facts.is_classification else "; ".join(told) + ".",
        "The validation pictures are of another kind than the training pictures, so the network is asked what it was "
        "not taught, and its validation accuracy says little about either.",
        (
            "look at both parts side by side: polarity (ink dark or light), scale, position, source",
            "prepare all pictures by the same steps, and divide them by chance afterwards: --set data.split=stratified",
            "if the difference is real and wanted, teach it: --set training.augmentation.shift=2, or pictures of that kind",
        ),
    )


def noisy_labels(facts: Facts) -> Finding | None:
    """Labels that contradict those of the most similar pictures, among clear pictures as often as among all."""
    if not facts.is_classification or facts.not_finite or len(facts.train) < 50:
        return None
    near = facts.neighbours
    if near.clear_wrong < WRONG or near.clear_wrong < LEVEL * near.wrong:
        return None
    by_lot = 1.0 - float(np.square(shares(facts.train)).sum())  # wrong, if labels had nothing to do with pictures
    if near.wrong > AT_CHANCE * by_lot:
        if not _learns_by_heart_only(facts):
            return None
    elif near.wrong > INFORMED * by_lot or _contradicts(facts):
        return None
    return Finding(
        "noisy-labels",
        f"of the training pictures whose nearest neighbours agree best, {100 * near.clear_wrong:.0f} % carry "
        f"another label than these neighbours ({100 * near.wrong:.0f} % of all); accuracy {_percent(facts)}.",
        "Labels contradict the pictures: they are shuffled against them, or partly wrong. A network can only learn such "
        "labels by heart, which helps with no new picture.",
        (
            "look at pictures beside their labels; check that pictures and labels are read in the same order",
            "correct or leave out the labels that neighbours contradict",
            "where they can't be corrected, stop before they are learnt by heart: --set training.keep=best",
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


def _percent(facts: Facts) -> str:
    found = f"{100 * facts.train_accuracy:.1f} % in training"
    return found if facts.validation_accuracy is None else f"{found}, {100 * facts.validation_accuracy:.1f} % in validation"


def _list(names: list[str]) -> str:
    shown = names[:8]
    return ", ".join(shown) + (f" and {len(names) - 8} others" if len(names) > 8 else "")
