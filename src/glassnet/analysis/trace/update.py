"""From the gradient to the new weight: its numerical definition, the penalty, the optimizer's step, and the cost after it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glassnet.analysis import gradient_check
from glassnet.analysis.trace.document import Number, Parts, Step, Symbol, Text
from glassnet.analysis.trace.lens import symbol
from glassnet.analysis.trace.recorder import Pass, cost_of
from glassnet.analysis.trace.sources import line_of
from glassnet.nn.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop
from glassnet.runtime import ReferenceTrainer
from glassnet.support.arrays import Array

EPSILON = 1e-5
COSTS, SLOPES = ".12f", ".9f"  # digits of costs to subtract, and of slopes from them


@dataclass
class Stand:
    """Where the optimizer stands: its moments, how many steps it has taken, the rate of the next, and in words why."""

    first: Array
    second: Array
    steps: int
    rate: float
    note: Text


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
    steps.append(step.told())
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
        symbol("g", "∂C/∂w", "g", meaning=Text("by backpropagation", "由反向传播得到")),
        symbol("above", "C(w + ε)", "above", meaning=Text("the cost with a slightly larger weight", "权重略大时的代价")),
        symbol("below", "C(w − ε)", "below", meaning=Text("the cost with a slightly smaller weight", "权重略小时的代价")),
        symbol("epsilon", "ε", "epsilon", meaning=Text("a small step", "小步长")),
    )
    lines: tuple[Parts, ...] = (
        ["(", Number("cost.above", above, "above", COSTS), " − ", Number("cost.below", below, "below", COSTS), ") / (2·",
         Number("epsilon", EPSILON, "epsilon"), ") = ", Number("numerical", numerical, "above", SLOPES)],
        ["∂C/∂w = ", Number("gradient", gradient, "g", SLOPES)],
        ["|difference| ≤ ", Number("difference.bound", bound, "g", ".0e")],
    )  # fmt: skip
    note = None
    if apart > 1e-6 * max(1.0, abs(gradient)):
        note = Text(
            "They differ: the cost has a kink here (a ReLU or a maximum that changes within ε).",
            "两者不同：代价在此处有折点（ReLU 或最大值在 ε 内改变）。",
        )
    elif abs(gradient) < 0.5e-9:
        note = Text(
            "Too small for these digits: the network is all but sure of this image, or nothing of it reaches the weight. "
            "An image that it gets wrong has more to tell.",
            "梯度太小，这几位数字显示不出：网络对这张图片几乎已有十足把握，或者图片的信息到不了这个权重。换一张答错的图片会看到更多。",
        )
    return Step(
        "check",
        "definition",
        Text("the gradient beside its definition", "梯度与其定义的比较"),
        "{g} ≈ ({above} − {below}) / 2{epsilon}",
        symbols,
        lines,
        (line_of(gradient_check._check, place=0),),
        note=note,
    )


def _penalty(found: Pass, name: str, place: int, w: float, total: float) -> Step:
    l1, l2 = found.network.regularizer.rates
    gradient = float(found.gradient[place])
    line: Parts = [Number("g", total, "g"), " = ", Number("gradient", gradient, "dc")]
    equation, symbols = "{g} = {dc}", [
        symbol("g", "g", "gradient", meaning=Text("the gradient with the penalty's", "加上惩罚项后的梯度")),
        symbol("dc", "∂C/∂w", meaning=Text("by backpropagation", "由反向传播得到")),
    ]  # fmt: skip
    weight = symbol("w", "w", "w", meaning=Text("the weight", "权重"))
    if l1:
        line += [" + ", Number("l1", l1, "l1"), "·sign(", Number("w", w, "w"), ")"]
        equation += " + {l1}·sign {w}"
        symbols += [symbol("l1", "l₁", "l1", meaning=Text("the rate of the penalty on |w|", "|w| 惩罚的系数"))]
    if l2:
        line += [" + ", Number("l2", l2, "l2"), "·", Number("w", w, "w")]
        equation += " + {l2}·{w}"
        symbols += [symbol("l2", "l₂", "l2", meaning=Text("the rate of the penalty on ½w²", "½w² 惩罚的系数"))]
    title = Text("the penalty on the weights adds its part", "权重惩罚项的贡献")
    sources = (line_of(type(found.network).penalty_and_gradient, "gradient"),)
    return Step("update", "penalty", title, equation, (*symbols, weight), (line,), sources)


def _clip(g: Array, place: int, norm: float, most: float) -> Step:
    line: Parts = [Number("g.clipped", float(g[place]) * most / norm, "g"), " = ", Number("g", float(g[place]), "dc"), "·"]
    line += [Number("clip", most, "clip"), " / ", Number("norm", norm, "norm")]
    symbols = (
        symbol("g", "g", meaning=Text("the shortened gradient", "截短后的梯度")),
        symbol("dc", "g₀", meaning=Text("the gradient", "原梯度")),
        symbol("clip", "c", meaning=Text("the longest that is allowed", "允许的最大长度")),
        symbol("norm", "‖g‖", meaning=Text("the length of the whole gradient", "整个梯度的长度")),
    )
    title = Text("the gradient is too long and is shortened", "梯度过长，被截短")
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

    def told(self) -> Step:
        kind = type(self.optimizer).__name__
        equation, lines, more = getattr(self, f"_{kind.lower().replace('adamw', 'adam')}")()
        symbols = [
            symbol("new", "w′", "w", meaning=Text("the weight after the step", "更新后的权重")),
            symbol("w", "w", "w", meaning=Text("the weight before the step", "更新前的权重")),
            symbol("rate", "η", "rate", meaning=Text("the learning rate", "学习率")),
            symbol("g", "g", "g", meaning=Text("the gradient", "梯度")),
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
        title = Text(f"the step: {kind}", f"更新：{kind}")
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
            symbol("mu", "μ", "momentum", meaning=Text("the momentum", "动量系数")),
            symbol("m", "v", "first", meaning=Text("the velocity: earlier gradients", "速度：此前梯度的累积")),
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
            symbol("rho", "ρ", "rho", meaning=Text("the share of the past", "历史所占份额")),
            symbol("m", "s", "first", meaning=Text("the mean of g² so far", "g² 的滑动均值")),
            symbol("epsilon", "ε", "epsilon", meaning=Text("a small number against division by zero", "防止除以零的小数")),
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
        past = Text("the share of the past", "历史所占份额")
        symbols = [
            symbol("beta1", "β₁", "beta1", meaning=past),
            symbol("beta2", "β₂", "beta2", meaning=past),
            symbol("m", "m", "first", meaning=Text("the mean of g so far", "g 的滑动均值")),
            symbol("v", "v", "second", meaning=Text("the mean of g² so far", "g² 的滑动均值")),
            symbol("mhat", "m̂", "first", meaning=Text("m, corrected for its start at 0", "修正初值 0 之后的 m")),
            symbol("vhat", "v̂", "corrected", meaning=Text("v, corrected for its start at 0", "修正初值 0 之后的 v")),
            symbol("t", "t", "number", meaning=Text("the number of the step", "步数")),
            symbol("epsilon", "ε", "epsilon", meaning=Text("a small number against division by zero", "防止除以零的小数")),
            symbol("decay", "λ", "decay", meaning=Text("the weight decay", "权重衰减")),
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
        symbol("before", "C", meaning=Text("the cost before the step", "更新前的代价")),
        symbol("alone", "C₁", meaning=Text("the cost when only this weight moves", "只更新这个权重后的代价")),
        symbol("all", "C′", meaning=Text("the cost when all weights move", "更新全部权重后的代价")),
    )
    lines: tuple[Parts, ...] = (
        ["C = ", Number("cost", found.cost, "before", ".9g")],
        ["C₁ = ", Number("cost.alone", alone, "alone", ".9g"), "   (only this weight: ", Number("w", w, "", ".9g"), " → ",
         Number("w.after", after, "", ".9g"), ")"],
        ["C′ = ", Number("cost.after", everything, "all", ".9g"), "   (every weight)"],
    )  # fmt: skip
    note = None
    if everything > found.cost and remembers:
        note = Text(
            "The cost of this image rose: the step follows the gradients of earlier images, too, and may be too long.",
            "这张图片的代价反而上升：这一步也受此前图片的梯度影响，而且可能过大。",
        )
    elif everything > found.cost:
        note = Text("The step went too far: the cost of this image rose.", "步子过大：这张图片的代价反而上升。")
    title = Text("the cost before and after", "更新前后的代价")
    return Step("update", "after", title, "{before} → {alone}, {all}", symbols, lines,
                (line_of(type(found.network).losses_and_gradient, "losses"),), note=note)  # fmt: skip
