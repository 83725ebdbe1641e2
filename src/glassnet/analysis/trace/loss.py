"""The steps at the end of the network: the cost of the image, and where the gradient begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from glassnet.analysis.trace.document import Grid, Number, Step
from glassnet.analysis.trace.notation import Sign, Values, chosen_terms, joined, line, make_step, others
from glassnet.analysis.trace.recorder import Pass
from glassnet.analysis.trace.sources import line_of
from glassnet.nn import losses
from glassnet.support.arrays import Array
from glassnet.support.i18n import mark, tr

SIGNS = {
    "cost": Sign("C", "sum", mark("the loss of this image")),
    "dz": Sign("∂C/∂zⱼ", "error sigmoid softmax", mark("where backpropagation begins")),
    "z": Sign("zⱼ", "z below error", mark("the network's raw output")),
    "t": Sign("tⱼ", "target", mark("the target")),
    "a": Sign("aⱼ", "sigmoid softmax", mark("the predicted probability")),
}
OF_ACTIVATIONS = {
    "dz": Sign("∂C/∂aⱼ", "error", mark("where backpropagation begins")),
    "z": Sign("aⱼ", "z below error", mark("the network's output")),
}


@dataclass(frozen=True)
class LossLens:
    """How a loss is explained: its equations, the function that computes it, and the term of each output."""

    equation: str
    backward_equation: str
    function: Callable[..., object]
    terms: Callable[[Array, Array], Array]  # of z and t, each (outputs,)
    term: str  # of one output, with its numbers
    letter: str = "z"  # of the network's output: a where the loss is of the activations


def _softmax_terms(z: Array, t: Array) -> Array:
    below = z - z.max()
    return np.asarray(t * (np.log(np.exp(below).sum()) - below))


LOSS_LENSES = {
    "Quadratic": LossLens(
        "{cost} = ½·Σⱼ ({z} − {t})²",
        "{dz} = {z} − {t}",
        losses.Quadratic.value_and_gradient,
        lambda z, t: 0.5 * (z - t) ** 2,
        "½·({z} − {t})²",
        "a",
    ),
    "BinaryCrossEntropy": LossLens(
        "{cost} = −Σⱼ {t}·ln {a} + (1 − {t})·ln(1 − {a}) = Σⱼ ln(1 + e^{z}) − {t}·{z}",
        "{dz} = {a} − {t}",
        losses.BinaryCrossEntropy.value_and_gradient,
        lambda z, t: np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))) - t * z,
        "(ln(1 + e^({z})) − {t}·{z})",
    ),
    "SoftmaxCrossEntropy": LossLens(
        "{cost} = −Σⱼ {t}·ln {a},   {a} = e^{z} / Σ e^{z}",
        "{dz} = {a} − {t}",
        losses.SoftmaxCrossEntropy.value_and_gradient,
        _softmax_terms,
        "(−{t}·ln({a}))",
    ),
}


def cost_steps(found: Pass, j: int) -> list[Step]:
    """The loss, term by term, and its derivative by raw output j (BP1)."""
    name, linked = type(found.network.loss).__name__, found.network.loss.link is not None
    lens, z, t, slopes = LOSS_LENSES[name], found.z, found.target, found.dz
    costs, answers = lens.terms(z, t), slopes + t  # a, or z where the loss is of z itself

    def output(k: int) -> dict[str, Number]:
        columns = {"z": z, "a": answers, "t": t, "dz": slopes}
        numbers = {key: Number(f"outputs.{key}[{k}]", float(values[k]), key) for key, values in columns.items()}
        j, cost = Number(f"outputs.j[{k}]", k, "", ".0f"), Number(f"cost.term[{k}]", float(costs[k]), "cost")
        return {**numbers, "j": j, "C": cost}

    signs = SIGNS if lens.letter == "z" else SIGNS | OF_ACTIVATIONS
    kept = [k for k in chosen_terms(costs) if costs[k] != 0] or [j]
    terms = joined(" + ", [line(lens.term, output(k)) for k in kept])
    if np.delete(costs, kept).any():
        terms += others("cost", costs, kept, "cost", "")
    rows = [output(k) for k in (range(len(z)) if len(z) <= 20 else sorted({*kept, j}))]
    heads = ("j", "z", *(("a",) if linked else ()), "t", "C", "dz")
    cells = tuple(tuple(row[head] for head in heads) for row in rows)
    names = tuple({"z": lens.letter, "dz": f"∂C/∂{lens.letter}"}.get(head, head) for head in heads)
    table = Grid(tr("output by output"), "z", cells, None, names)
    note = None
    if linked and found.network.fuses_activation:
        link = str(found.network.loss.link).lower()
        note = tr("The loss is computed from z rather than from {link}(z), which avoids log(0).", link=link)
    sources = [line_of(lens.function)]
    numbers: Values = {"cost": Number("cost", found.cost, "cost"), "sum": terms}
    title, back = tr("the loss: {name}", name=name), tr("where the gradient begins: output {unit}", unit=j)
    return [
        make_step("cost", "cost", title, lens.equation, signs, numbers, sources, "{cost} = {sum}", note=note, grids=(table,)),
        make_step("backward", "cost", back, lens.backward_equation, signs, output(j), sources, tag="BP1"),
    ]
