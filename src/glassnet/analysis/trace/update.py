"""From the gradient to the new weight: its numerical definition, the penalty, the optimizer's step, and the loss after it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glassnet.analysis import gradient_check
from glassnet.analysis.trace.document import Number, Step
from glassnet.analysis.trace.notation import Sign, Values, make_step
from glassnet.analysis.trace.recorder import Pass, cost_of
from glassnet.analysis.trace.sources import line_of
from glassnet.nn.optimizers import SGD, Adam, AdamW, Muon, Optimizer, RMSprop
from glassnet.nn.stack import Slot
from glassnet.runtime import ReferenceTrainer
from glassnet.runtime.trainer import take_step
from glassnet.support.arrays import Array
from glassnet.support.i18n import Message, mark, tr

EPSILON = 1e-5
COSTS, SLOPES, WEIGHTS = ".12f", ".9f", ".9g"  # digits of losses to subtract, of slopes from them, and of weights

BY_BACKPROPAGATION = mark("by backpropagation")
PAST = mark("the decay rate of the running mean")
CHECK = {
    "g": Sign("∂C/∂w", "g", BY_BACKPROPAGATION),
    "above": Sign("C(w + ε)", "above", mark("the loss with a slightly larger weight")),
    "below": Sign("C(w − ε)", "below", mark("the loss with a slightly smaller weight")),
    "epsilon": Sign("ε", "epsilon", mark("a small step")),
}
PENALTY = {
    "g": Sign("g", "gradient", mark("the gradient with the penalty")),
    "dc": Sign("∂C/∂w", "", BY_BACKPROPAGATION),
    "l1": Sign("l₁", "l1", mark("the rate of the penalty on |w|")),
    "l2": Sign("l₂", "l2", mark("the rate of the penalty on ½w²")),
    "w": Sign("w", "w", mark("the weight")),
}
CLIP = {
    "g": Sign("g", "", mark("the clipped gradient")),
    "dc": Sign("g₀", "", mark("the gradient")),
    "clip": Sign("c", "", mark("the largest norm allowed")),
    "norm": Sign("‖g‖", "", mark("the norm of the whole gradient")),
}
STEP = {
    "new": Sign("w′", "w", mark("the weight after the step")),
    "w": Sign("w", "w", mark("the weight before the step")),
    "rate": Sign("η", "rate", mark("the learning rate")),
    "g": Sign("g", "g", mark("the gradient")),
}
DIVISION = {"epsilon": Sign("ε", "epsilon", mark("a small number against division by zero"))}
AFTER = {
    "before": Sign("C", "", mark("the loss before the step")),
    "alone": Sign("C₁", "", mark("the loss after updating only this weight")),
    "all": Sign("C′", "", mark("the loss after updating all weights")),
}


@dataclass
class Stand:
    """The optimizer's state: its moments, how many steps it has taken, the learning rate of the next, and a note."""

    first: Array
    second: Array
    steps: int
    rate: float
    note: Message


@dataclass(frozen=True)
class Rule:
    """How an optimizer's step is written: the equations, the same for numbers, and the signs beyond those of `STEP`."""

    equation: str
    template: str
    signs: dict[str, Sign]


