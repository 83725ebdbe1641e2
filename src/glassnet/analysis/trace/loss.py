"""The steps at the end of the network: the cost of the image, and where the gradient begins."""

from __future__ import annotations

import numpy as np

from glassnet.analysis.trace.document import Grid, Number, Parts, Step, Text
from glassnet.analysis.trace.lens import symbol
from glassnet.analysis.trace.notation import chosen_terms
from glassnet.analysis.trace.recorder import Pass
from glassnet.analysis.trace.sources import line_of
from glassnet.nn import losses
from glassnet.nn.losses import BinaryCrossEntropy, Quadratic
from glassnet.support.arrays import Array

COST = Text("the cost of this image", "这张图片的代价")
TARGET = Text("what it should be", "目标值")
RAW = Text("what the network gives", "网络的输出")


def cost_steps(found: Pass, j: int) -> list[Step]:
    """The cost, term by term, and its derivative by raw output j (BP1)."""
    z, t, name = found.z, found.target, type(found.network.loss).__name__
    cost = Number("cost", found.cost, "cost")
    costs, slopes = _terms(found)
    forward: Parts = [cost, " = "]
    if isinstance(found.network.loss, Quadratic):
        equation = "{cost} = ½·Σⱼ ({z} − {t})²"
        backward_equation, function = "{dz} = {z} − {t}", losses.quadratic
    elif isinstance(found.network.loss, BinaryCrossEntropy):
        equation = "{cost} = −Σⱼ {t}·ln {a} + (1 − {t})·ln(1 − {a}) = Σⱼ ln(1 + e^{z}) − {t}·{z}"
        backward_equation, function = "{dz} = {a} − {t}", losses.binary_cross_entropy
    else:
        equation = "{cost} = −Σⱼ {t}·ln {a},   {a} = e^{z} / Σ e^{z}"
        backward_equation, function = "{dz} = {a} − {t}", losses.softmax_cross_entropy
    symbols = [
        symbol("cost", "C", "sum", meaning=COST),
        symbol("z", "zⱼ", "z", "below", "error", meaning=RAW),
        symbol("t", "tⱼ", "target", meaning=TARGET),
    ]
    linked = found.network.loss.link is not None
    if linked:
        symbols.append(symbol("a", "aⱼ", "sigmoid", "softmax", meaning=Text(f"the {name} of z", "z 的激活值")))
    kept = [k for k in chosen_terms(costs) if costs[k] != 0] or [j]
    for place in kept:
        forward += [" + " if place != kept[0] else "", *_term(found, place)]
    if np.delete(costs, kept).any():
        without = f"[{', '.join(map(str, kept))}]"
        forward += [" + ", Number(f"cost.others{without}", float(np.delete(costs, kept).sum()), "cost"), " ("]
        forward += [Number(f"cost.count{without}", len(costs) - len(kept), "", ".0f"), " more)"]
    answers = slopes + t
    grid = tuple(
        (
            Number(f"outputs.j[{k}]", k, "", ".0f"),
            Number(f"outputs.z[{k}]", float(z[k]), "z"),
            *((Number(f"outputs.a[{k}]", float(answers[k]), "a"),) if linked else ()),
            Number(f"outputs.t[{k}]", float(t[k]), "t"),
            Number(f"cost.term[{k}]", float(costs[k]), "cost"),
            Number(f"outputs.dz[{k}]", float(slopes[k]), "dz"),
        )
        for k in (range(len(z)) if len(z) <= 20 else sorted({*kept, j}))
    )
    heads = ("j", "z", "a", "t", "C", "∂C/∂z") if linked else ("j", "z", "t", "C", "∂C/∂z")
    line: Parts = [Number(f"outputs.dz[{j}]", float(slopes[j]), "dz"), " = "]
    line += [Number(f"outputs.{'a' if linked else 'z'}[{j}]", float(answers[j] if linked else z[j]), "a" if linked else "z")]
    line += [" − ", Number(f"outputs.t[{j}]", float(t[j]), "t")]
    dz = symbol("dz", "∂C/∂zⱼ", "error", "sigmoid", "softmax", meaning=Text("where backpropagation begins", "反向传播的起点"))
    note = None
    if linked and found.network.fuses_activation:
        note = Text(
            f"The cost looks before the last layer, so that no logarithm meets a zero: at z, not at {_link(found)}(z).",
            f"代价直接用 z 计算，而不用 a = {_link(found)}(z)，这样对数不会遇到零。",
        )
    sources = [line_of(function)]
    used = [s for s in symbols if "{" + s.key + "}" in equation]
    back = [dz, *(s for s in symbols if "{" + s.key + "}" in backward_equation)]
    table = Grid(Text("output by output", "逐个输出"), "z", grid, None, heads)
    return [
        Step("cost", "cost", Text(f"the cost: {name}", f"代价：{name}"), equation, tuple(used), (forward,), tuple(sources),
             note=note, grids=(table,)),
        Step("backward", "cost", Text(f"where the gradient begins: output {j}", f"梯度的起点：第 {j} 个输出"),
             backward_equation, tuple(back), (line,), tuple(sources), tag="BP1"),
    ]  # fmt: skip


def _term(found: Pass, k: int) -> Parts:
    """What output k adds to the cost, written out."""
    z = Number(f"outputs.z[{k}]", float(found.z[k]), "z")
    t = Number(f"outputs.t[{k}]", float(found.target[k]), "t")
    if isinstance(found.network.loss, Quadratic):
        return ["½·(", z, " − ", t, ")²"]
    if isinstance(found.network.loss, BinaryCrossEntropy):
        return ["(ln(1 + e^(", z, ")) − ", t, "·", z, ")"]
    a = Number(f"outputs.a[{k}]", float(found.dz[k] + found.target[k]), "a")
    return ["(−", t, "·ln(", a, "))"]


def _link(found: Pass) -> str:
    return str(found.network.loss.link).lower()


def _terms(found: Pass) -> tuple[Array, Array]:
    """What each output adds to the cost, and ∂C/∂z."""
    z, t = found.z, found.target
    if isinstance(found.network.loss, Quadratic):
        return 0.5 * (z - t) ** 2, found.dz
    if isinstance(found.network.loss, BinaryCrossEntropy):
        return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))) - t * z, found.dz
    below = z - z.max()
    return t * (np.log(np.exp(below).sum()) - below), found.dz
