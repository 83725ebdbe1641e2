"""Rules about the initial weights, and about units whose derivative is zero, before the first step or after training."""

from __future__ import annotations

import numpy as np

from glassnet.analysis.diagnosis.facts import Facts
from glassnet.analysis.diagnosis.finding import Finding
from glassnet.analysis.diagnosis.phrases import BATCH_NORM, CHECK_SCALE, CLIP, SMALLER_START, outcome, set_rate, whole
from glassnet.support.i18n import FULL_STOP, listing, mark, tr
from glassnet.training.statistics import Statistics

ALIKE = 1e-3  # relative difference between the weights of two units, above rounding and below that of random weights
LONG = 100.0  # gradient norm: with scaled images and a usual initializer it is about 1, in deep networks about 10
GROWTH = 300.0  # ratio of the gradients of the last and the first weights

BEFORE, AFTER = mark("{share} % before the first step"), mark("{share} % after training")
SATURATED = mark("saturated-units"), mark("outputs of {layer} within 1 % of their bounds: {shares}.")
WHY_SATURATED = mark("The inputs of these units are too large. Their derivative is almost zero, so the layer hardly learns.")
TRY_SATURATED = (
    mark("start with smaller weights: initializer GlorotUniform, which depends on the number of inputs"),
    CHECK_SCALE,
    mark("use ReLU with initializer HeNormal in the hidden layers, and a cross-entropy loss"),
)
LOWER = mark("lower the learning rate{option}")
DEAD = mark("dead-relus"), mark("units of {layer} that output zero for every image checked: {shares}.")
WHY_DEAD = mark("A ReLU that outputs zero for every image has zero gradient, so its weights are no longer updated.")
TRY_DEAD = (
    mark("use initializer HeNormal, and start the biases at zero"),
    LOWER,
    mark("use LeakyReLU or GELU, whose derivative is not zero for negative inputs"),
)
INACTIVE = {  # by statistic: the share of the outputs or units from which on it is a finding, and its texts
    "saturated": (0.9, SATURATED, WHY_SATURATED, TRY_SATURATED),  # the tutorial's N(0,1) weights have up to 0.7 and learn
    "dead": (0.6, DEAD, WHY_DEAD, TRY_DEAD),  # one in five is common in networks that learn well
}


def symmetric_start(facts: Facts) -> Finding | None:
    """All units of a hidden layer have the same weights."""
    for slot in facts.weights[:-1]:
        weight = slot.part(facts.network.flat).reshape(-1, slot.shape[-1]).astype(np.float64)
        if not slot.key.endswith("weight") or weight.shape[1] < 2 or not np.isfinite(weight).all():
            continue
        size, apart = float(np.abs(weight).max()), float(np.ptp(weight, axis=1).max())
        if apart <= ALIKE * size:
            layer = slot.name.rpartition(".")[0]
            alike = tr(", to within {apart:.1g} of their size.", apart=apart / size) if apart else FULL_STOP
            if size == 0:
                alike = tr(", all zero.")
            seen = tr("all {count} units of {layer} have the same weights", count=weight.shape[1], layer=layer)
            return Finding(
                mark("symmetric-start"),
                seen + alike + outcome(facts),
                tr("Units with equal weights get equal gradients and stay equal: the layer is no better than a single unit."),
                (
                    tr("start with random weights: initializer HeNormal before a ReLU, GlorotUniform before sigmoid or tanh"),
                    tr("only biases may start at zero"),
                ),
            )
    return None


def exploding_gradients(facts: Facts) -> Finding | None:
    """The gradient at the first step is very large."""
    norm, found = facts.start_gradient, list(facts.start_gradients.items())
    if not facts.falls_short or norm is None or norm < LONG:
        return None
    (first, at_first), (last, at_last) = found[0], found[-1]
    text = mark(
        "at the first step the gradient norm is {norm:.3g} (about 1 is usual); the RMS gradient is {at_first:.3g} for "
        "{first} and {at_last:.3g} for {last}."
    )
    return Finding(
        mark("exploding-gradients"),
        tr(text, norm=norm, first=first, at_first=at_first, last=last, at_last=at_last) + outcome(facts),
        tr("The weights are too large: activations and gradients grow from layer to layer, and each step is far too large."),
        (tr(SMALLER_START), tr(CLIP), tr(BATCH_NORM)),
    )


def vanishing_gradients(facts: Facts) -> Finding | None:
    """Almost none of the gradient reaches the first layer."""
    found = list(facts.start_gradients.items())
    if not facts.is_stuck or len(found) < 3:
        return None
    (first, at_first), (last, at_last) = found[0], found[-1]
    if not at_last > 0 or at_first * GROWTH > at_last:
        return None
    times = at_last / at_first if at_first else np.inf
    text = mark(
        "at the first step the RMS gradient is {at_last:.2g} for the last weights, {last}, and {at_first:.2g} for the first, "
        "{first}: {times:.3g} times smaller, over {count} layers."
    )
    seen = tr(text, last=last, at_last=at_last, first=first, at_first=at_first, times=times, count=len(found))
    return Finding(
        mark("vanishing-gradients"),
        seen + outcome(facts),
        tr(
            "Each layer reduces the gradient (a sigmoid to a quarter or less), so almost none of it is left for the first "
            "layers, and they do not learn."
        ),
        (
            tr("use ReLU with initializer HeNormal instead of sigmoid or tanh in the hidden layers"),
            tr("use fewer layers, or Residual blocks, whose shortcut passes the gradient on unchanged"),
            tr(BATCH_NORM),
        ),
    )


def saturated_at_start(facts: Facts) -> Finding | None:
    return _inactive(facts, "saturated", facts.start_activations)


def saturated_now(facts: Facts) -> Finding | None:
    return _inactive(facts, "saturated", facts.end_activations)


def dead_at_start(facts: Facts) -> Finding | None:
    return _inactive(facts, "dead", facts.start_activations)


def dead_now(facts: Facts) -> Finding | None:
    return _inactive(facts, "dead", facts.end_activations)


def _inactive(facts: Facts, what: str, activations: Statistics) -> Finding | None:
    """Most units of a hidden layer are saturated, or dead; of the layer with the largest share."""
    least, (name, text), why, steps = INACTIVE[what]
    shares = {layer: found[what] for layer, found in activations.items() if what in found}
    shares.pop(facts.network.names[-1], None)
    layer = max(shares, key=shares.__getitem__, default="")
    if not layer or shares[layer] < least or not facts.falls_short:
        return None
    times = {BEFORE: facts.start_activations, AFTER: facts.end_activations}
    seen = listing(tr(when, share=whole(x[layer][what])) for when, x in times.items() if what in x.get(layer, {}))
    kept = [step for step in steps if step != LOWER or facts.rate_factor < 1]
    advice = tuple(tr(step, option=set_rate(facts)) for step in kept)
    return Finding(name, tr(text, layer=layer, shares=seen) + outcome(facts), tr(why), advice)