MOMENTUM = {
    "mu": Sign("μ", "momentum", mark("the momentum")),
    "m": Sign("v", "first", mark("the velocity: a sum of past gradients")),
}
VELOCITY, VELOCITY_WRITTEN = "{m} ← {mu}·{m} + {g}   ", "v = {m} = {mu}·{old_m} + {g}   "
PLAIN, HEAVY_BALL, NESTEROV = "{new} = {w} − {rate}·{g}", "{new} = {w} − {rate}·{m}", "{new} = {w} − {rate}·({g} + {mu}·{m})"
RMSPROP = Rule(
    "{m} ← {rho}·{m} + (1 − {rho})·{g}²   {new} = {w} − {rate}·{g} / (√{m} + {epsilon})",
    "s = {m} = {rho}·{old_m} + (1 − {rho})·({g})²   {new} = {w} − {rate}·{g} / (√{m} + {epsilon})",
    {"rho": Sign("ρ", "rho", PAST), "m": Sign("s", "first", mark("the running mean of g²")), **DIVISION},
)
ADAM = Rule(
    "{m} ← {beta1}·{m} + (1 − {beta1})·{g}   {v} ← {beta2}·{v} + (1 − {beta2})·{g}²   {mhat} = {m}/(1 − {beta1}^{t})   "
    "{vhat} = {v}/(1 − {beta2}^{t})   {new} = {w} − {rate}·{mhat} / (√{vhat} + {epsilon})",
    "m = {m} = {beta1}·{old_m} + (1 − {beta1})·{g}   v = {v} = {beta2}·{old_v} + (1 − {beta2})·({g})²   "
    "m̂ = {mhat} = {m} / (1 − {beta1}^{t})   v̂ = {vhat} = {v} / (1 − {beta2}^{t})   "
    "{new} = {w} − {rate}·{mhat} / (√{vhat} + {epsilon})",
    {
        "beta1": Sign("β₁", "beta1", PAST),
        "beta2": Sign("β₂", "beta2", PAST),
        "m": Sign("m", "first", mark("the running mean of g")),
        "v": Sign("v", "second", mark("the running mean of g²")),
        "mhat": Sign("m̂", "first", mark("m, bias-corrected")),
        "vhat": Sign("v̂", "corrected", mark("v, bias-corrected")),
        "t": Sign("t", "number", mark("the number of the step")),
        **DIVISION,
        "decay": Sign("λ", "decay", mark("the weight decay")),
    },
)


MUON = Rule(
    VELOCITY + "{new} = {w} − {rate}·{o}",
    VELOCITY_WRITTEN + "{new} = {w} − {rate}·{o}",
    {
        **MOMENTUM,
        "o": Sign("o", "w", mark("this weight's place in the orthogonal matrix nearest to that of the step")),
        "k": Sign("k", "keep", mark("what weight decay and the norm of the matrix multiply the weight by")),
    },
)
SGD_OF_MUON = {**MOMENTUM, "mu": Sign("μ", "sgd_momentum", mark("the momentum"))}


def rule_of(optimizer: Optimizer, matrix: bool = False) -> Rule:
    """How its step is written: of a number, or of a weight that it takes as a matrix."""
    if isinstance(optimizer, Muon):
        step = NESTEROV if optimizer.nesterov else HEAVY_BALL
        return MUON if matrix else Rule(VELOCITY + step, VELOCITY_WRITTEN + step, SGD_OF_MUON)
    if isinstance(optimizer, SGD):
        if not optimizer.momentum:
            return Rule(PLAIN, PLAIN, {})
        step = NESTEROV if optimizer.nesterov else HEAVY_BALL
        return Rule(VELOCITY + step, VELOCITY_WRITTEN + step, MOMENTUM)
    return {RMSprop: RMSPROP, Adam: ADAM, AdamW: ADAM}[type(optimizer)]


