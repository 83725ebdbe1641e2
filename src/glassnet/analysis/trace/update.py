"""From the gradient to the new weight: its numerical definition, the penalty, the optimizer's step, and the cost after it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glassnet.analysis import gradient_check
from glassnet.analysis.trace.document import Number, Parts, Step, Symbol
from glassnet.analysis.trace.lens import symbol
from glassnet.analysis.trace.recorder import Pass, cost_of
from glassnet.analysis.trace.sources import line_of
from glassnet.nn.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop
from glassnet.runtime import ReferenceTrainer
from glassnet.support.arrays import Array
from glassnet.support.i18n import Message, tr

EPSILON = 1e-5
COSTS, SLOPES = ".12f", ".9f"  # digits of costs to subtract, and of slopes from them


@dataclass
class Stand:
    """Where the optimizer stands: its moments, how many steps it has taken, the rate of the next, and in words why."""

    first: Array
    second: Array
    steps: int
    rate: float
    note: Message


@dataclass
class Update:
    """The traced weight's gradient by definition, its value before and after a step, and the cost before and after."""

    numerical: float
    before: float
    after: float
    cost_before: float
    cost_after: float
    steps: list[Step]


def update_steps(found: Pass, name: str, place: int, penalised: bool, optimizer: Optimizer, stand: Stand) -> Update:
    """Check and step for the parameter at `place` of the flat vector."""
    network, flat = found.network, found.network.flat
    w = float(flat[place])
    flat[place] = w + EPSILON
    above = cost_of(network, found.row, found.label)
    flat[place] = w - EPSILON
    below = cost_of(network, found.row, found.label)
    flat[place] = w
    numerical = (above - below) / (2 * EPSILON)
    steps = [_check(found, place, above, below, numerical)]
    g = found.gradient.copy()
    g += network.penalty_and_gradient()[1]
    if penalised and any(network.regularizer.rates):
        steps.append(_penalty(found, name, place, w, float(g[place])))
    norm = float(np.linalg.norm(g))
    if optimizer.clip_norm and norm > optimizer.clip_norm:
        steps.append(_clip(g, place, norm, optimizer.clip_norm))
        g *= optimizer.clip_norm / norm
    before = (stand.first.copy(), stand.second.copy())
    values = flat.copy()
    own_decay = optimizer.decay if penalised else 0.0
    for slot in network.slots:
        decay = optimizer.decay if slot.penalised else 0.0
        first, second = slot.part(stand.first), slot.part(stand.second)
        optimizer.step(slot.part(values), slot.part(g), first, second, stand.rate, stand.steps + 1, decay)
    after = float(values[place])
    step = _Step(optimizer, stand, before, place, w, after, float(g[place]), own_decay)
    steps.append(step.as_step())
    flat[place] = after
    alone = cost_of(network, found.row, found.label)
    start = flat.copy()
    flat[...] = values
    cost_after = cost_of(network, found.row, found.label)
    flat[...] = start
    flat[place] = w
    steps.append(_after(found, w, after, alone, cost_after, bool(optimizer.moments)))
    return Update(numerical, w, after, found.cost, cost_after, steps)


def _check(found: Pass, place: int, above: float, below: float, numerical: float) -> Step:
    gradient = float(found.gradient[place])
    apart = abs(gradient - numerical)
    bound = 10.0 ** np.ceil(np.log10(max(apart, 1e-10)))
    symbols = (
        symbol("g", "∂C/∂w", "g", meaning=tr("by backpropagation")),
        symbol("above", "C(w + ε)", "above", meaning=tr("the loss with a slightly larger weight")),
        symbol("below", "C(w − ε)", "below", meaning=tr("the loss with a slightly smaller weight")),
        symbol("epsilon", "ε", "epsilon", meaning=tr("a small step")),
    )
    lines: tuple[Parts, ...] = (
        ["(", Number("cost.above", above, "above", COSTS), " − ", Number("cost.below", below, "below", COSTS), ") / (2·",
         Number("epsilon", EPSILON, "epsilon"), ") = ", Number("numerical", numerical, "above", SLOPES)],
        ["∂C/∂w = ", Number("gradient", gradient, "g", SLOPES)],
        ["|", tr("difference"), "| ≤ ", Number("difference.bound", bound, "g", ".0e")],
    )  # fmt: skip
    note = None
    if apart > 1e-6 * max(1.0, abs(gradient)):
        note = tr("They differ: the loss has a kink here (a ReLU or a maximum that changes within ε).")
    elif abs(gradient) < 0.5e-9:
        note = tr(
            "Too small for these digits: the network is all but sure of this image, or nothing of it reaches the weight. An "
            "image that it gets wrong has more to tell."
        )
    return Step(
        "check",
        "definition",
        tr("the gradient beside its definition"),
        "{g} ≈ ({above} − {below}) / 2{epsilon}",
        symbols,
        lines,
        (line_of(gradient_check.compare, place=0),),
        note=note,
    )


