"""Rules about the network before its first step: starts from which nothing good can come, and units that say nothing."""

from __future__ import annotations

import numpy as np

from glassnet.analysis.diagnosis.facts import Facts
from glassnet.analysis.diagnosis.finding import Finding
from glassnet.analysis.diagnosis.phrases import CLIP, SMALLER_START, outcome, set_rate, whole
from glassnet.support.i18n import NOTHING, Message, mark, tr
from glassnet.training.statistics import Statistics

ALIKE = 1e-3  # relative difference between the weights of two units, above rounding and below what chance gives
LONG = 100.0  # gradient norm: with scaled images and a usual start it is about 1, of deep networks about 10
GROWTH = 300.0  # from the last weights back to the first, or the other way round
SATURATED = 0.9  # of a layer's outputs; the tutorial's own start, N(0,1) weights, has up to 0.7 and learns
DEAD = 0.6  # of a layer's units; one in five is common in networks that learn well


BEFORE, AFTER = mark("before the first step"), mark("after training")


def symmetric_start(facts: Facts) -> Finding | None:
    """Units of a hidden layer that all have the same weights."""
    for slot in facts.weights[:-1]:
        weight = slot.part(facts.network.flat).reshape(-1, slot.shape[-1]).astype(np.float64)
        if not slot.key.endswith("weight") or weight.shape[1] < 2 or not np.isfinite(weight).all():
            continue
        size = float(np.abs(weight).max())
        apart = float(np.ptp(weight, axis=1).max())
        if apart <= ALIKE * size:
            layer = slot.name.rpartition(".")[0]
            alike = tr(", all zero.") if size == 0 else tr(", to within {apart:.1g} of their size.", apart=apart / size)
            seen = tr("all {count} units of {layer} have the same weights", count=weight.shape[1], layer=layer)
            return Finding(
                mark("symmetric-start"),
                seen + alike + outcome(facts),
                tr(
                    "Units that start equal get equal gradients and stay equal for ever: the layer is as good as a single "
                    "unit."
                ),
                (
                    tr(
                        "let chance set the weights: initializer HeNormal before a ReLU, GlorotUniform before sigmoid or tanh"
                    ),
                    tr("zeros are right for biases only"),
                ),
            )
    return None


def exploding_gradients(facts: Facts) -> Finding | None:
    """A gradient that is huge at the very first step, though the images are scaled."""
    length, found = facts.start_gradient, facts.start_gradients
    if not facts.falls_short or length is None or not found:
        return None
    if np.isfinite(length) and length < LONG:
        return None
    names = list(found)
    seen = tr(
        "at the first step the gradient of all weights has the length {length:.3g} (about 1 is usual); a typical one of "
        "{first} is {at_first:.3g}, of {last} {at_last:.3g}.",
        length=length,
        first=names[0],
        at_first=found[names[0]],
        last=names[-1],
        at_last=found[names[-1]],
    )
    return Finding(
        mark("exploding-gradients"),
        seen + outcome(facts),
        tr(
            "On its way through the layers the signal is multiplied by weights that are too large, so that it, and the "
            "gradient, grow from layer to layer: each step throws the weights far off."
        ),
        (
            tr(SMALLER_START),
            tr(CLIP),
            tr("put BatchNorm or LayerNorm between the layers"),
        ),
    )


def vanishing_gradients(facts: Facts) -> Finding | None:
    """A gradient of which next to nothing arrives at the first weights."""
    found = facts.start_gradients
    if not facts.is_stuck or len(found) < 3:
        return None
    names = list(found)
    first, last = found[names[0]], found[names[-1]]
    if not last > 0 or first * GROWTH > last:
        return None
    seen = tr(
        "at the first step a typical gradient of {last}, the last weights, is {at_last:.2g}, and of {first}, the first, "
        "{at_first:.2g}: {times:.3g} times less, over {count} layers.",
        last=names[-1],
        at_last=last,
        first=names[0],
        at_first=first,
        times=last / first if first else np.inf,
        count=len(names),
    )
    return Finding(
        mark("vanishing-gradients"),
        seen + outcome(facts),
        tr(
            "Each layer passes on only a part of the gradient (a sigmoid a quarter at most), so that over many layers "
            "nothing is left of it, and the first layers stay as they were."
        ),
        (
            tr("use ReLU with initializer HeNormal instead of sigmoid or tanh between the layers"),
            tr("take fewer layers, or Residual ones, whose short cut passes the gradient on whole"),
            tr("put BatchNorm between the layers"),
        ),
    )


def saturated_at_start(facts: Facts) -> Finding | None:
    return _saturated(facts, facts.start_activations, tr(BEFORE))


def saturated_now(facts: Facts) -> Finding | None:
    return _saturated(facts, facts.end_activations, tr(AFTER))


def dead_at_start(facts: Facts) -> Finding | None:
    return _dead(facts, facts.start_activations, tr(BEFORE))


def dead_now(facts: Facts) -> Finding | None:
    return _dead(facts, facts.end_activations, tr(AFTER))


def _saturated(facts: Facts, activations: Statistics, when: Message) -> Finding | None:
    """Sigmoids or tanhs of a hidden layer that nearly all lie at their bounds."""
    layer, share = _worst(facts, activations, "saturated")
    if share < SATURATED or not facts.falls_short:
        return None
    seen = tr(
        "{share} % of the outputs of {layer} lie within a hundredth of their bounds {when}{then}.",
        share=whole(share),
        layer=layer,
        when=when,
        then=_then(facts, layer, "saturated"),
    )
    return Finding(
        mark("saturated-units"),
        seen + outcome(facts),
        tr(
            "There the curve is flat: a change of the weights changes nothing, so the gradient is almost zero and the layer "
            "learns almost nothing. The sums that reach these units are too large."
        ),
        (
            tr("start with smaller weights: initializer GlorotUniform, which takes the number of inputs into account"),
            tr("check that the images are scaled to 0 … 1"),
            tr("use ReLU with initializer HeNormal between the layers, and a cross-entropy loss at the end"),
        ),
    )


def _dead(facts: Facts, activations: Statistics, when: Message) -> Finding | None:
    """ReLUs of a hidden layer of which most give zero for every image."""
    layer, share = _worst(facts, activations, "dead")
    if share < DEAD or not facts.falls_short:
        return None
    seen = tr(
        "{share} % of the units of {layer} give zero for every image looked at {when}{then}.",
        share=whole(share),
        layer=layer,
        when=when,
        then=_then(facts, layer, "dead"),
    )
    return Finding(
        mark("dead-relus"),
        seen + outcome(facts),
        tr("A ReLU that gives zero for every image has no slope, gets no gradient, and never comes back."),
        (
            tr("start with initializer HeNormal and biases of zero"),
            tr("lower the learning rate") + set_rate(facts, 0.1),
            tr("use LeakyReLU or GELU, which keep a slope below zero"),
        ),
    )


def _worst(facts: Facts, activations: Statistics, what: str) -> tuple[str, float]:
    """The hidden layer with the largest share."""
    last = facts.network.names[-1]
    return max(((name, found[what]) for name, found in activations.items() if what in found and name != last),
               key=lambda pair: pair[1], default=("", 0.0))  # fmt: skip


def _then(facts: Facts, layer: str, what: str) -> Message:
    start, end = facts.start_activations.get(layer, {}).get(what), facts.end_activations.get(layer, {}).get(what)
    if start is None or end is None:
        return NOTHING
    return tr(" ({start} % at first, {end} % at last)", start=whole(start), end=whole(end))