def update_steps(
    found: Pass, position: int, slot: Slot, optimizer: Optimizer, stand: Stand
) -> tuple[list[Step], dict[str, float]]:
    """Check and step for the parameter at `position` of the flat vector; its gradient by definition, its value and the loss
    before and after the step."""
    network, flat = found.network, found.network.flat
    w = float(flat[position])

    def cost_with(parameters: Array | float) -> float:
        """The loss with another value of the weight, or of all parameters."""
        before = flat.copy()
        flat[... if isinstance(parameters, np.ndarray) else position] = parameters
        cost = cost_of(network, found.row, found.label)
        flat[...] = before
        return cost

    above, below = cost_with(w + EPSILON), cost_with(w - EPSILON)
    numerical = (above - below) / (2 * EPSILON)
    steps = [_check(found, position, above, below, numerical)]
    g = found.gradient.copy()
    g += network.penalty_and_gradient()[1]
    if slot.penalised and any(network.regularizer.rates):
        steps.append(_penalty(found, position, w, float(g[position])))
    norm = float(np.linalg.norm(g))
    if optimizer.clip_norm and norm > optimizer.clip_norm:
        steps.append(_clip(float(g[position]), norm, optimizer.clip_norm))
        g *= optimizer.clip_norm / norm
    first, second, values = stand.first.copy(), stand.second.copy(), flat.copy()
    take_step(network, optimizer, values, g, (first, second), stand.rate, stand.steps + 1)
    after = float(values[position])
    moments = [
        (float(old[position]), float(new[position]))
        for old, new in ((stand.first, first), (stand.second, second))
        if old.size
    ]
    steps.append(
        _step(optimizer, stand, slot, (w, after), float(g[position]), moments, float(np.linalg.norm(slot.part(flat))))
    )
    cost_after = cost_with(values)
    steps.append(_after(found, w, after, cost_with(after), cost_after, bool(optimizer.moments)))
    known = {"numerical": numerical, "before": w, "after": after, "cost_before": found.cost, "cost_after": cost_after}
    return steps, known


def _check(found: Pass, position: int, above: float, below: float, numerical: float) -> Step:
    gradient = float(found.gradient[position])
    apart = abs(gradient - numerical)
    numbers: Values = {
        "above": Number("cost.above", above, "above", COSTS),
        "below": Number("cost.below", below, "below", COSTS),
        "epsilon": Number("epsilon", EPSILON, "epsilon"),
        "numerical": Number("numerical", numerical, "above", SLOPES),
        "gradient": Number("gradient", gradient, "g", SLOPES),
        "difference": tr("difference"),
        "bound": Number("difference.bound", 10.0 ** np.ceil(np.log10(max(apart, 1e-10))), "g", ".0e"),
    }
    note = None
    if apart > 1e-6 * max(1.0, abs(gradient)):
        note = tr("They differ: the loss has a kink here (a ReLU or a maximum that changes within ε).")
    elif abs(gradient) < 0.5e-9:
        note = tr(
            "Too small for these digits: the network is almost certain of this image, or the image has no effect on the "
            "weight. Try an image that it gets wrong."
        )
    title, equation = tr("the gradient compared with its definition"), "{g} ≈ ({above} − {below}) / 2{epsilon}"
    written = "({above} − {below}) / (2·{epsilon}) = {numerical}   ∂C/∂w = {gradient}   |{difference}| ≤ {bound}"
    sources = [line_of(gradient_check.compare, nth=0)]
    return make_step("check", "definition", title, equation, CHECK, numbers, sources, written, note=note)


def _penalty(found: Pass, position: int, w: float, total: float) -> Step:
    l1, l2 = found.network.regularizer.rates
    values = {"g": total, "l1": l1, "l2": l2, "w": w}
    numbers = {key: Number(key, value, key) for key, value in values.items()}
    numbers["dc"] = Number("gradient", float(found.gradient[position]), "dc")
    equation = "{g} = {dc}" + (" + {l1}·sign {w}" if l1 else "") + (" + {l2}·{w}" if l2 else "")
    written = equation.replace("sign {w}", "sign({w})")
    title = tr("the gradient of the weight penalty is added")
    sources = [line_of(type(found.network).penalty_and_gradient, "gradient")]
    return make_step("update", "penalty", title, equation, PENALTY, numbers, sources, written)


def _clip(g: float, norm: float, most: float) -> Step:
    values = {"g": ("g.clipped", g * most / norm), "dc": ("g", g), "clip": ("clip", most), "norm": ("norm", norm)}
    numbers = {key: Number(name, value, key) for key, (name, value) in values.items()}
    title, sources = tr("the gradient is clipped: its norm is too large"), [line_of(ReferenceTrainer.run, "scale")]
    return make_step("update", "clip", title, "{g} = {dc}·{clip} / {norm}", CLIP, numbers, sources)


