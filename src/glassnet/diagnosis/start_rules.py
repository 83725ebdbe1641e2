"""Rules about the network before its first step: starts from which nothing good can come, and units that say nothing."""

from __future__ import annotations

import numpy as np

from glassnet.diagnosis.facts import Facts
from glassnet.diagnosis.finding import Finding
from glassnet.training.statistics import Statistics

ALIKE = 1e-3  # relative difference between the weights of two units, above rounding and below what chance gives
LONG = 100.0  # length of the gradient: with scaled pictures and a usual start it is about 1, of deep networks about 10
GROWTH = 300.0  # from the last weights back to the first, or the other way round
SATURATED = 0.9  # of a layer's outputs; the tutorial's own start, N(0,1) weights, has up to 0.7 and learns
DEAD = 0.6  # of a layer's units; one in five is common in networks that learn well


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
            return Finding(
                "symmetric-start",
                f"all {weight.shape[1]} units of {layer} have the same weights"
                + (", all zero." if size == 0 else f", to within {apart / size:.1g} of their size.")
                + _accuracy(facts),
                "Units that start equal get equal gradients and stay equal for ever: the layer is as good as a single unit.",
                (
                    "let chance set the weights: initializer HeNormal before a ReLU, GlorotUniform before sigmoid or tanh",
                    "zeros are right for biases only",
                ),
            )
    return None


def exploding_gradients(facts: Facts) -> Finding | None:
    """A gradient that is huge at the very first step, though the pictures are scaled."""
    length, found = facts.start_gradient, facts.start_gradients
    if not facts.falls_short or length is None or not found:
        return None
    if np.isfinite(length) and length < LONG:
        return None
    names = list(found)
    return Finding(
        "exploding-gradients",
        f"at the first step the gradient of all weights has the length {length:.3g} (about 1 is usual); "
        f"a typical one of {names[0]} is {found[names[0]]:.3g}, of {names[-1]} {found[names[-1]]:.3g}." + _accuracy(facts),
        "On its way through the layers the signal is multiplied by weights that are too large, so that it, and the "
        "gradient, grow from layer to layer: each step throws the weights far off.",
        (
            "start with smaller weights: initializer HeNormal before a ReLU, GlorotUniform before sigmoid or tanh",
            "shorten long gradients: --set optimizer.clip_norm=1",
            "put BatchNorm or LayerNorm between the layers",
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
    return Finding(
        "vanishing-gradients",
        f"at the first step a typical gradient of {names[-1]}, the last weights, is {last:.2g}, and of "
        f"{names[0]}, the first, {first:.2g}: {last / first if first else np.inf:.3g} times less, over {len(names)} layers."
        + _accuracy(facts),
        "Each layer passes on only a part of the gradient (a sigmoid a quarter at most), so that over many layers "
        "nothing is left of it, and the first layers stay as they were.",
        (
            "use ReLU with initializer HeNormal instead of sigmoid or tanh between the layers",
            "take fewer layers, or Residual ones, whose short cut passes the gradient on whole",
            "put BatchNorm between the layers",
        ),
    )


def saturated_at_start(facts: Facts) -> Finding | None:
    return _saturated(facts, facts.start_activations, "before the first step")


def saturated_now(facts: Facts) -> Finding | None:
    return _saturated(facts, facts.end_activations, "after training")


def dead_at_start(facts: Facts) -> Finding | None:
    return _dead(facts, facts.start_activations, "before the first step")


def dead_now(facts: Facts) -> Finding | None:
    return _dead(facts, facts.end_activations, "after training")


def _saturated(facts: Facts, activations: Statistics, when: str) -> Finding | None:
    """Sigmoids or tanhs of a hidden layer that nearly all lie at their bounds."""
    layer, share = _worst(facts, activations, "saturated")
    if share < SATURATED or not facts.falls_short:
        return None
    return Finding(
        "saturated-units",
        f"{100 * share:.0f} % of the outputs of {layer} lie within a hundredth of their bounds {when}"
        + _then(facts, layer, "saturated") + "." + _accuracy(facts),
        "There the curve is flat: a change of the weights changes nothing, so the gradient is almost zero and the layer "
        "learns almost nothing. The sums that reach these units are too large.",
        (
            "start with smaller weights: initializer GlorotUniform, which takes the number of inputs into account",
            "check that the pictures are scaled to 0 … 1",
            "use ReLU with initializer HeNormal between the layers, and a cross-entropy cost at the end",
        ),
    )  # fmt: skip


def _dead(facts: Facts, activations: Statistics, when: str) -> Finding | None:
    """ReLUs of a hidden layer of which most give zero for every picture."""
    layer, share = _worst(facts, activations, "dead")
    if share < DEAD or not facts.falls_short:
        return None
    return Finding(
        "dead-relus",
        f"{100 * share:.0f} % of the units of {layer} give zero for every picture looked at {when}"
        + _then(facts, layer, "dead") + "." + _accuracy(facts),
        "A ReLU that gives zero for every picture has no slope, gets no gradient, and never comes back.",
        (
            "start with initializer HeNormal and biases of zero",
            f"lower the learning rate{facts.set_rate(0.1)}",
            "use LeakyReLU or GELU, which keep a slope below zero",
        ),
    )  # fmt: skip


def _worst(facts: Facts, activations: Statistics, what: str) -> tuple[str, float]:
    """The hidden layer with the largest share."""
    last = facts.network.names[-1]
    return max(((name, found[what]) for name, found in activations.items() if what in found and name != last),
               key=lambda pair: pair[1], default=("", 0.0))  # fmt: skip


def _then(facts: Facts, layer: str, what: str) -> str:
    start, end = facts.start_activations.get(layer, {}).get(what), facts.end_activations.get(layer, {}).get(what)
    return "" if start is None or end is None else f" ({100 * start:.0f} % at first, {100 * end:.0f} % at last)"


def _accuracy(facts: Facts) -> str:
    if not facts.is_classification:
        return ""
    return f" Accuracy {100 * facts.accuracy:.1f} %; comparing pixels alone reaches {100 * facts.within_reach:.1f} %."
