"""The steps at the end of the network: the cost of the image, and where the gradient begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from glassnet.analysis.trace.document import Grid, Number, Parts, Step
from glassnet.analysis.trace.lens import symbol
from glassnet.analysis.trace.notation import chosen_terms
from glassnet.analysis.trace.recorder import Pass
from glassnet.analysis.trace.sources import line_of
from glassnet.nn import losses
from glassnet.support.arrays import Array
from glassnet.support.i18n import mark, tr

LOSS = mark("the loss of this image")
TARGET = mark("what it should be")
RAW = mark("what the network gives")


@dataclass(frozen=True)
class LossLens:
    """How a loss is explained: its equations, the function that computes it, and the term of each output."""

    equation: str
    backward_equation: str
    function: Callable[..., object]
    terms: Callable[[Array, Array], Array]  # of z and t, each (outputs,)
    term: Callable[[Number, Number, Number], Parts]  # of one output: z, t, a


def _softmax_terms(z: Array, t: Array) -> Array:
    below = z - z.max()
    return np.asarray(t * (np.log(np.exp(below).sum()) - below))


LOSS_LENSES = {
    "Quadratic": LossLens(
        "{cost} = ½·Σⱼ ({z} − {t})²",
        "{dz} = {z} − {t}",
        losses.Quadratic.value_and_gradient,
        lambda z, t: 0.5 * (z - t) ** 2,
        lambda z, t, a: ["½·(", z, " − ", t, ")²"],
    ),
    "BinaryCrossEntropy": LossLens(
        "{cost} = −Σⱼ {t}·ln {a} + (1 − {t})·ln(1 − {a}) = Σⱼ ln(1 + e^{z}) − {t}·{z}",
        "{dz} = {a} − {t}",
        losses.BinaryCrossEntropy.value_and_gradient,
        lambda z, t: np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))) - t * z,
        lambda z, t, a: ["(ln(1 + e^(", z, ")) − ", t, "·", z, ")"],
    ),
    "SoftmaxCrossEntropy": LossLens(
        "{cost} = −Σⱼ {t}·ln {a},   {a} = e^{z} / Σ e^{z}",
        "{dz} = {a} − {t}",
        losses.SoftmaxCrossEntropy.value_and_gradient,
        _softmax_terms,
        lambda z, t, a: ["(−", t, "·ln(", a, "))"],
    ),
}


def cost_steps(found: Pass, j: int) -> list[Step]:
    """The cost, term by term, and its derivative by raw output j (BP1)."""
    z, t, name = found.z, found.target, type(found.network.loss).__name__
    cost = Number("cost", found.cost, "cost")
    lens = LOSS_LENSES[name]
    equation, backward_equation = lens.equation, lens.backward_equation
    costs, slopes = lens.terms(z, t), found.dz
    answers = slopes + t  # a, or z where the loss is of z itself
    forward: Parts = [cost, " = "]
    symbols = [
        symbol("cost", "C", "sum", meaning=tr(LOSS)),
        symbol("z", "zⱼ", "z", "below", "error", meaning=tr(RAW)),
        symbol("t", "tⱼ", "target", meaning=tr(TARGET)),
    ]
    linked = found.network.loss.link is not None
    if linked:
        symbols.append(symbol("a", "aⱼ", "sigmoid", "softmax", meaning=tr("the {name} of z", name=name)))
    kept = [k for k in chosen_terms(costs) if costs[k] != 0] or [j]
    for place in kept:
        forward += [" + " if place != kept[0] else "", *_term(found, lens, place)]
    if np.delete(costs, kept).any():
        without = f"[{', '.join(map(str, kept))}]"
        forward += [" + ", Number(f"cost.others{without}", float(np.delete(costs, kept).sum()), "cost"), " ("]
        forward += [Number(f"cost.count{without}", len(costs) - len(kept), "", ".0f"), " ", tr("more"), ")"]
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
    dz = symbol("dz", "∂C/∂zⱼ", "error", "sigmoid", "softmax", meaning=tr("where backpropagation begins"))
    note = None
    if linked and found.network.fuses_activation:
        note = tr(
            "The loss looks before the last layer, so that no logarithm meets a zero: at z, not at {link}(z).",
            link=_link(found),
        )
    sources = [line_of(lens.function)]
    used = [s for s in symbols if "{" + s.key + "}" in equation]
    back = [dz, *(s for s in symbols if "{" + s.key + "}" in backward_equation)]
    table = Grid(tr("output by output"), "z", grid, None, heads)
    return [
        Step("cost", "cost", tr("the loss: {name}", name=name), equation, tuple(used), (forward,), tuple(sources),
             note=note, grids=(table,)),
        Step("backward", "cost", tr("where the gradient begins: output {unit}", unit=j),
             backward_equation, tuple(back), (line,), tuple(sources), tag="BP1"),
    ]  # fmt: skip


def _term(found: Pass, lens: LossLens, k: int) -> Parts:
    """The term of output k, written out."""
    z, t = float(found.z[k]), float(found.target[k])
    a = Number(f"outputs.a[{k}]", float(found.dz[k]) + t, "a")
    return lens.term(Number(f"outputs.z[{k}]", z, "z"), Number(f"outputs.t[{k}]", t, "t"), a)


def _link(found: Pass) -> str:
    return str(found.network.loss.link).lower()