def _step(
    optimizer: Optimizer,
    stand: Stand,
    slot: Slot,
    weight: tuple[float, float],
    g: float,
    moments: list[tuple[float, float]],
    length: float,
) -> Step:
    matrix, decay = optimizer.takes_matrix(slot.name, slot.shape), optimizer.decay_of(slot.name, slot.shape, slot.penalised)
    rule, rate = rule_of(optimizer, matrix), stand.rate * optimizer.factor(slot.name)
    kind = SGD if isinstance(optimizer, Muon) and not matrix else type(optimizer)
    numbers = {
        "w": Number("w", weight[0], "w", WEIGHTS),
        "new": Number("w.after", weight[1], "new", WEIGHTS),
        "g": Number("g", g, "g"),
        "rate": Number("rate", rate, "rate"),
    }
    for key, sign in rule.signs.items():
        if hasattr(optimizer, sign.code):
            numbers[key] = Number(sign.code, float(getattr(optimizer, sign.code)), key)
    for (old, new), key, name in zip(moments, "mv", ("first", "second"), strict=False):
        numbers |= {f"old_{key}": Number(name, old, key), key: Number(f"{name}.after", new, key)}
    if isinstance(optimizer, Adam):
        count = stand.steps + 1
        numbers["t"] = Number("t", count, "t", ".0f")
        for key, name, beta in (("m", "first", optimizer.beta1), ("v", "second", optimizer.beta2)):
            numbers[f"{key}hat"] = Number(f"{name}.corrected", numbers[key].value / (1 - beta**count), f"{key}hat")
    equation, written = rule.equation, rule.template
    if matrix:
        keep = 1 - rate * decay
        if isinstance(optimizer, Muon) and optimizer.normalize and length:
            keep *= float(np.sqrt(slot.shape[-1])) / length
        if keep != 1:
            numbers["k"] = Number("keep", keep, "k", WEIGHTS)
            equation, written = (text.replace("= {w} −", "= {k}·{w} −") for text in (equation, written))
        numbers["o"] = Number("w.orthogonal", (keep * weight[0] - weight[1]) / rate if rate else 0.0, "o")
    elif decay:
        numbers["decay"] = Number("decay", decay, "decay")
        equation, written = (text.replace("= {w} −", "= {w}·(1 − {rate}·{decay}) −") for text in (equation, written))
    sources = [line_of(kind.step, name) for name in (*("m", "v")[: len(moments)], "w")]
    title = tr("the step: {kind}", kind=type(optimizer).__name__)
    return make_step("update", "optimizer", title, equation, STEP | rule.signs, numbers, sources, written, note=stand.note)


def _after(found: Pass, w: float, after: float, alone: float, everything: float, remembers: bool) -> Step:
    numbers: Values = {
        "before": Number("cost", found.cost, "before", WEIGHTS),
        "alone": Number("cost.alone", alone, "alone", WEIGHTS),
        "only": tr("only this weight"),
        "w": Number("w", w, "", WEIGHTS),
        "new": Number("w.after", after, "", WEIGHTS),
        "all": Number("cost.after", everything, "all", WEIGHTS),
        "every": tr("all weights"),
    }
    written = "C = {before}   C₁ = {alone}  ({only}: {w} → {new})   C′ = {all}  ({every})"
    note = None
    if everything > found.cost and remembers:
        note = tr(
            "The loss of this image rose: the step also depends on the gradients of earlier images, and may be too large."
        )
    elif everything > found.cost:
        note = tr("The step was too large: the loss of this image rose.")
    title, sources = tr("the loss before and after"), [line_of(type(found.network).losses_and_gradient, "losses")]
    return make_step("update", "after", title, "{before} → {alone}, {all}", AFTER, numbers, sources, written, note=note)