def _penalty(found: Pass, name: str, place: int, w: float, total: float) -> Step:
    l1, l2 = found.network.regularizer.rates
    gradient = float(found.gradient[place])
    line: Parts = [Number("g", total, "g"), " = ", Number("gradient", gradient, "dc")]
    equation, symbols = "{g} = {dc}", [
        symbol("g", "g", "gradient", meaning=tr("the gradient with the penalty's")),
        symbol("dc", "∂C/∂w", meaning=tr("by backpropagation")),
    ]  # fmt: skip
    weight = symbol("w", "w", "w", meaning=tr("the weight"))
    if l1:
        line += [" + ", Number("l1", l1, "l1"), "·sign(", Number("w", w, "w"), ")"]
        equation += " + {l1}·sign {w}"
        symbols += [symbol("l1", "l₁", "l1", meaning=tr("the rate of the penalty on |w|"))]
    if l2:
        line += [" + ", Number("l2", l2, "l2"), "·", Number("w", w, "w")]
        equation += " + {l2}·{w}"
        symbols += [symbol("l2", "l₂", "l2", meaning=tr("the rate of the penalty on ½w²"))]
    title = tr("the penalty on the weights adds its part")
    sources = (line_of(type(found.network).penalty_and_gradient, "gradient"),)
    return Step("update", "penalty", title, equation, (*symbols, weight), (line,), sources)


def _clip(g: Array, place: int, norm: float, most: float) -> Step:
    line: Parts = [Number("g.clipped", float(g[place]) * most / norm, "g"), " = ", Number("g", float(g[place]), "dc"), "·"]
    line += [Number("clip", most, "clip"), " / ", Number("norm", norm, "norm")]
    symbols = (
        symbol("g", "g", meaning=tr("the shortened gradient")),
        symbol("dc", "g₀", meaning=tr("the gradient")),
        symbol("clip", "c", meaning=tr("the longest that is allowed")),
        symbol("norm", "‖g‖", meaning=tr("the length of the whole gradient")),
    )
    title = tr("the gradient is too long and is shortened")
    return Step(
        "update", "clip", title, "{g} = {dc}·{clip} / {norm}", symbols, (line,), (line_of(ReferenceTrainer.run, "scale"),)
    )


