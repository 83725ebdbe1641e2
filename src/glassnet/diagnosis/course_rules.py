"""Rules about the course of a training: its steps, too large, too small or too few, and what came of them."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite

from glassnet.diagnosis.facts import Facts
from glassnet.diagnosis.finding import Finding

THROWN = 0.3  # of a weight matrix's length, changed in one step: useful steps change a hundredth or less, early ones a tenth
RISEN = 1.0  # times the cost at the start: above it, the steps did harm
TINY = 1e-4  # of a weight matrix's length, changed in one step: ten thousand of them would be needed to replace it
USEFUL = 3e-3  # what a step may well change
FEW = 1000  # steps: networks of this kind take some thousands
FALLING = 0.01  # of the cost, that the last epoch still gained
ONE_CLASS = 0.95  # of the answers
LARGEST = 0.6  # share of a class from which on answering it always is tempting
BEHIND = 0.12  # below what comparing pixels tells, on training pictures: unlucky starts that still learn stay within
LEVEL = 0.99  # of the cost of the epoch before: with less, the training is not at its end
GAP = 0.1  # between training and validation accuracy; large sets have a hundredth or two


def non_finite_cost(facts: Facts) -> Finding | None:
    """A cost that became infinite or NaN."""
    if not facts.not_finite:
        return None
    where = facts.history.stopped or "the cost of an epoch is not finite"
    steps = f", {len(facts.history)} whole epochs" + ("" if facts.rate is None else f" at a learning rate of {facts.rate:g}")
    return Finding(
        "non-finite-cost",
        f"{where.split(': ')[0].split('. ')[0]}{steps}.",
        "The weights grew without bound until numbers overflowed: each step went past the valley and up its other side, "
        "higher than it had been.",
        (
            f"lower the learning rate tenfold{facts.set_rate(0.1)}",
            "shorten long gradients: --set optimizer.clip_norm=1",
            "check that the pictures are scaled to 0 … 1; find a good rate with glassnet find-rate",
        ),
    )


def learning_rate_too_high(facts: Facts) -> Finding | None:
    """Steps that change the weights by a good part of themselves, and a network that is the worse for it."""
    change = max([facts.first_change or 0.0, *facts.changes])
    if not facts.falls_short or not (change > THROWN or not isfinite(change)):
        return None
    start = facts.start_cost
    epochs = facts.history.train_cost
    course = (
        f"; the cost was {start:.3g} before the first step and {epochs[-1]:.3g} in the last epoch" if start and epochs else ""
    )
    return Finding(
        "learning-rate-too-high",
        f"a single step changed a weight matrix by {100 * change:.0f} % of its length (1 % and less is usual"
        + ("" if facts.rate is None else f"; the learning rate is {facts.rate:g}") + f"){course}." + _outcome(facts),
        "The steps are too long: instead of going down the valley of the cost they jump across it"
        + _flat(facts) + ".",
        (
            f"lower the learning rate{facts.set_rate(min(0.1, 0.03 / change))}",
            "or let glassnet find-rate suggest one",
            "raise it slowly at first: WarmUp, or OneCycle over the whole training",
        ),
    )  # fmt: skip


def _flat(facts: Facts) -> str:
    """Where the first steps have thrown the units, if that shows."""
    for name, found in facts.end_activations.items():
        start = facts.start_activations.get(name, {})
        for what, words in (("saturated", "where its curve is flat"), ("dead", "where it gives zero for every picture")):
            if found.get(what, 0) > 0.8 and found[what] > start.get(what, 0) + 0.1:
                return f", and have thrown {100 * found[what]:.0f} % of {name} to {words}, so that nothing is learnt any more"
    return ""


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
    return Finding(
        "learning-rate-too-low",
        f"no recorded step changed a weight matrix by more than {max(changes):.1g} of its length (1e-3 to 1e-2 is usual"
        + ("" if facts.rate is None else f"; the learning rate is {facts.rate:g}") + f"), over {facts.steps} steps"
        + _costs(facts) + "." + _outcome(facts),
        "The steps are so short that the training hardly leaves its start.",
        (
            f"raise the learning rate tenfold or more{facts.set_rate(min(1e4, max(10.0, USEFUL / max(changes))))}",
            "or let glassnet find-rate suggest one",
        ),
    )  # fmt: skip


def too_few_steps(facts: Facts) -> Finding | None:
    """A cost that was still falling when the training ended, after few steps."""
    costs = facts.history.train_cost
    if not costs or not facts.steps or facts.steps >= FEW or not facts.falls_short:
        return None
    before, after = (costs[-2], costs[-1]) if len(costs) > 1 else (facts.start_cost, facts.end_cost)
    if before is None or after > (1 - FALLING) * before:
        return None
    if facts.is_classification and facts.train_accuracy > facts.within_reach:
        return None
    return Finding(
        "too-few-steps",
        f"{facts.steps} steps in all, in {len(costs)} epoch{'s' if len(costs) > 1 else ''}; in the last one the "
        f"cost still fell, from {before:.3g} to {after:.3g}." + _outcome(facts),
        "The training ended while it was still learning.",
        (
            f"train for longer: --epochs {_more_epochs(facts)}",
            "take smaller mini-batches, which give more steps an epoch: --set training.batch_size=32",
        ),
    )


def _more_epochs(facts: Facts) -> int:
    each = max(1, facts.steps // len(facts.history))
    return max(3 * len(facts.history), -(-2 * FEW // each))


def majority_class_of_many(facts: Facts) -> Finding | None:
    """A network that always answers the class that most pictures have."""
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
    return Finding(
        "majority-class",
        f"{100 * answers[most]:.0f} % of the answers are class {names[most]}; class {names[largest]} makes up "
        f"{100 * facts.chance:.0f} % of the training pictures; of the other classes' pictures "
        f"{100 * recall:.0f} % are right.",
        "One class is so frequent that answering it always is nearly the lowest cost, and the accuracy looks good "
        "without anything being learnt."
        if uneven
        else "The network gives one answer to everything: it has found the shares of the classes, nothing in the pictures.",
        (
            "let rare classes count more: --set training.class_weight=balanced",
            "look at the accuracy of each class, not at the mean: glassnet evaluate tells it",
            "collect more pictures of the rare classes",
        )
        if uneven
        else (
            "try another learning rate, ten times higher and ten times lower: glassnet find-rate suggests one",
            "lower penalties on the weights, which can hold them at zero",
            "hold the gradients against their definition: glassnet check",
        ),
    )  # fmt: skip


def overfitting(facts: Facts) -> Finding | None:
    """A network that knows its training pictures much better than new ones."""
    if not facts.is_classification or facts.validation_accuracy is None or facts.not_finite:
        return None
    gap = facts.train_accuracy - facts.validation_accuracy
    if gap < GAP + 2 * facts.uncertainty:
        return None
    costs = [cost for cost in facts.history.validation_cost if cost is not None]
    low = min(range(len(costs)), key=costs.__getitem__) if costs else 0
    course = ""
    if costs and costs[-1] > 1.05 * costs[low]:
        course = f"; the validation cost was lowest after epoch {low + 1} ({costs[low]:.3g}) and ended at {costs[-1]:.3g}"
    return Finding(
        "overfitting",
        f"{100 * facts.train_accuracy:.1f} % of the training pictures are right and "
        f"{100 * facts.validation_accuracy:.1f} % of the "
        f"validation pictures{course}; {facts.network.flat.size:,} parameters, {len(facts.train):,} training pictures.",
        "The network has learnt its training pictures by heart, more than what they have in common.",
        (
            "more pictures, or changed copies of these: --set training.augmentation.shift=2",
            "stop at the best epoch: --set training.keep=best --set training.patience=5",
            "a penalty on the weights (--set network.regularizer.l2=1e-4), Dropout, or a smaller network",
        ),
    )


def underfitting(facts: Facts) -> Finding | None:
    """A network that can't do, even for its training pictures, what comparing pixels can."""
    if not facts.is_classification or facts.not_finite or not facts.falls_short:
        return None
    costs = facts.history.train_cost
    if facts.train_accuracy > facts.within_reach - BEHIND or (len(costs) > 1 and costs[-1] < LEVEL * costs[-2]):
        return None
    return Finding(
        "underfitting",
        f"only {100 * facts.train_accuracy:.1f} % of the training pictures are right, though comparing pixels with "
        f"{facts.neighbours.pictures} of them gets {100 * facts.neighbours.accuracy:.1f} % of new ones" + _costs(facts)
        + f"; {facts.network.flat.size:,} parameters.",
        "The network does not learn what is there to be learnt: it is too small for it, or held back by penalties or "
        "dropout.",
        (
            "give it more units or layers",
            "lower penalties and dropout",
            f"train for longer, at another learning rate (glassnet find-rate): --epochs {3 * max(1, len(facts.history))}",
        ),
    )  # fmt: skip


def _costs(facts: Facts) -> str:
    costs = facts.history.train_cost
    return f"; the cost went from {facts.start_cost or costs[0]:.3g} to {costs[-1]:.3g}" if costs else ""


def _outcome(facts: Facts) -> str:
    if not facts.is_classification:
        return ""
    return f" Accuracy {100 * facts.accuracy:.1f} %; comparing pixels alone reaches {100 * facts.within_reach:.1f} %."


Rule = Callable[[Facts], Finding | None]