class _Step:
    """The optimizer's step in numbers."""

    def __init__(self, optimizer: Optimizer, stand: Stand, before: tuple[Array, Array], place: int, w: float,
                 after: float, g: float, decay: float) -> None:  # fmt: skip
        self.optimizer, self.stand, self.place = optimizer, stand, place
        self.w, self.new = Number("w", w, "w", ".9g"), Number("w.after", after, "new", ".9g")
        self.g, self.rate, self.decay = Number("g", g, "g"), Number("rate", stand.rate, "rate"), decay
        moments = [("first", "m", before[0], stand.first), ("second", "v", before[1], stand.second)]
        self.old = {name: Number(name, float(m[place]), key) for name, key, m, _ in moments if m.size}
        self.next = {name: Number(f"{name}.after", float(n[place]), key) for name, key, _, n in moments if n.size}

    def as_step(self) -> Step:
        kind = type(self.optimizer).__name__
        equation, lines, more = getattr(self, f"_{kind.lower().replace('adamw', 'adam')}")()
        symbols = [
            symbol("new", "w′", "w", meaning=tr("the weight after the step")),
            symbol("w", "w", "w", meaning=tr("the weight before the step")),
            symbol("rate", "η", "rate", meaning=tr("the learning rate")),
            symbol("g", "g", "g", meaning=tr("the gradient")),
            *more,
        ]
        function = (Adam if isinstance(self.optimizer, AdamW) else type(self.optimizer)).step
        sources = [line_of(function, "w")]
        if self.next:
            sources = [
                line_of(function, "m"),
                *([line_of(function, "v")] if "second" in self.next else []),
                *sources,
            ]
        title = tr("the step: {kind}", kind=kind)
        used = tuple(s for s in symbols if "{" + s.key + "}" in equation)
        return Step("update", "optimizer", title, equation, used, tuple(lines), tuple(sources), note=self.stand.note)

    def _option(self, name: str, key: str) -> Number:
        return Number(name, float(getattr(self.optimizer, name)), key)

    def _sgd(self) -> tuple[str, list[Parts], list[Symbol]]:
        assert isinstance(self.optimizer, SGD)
        start: Parts = [self.new, " = ", self.w, " − ", self.rate, "·"]
        if not self.optimizer.momentum:
            return "{new} = {w} − {rate}·{g}", [[*start, self.g]], []
        mu, v = self._option("momentum", "mu"), self.next["first"]
        symbols = [
            symbol("mu", "μ", "momentum", meaning=tr("the momentum")),
            symbol("m", "v", "first", meaning=tr("the velocity: earlier gradients")),
        ]
        lines: list[Parts] = [["v = ", v, " = ", mu, "·", self.old["first"], " + ", self.g]]
        if self.optimizer.nesterov:
            lines.append([*start, "(", self.g, " + ", mu, "·", v, ")"])
            return "{m} ← {mu}·{m} + {g}   {new} = {w} − {rate}·({g} + {mu}·{m})", lines, symbols
        lines.append([*start, v])
        return "{m} ← {mu}·{m} + {g}   {new} = {w} − {rate}·{m}", lines, symbols

    def _rmsprop(self) -> tuple[str, list[Parts], list[Symbol]]:
        assert isinstance(self.optimizer, RMSprop)
        rho, s, epsilon = self._option("rho", "rho"), self.next["first"], self._option("epsilon", "epsilon")
        symbols = [
            symbol("rho", "ρ", "rho", meaning=tr("the share of the past")),
            symbol("m", "s", "first", meaning=tr("the mean of g² so far")),
            symbol("epsilon", "ε", "epsilon", meaning=tr("a small number against division by zero")),
        ]
        lines: list[Parts] = [
            ["s = ", s, " = ", rho, "·", self.old["first"], " + (1 − ", rho, ")·(", self.g, ")²"],
            [self.new, " = ", self.w, " − ", self.rate, "·", self.g, " / (√", s, " + ", epsilon, ")"],
        ]
        return "{m} ← {rho}·{m} + (1 − {rho})·{g}²   {new} = {w} − {rate}·{g} / (√{m} + {epsilon})", lines, symbols

    def _adam(self) -> tuple[str, list[Parts], list[Symbol]]:
        assert isinstance(self.optimizer, Adam)
        one, two, epsilon = self._option("beta1", "beta1"), self._option("beta2", "beta2"), self._option("epsilon", "epsilon")
        m, v, count = self.next["first"], self.next["second"], self.stand.steps + 1
        mhat = Number("first.corrected", m.value / (1 - one.value**count), "mhat")
        vhat = Number("second.corrected", v.value / (1 - two.value**count), "vhat")
        t = Number("t", count, "t", ".0f")
        past = tr("the share of the past")
        symbols = [
            symbol("beta1", "β₁", "beta1", meaning=past),
            symbol("beta2", "β₂", "beta2", meaning=past),
            symbol("m", "m", "first", meaning=tr("the mean of g so far")),
            symbol("v", "v", "second", meaning=tr("the mean of g² so far")),
            symbol("mhat", "m̂", "first", meaning=tr("m, corrected for its start at 0")),
            symbol("vhat", "v̂", "corrected", meaning=tr("v, corrected for its start at 0")),
            symbol("t", "t", "number", meaning=tr("the number of the step")),
            symbol("epsilon", "ε", "epsilon", meaning=tr("a small number against division by zero")),
            symbol("decay", "λ", "decay", meaning=tr("the weight decay")),
        ]
        start: Parts = [self.w]
        kept = "{w}"
        if self.decay:
            start += ["·(1 − ", self.rate, "·", Number("decay", self.decay, "decay"), ")"]
            kept = "{w}·(1 − {rate}·{decay})"
        lines: list[Parts] = [
            ["m = ", m, " = ", one, "·", self.old["first"], " + (1 − ", one, ")·", self.g],
            ["v = ", v, " = ", two, "·", self.old["second"], " + (1 − ", two, ")·(", self.g, ")²"],
            ["m̂ = ", mhat, " = ", m, " / (1 − ", one, "^", t, ")"],
            ["v̂ = ", vhat, " = ", v, " / (1 − ", two, "^", t, ")"],
            [self.new, " = ", *start, " − ", self.rate, "·", mhat, " / (√", vhat, " + ", epsilon, ")"],
        ]
        equation = (
            "{m} ← {beta1}·{m} + (1 − {beta1})·{g}   {v} ← {beta2}·{v} + (1 − {beta2})·{g}²   "
            "{mhat} = {m}/(1 − {beta1}^{t})   {vhat} = {v}/(1 − {beta2}^{t})   "
            f"{{new}} = {kept} − {{rate}}·{{mhat}} / (√{{vhat}} + {{epsilon}})"
        )
        return equation, lines, symbols


def _after(found: Pass, w: float, after: float, alone: float, everything: float, remembers: bool) -> Step:
    symbols = (
        symbol("before", "C", meaning=tr("the loss before the step")),
        symbol("alone", "C₁", meaning=tr("the loss when only this weight moves")),
        symbol("all", "C′", meaning=tr("the loss when all weights move")),
    )
    lines: tuple[Parts, ...] = (
        ["C = ", Number("cost", found.cost, "before", ".9g")],
        ["C₁ = ", Number("cost.alone", alone, "alone", ".9g"), "   (", tr("only this weight"), ": ",
         Number("w", w, "", ".9g"), " → ", Number("w.after", after, "", ".9g"), ")"],
        ["C′ = ", Number("cost.after", everything, "all", ".9g"), "   (", tr("every weight"), ")"],
    )  # fmt: skip
    note = None
    if everything > found.cost and remembers:
        note = tr("The loss of this image rose: the step follows the gradients of earlier images, too, and may be too long.")
    elif everything > found.cost:
        note = tr("The step went too far: the loss of this image rose.")
    title = tr("the loss before and after")
    return Step("update", "after", title, "{before} → {alone}, {all}", symbols, lines,
                (line_of(type(found.network).losses_and_gradient, "losses"),), note=note)  # fmt: skip
