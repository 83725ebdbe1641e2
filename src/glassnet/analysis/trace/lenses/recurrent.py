"""Lenses on recurrent layers: one unit at one time step, its gates, and what comes back through time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np

from glassnet.analysis.trace.document import Index, Number, Parts, Source, Step
from glassnet.analysis.trace.lens import Lens, largest
from glassnet.analysis.trace.notation import Factor, Sign, Values, at, sub
from glassnet.analysis.trace.recorder import Record
from glassnet.analysis.trace.sources import line_of
from glassnet.nn import recurrent
from glassnet.support.arrays import Array
from glassnet.support.i18n import mark, tr

INTO = mark("the gate's input")
STATE = mark("the state")
EARLIER = mark("the state of the previous step")
BY_STATE = mark("the gradient with respect to the state")
SUM = {  # of xₜ·W + hₜ₋₁·U + b
    "into": Sign("z", "gates gate", INTO),
    "x": Sign("xₜ", "x"),
    "w": Sign("W", "weight"),
    "before": Sign("hₜ₋₁", "h", EARLIER),
    "u": Sign("U", "recurrent", mark("the weights of the previous state")),
    "b": Sign("b", "bias"),
}
LAST = {"y": Sign("y", "h"), "h": Sign("h", "h", STATE)}
THROUGH_TIME = {
    "dh": Sign("∂C/∂hₜ", "dh by_state", BY_STATE),
    "dy": Sign("∂C/∂yₜ", "dstates"),
    "u": SUM["u"],
    "dz": Sign("∂C/∂zₜ₊₁", "dgates dsteps", mark("the gates' gradients of the next step")),
    "later": Sign("∂C/∂hₜ₊₁·zₜ₊₁", "z", mark("kept by gate z")),
}
TO_INPUT = {
    "dx": Sign("∂C/∂xₜ", "dx"),
    "w": SUM["w"],
    "dz": Sign("∂C/∂zₜ", "flat dgates", mark("the gates' gradients")),
}
TO_WEIGHT = {
    "dw": Sign("∂C/∂w", "_product dweight flat"),
    "dz": Sign("∂C/∂zₜ", "dgates flat dsteps", mark("the gate's gradient at step t")),
    "x": SUM["x"],
    "before": Sign("hₜ₋₁", "states earlier", EARLIER),
}


class Explained(NamedTuple):
    """The gates of a step: equation, template and numbers, and the lines that compute them."""

    equation: str
    template: str
    numbers: Values
    sources: list[Source]


class RecurrentLens(Lens):
    """`time`: the step that is shown. Arrays are (T, …): the sequence, the states, the gates and their gradients."""

    gates: ClassVar[tuple[str, ...]] = ()
    functions: ClassVar[tuple[Callable[..., Any], ...]]  # forward, and back through time
    backward_signs: ClassVar[dict[str, Sign]] = {}  # of the gates backward
    second = ""  # the forward function's name for the sum with the previous state
    time: int | None = None

    def __init__(self, record: Record) -> None:
        super().__init__(record)
        self.kept: dict[str, Array] = {}
        x, dy = record.x, record.dy
        self.x = x.reshape(len(x), -1)
        self.weight, self.recurrent = self.array("weight"), self.array("recurrent_weight")
        dstates = np.zeros((len(x), self.layer.units))
        dstates[slice(None) if self.layer.return_sequences else -1] = dy
        found = self.unroll(dstates)
        self.earlier = np.concatenate([np.zeros_like(found["h"][:1]), found["h"][:-1]])
        into = self.x @ self.weight + self.earlier @ self.recurrent + self.array("bias")
        self.kept = {"dstates": dstates, **self.by_gate(into, ".into"), **found}

    @abstractmethod
    def unroll(self, dstates: Array) -> dict[str, Array]:
        """Run the layer forward and backward through time: every gate, state and gradient by its name.

        "h" and "dh" are (T, units); "dgates", by xₜ·W + b, and "dsteps", by hₜ₋₁·U, are (T, gates·units).
        """

    def by_gate(self, values: Array, suffix: str = "") -> dict[str, Array]:
        """(T, gates·units) as an array for each gate."""
        return {letter + suffix: part for letter, part in zip(self.gates, np.split(values, len(self.gates), -1), strict=True)}

    def array(self, what: str) -> Array:
        return self.kept[what] if what in self.kept else super().array(what)

    # ---------------------------------------------------------------- the path

    @property
    def t(self) -> int:
        return len(self.x) - 1 if self.time is None else self.time

    def column(self, u: int, gate: int) -> int:
        return gate * int(self.layer.units) + u

    def _out(self, u: int) -> Index:
        return (self.t, u) if self.layer.return_sequences else (u,)

    def _factors(self, key: str, index: Index) -> list[Factor]:
        """The factors of a parameter's gradient, which is a sum over the time steps."""
        wide = index[-1] + 2 * self.layer.units if key == "recurrent_bias" else index[-1]
        factors = [self.along("dsteps" if key.startswith("recurrent") else "dgates", np.s_[:, wide], "dz")]
        if key == "weight":
            factors.insert(0, (self.x[:, index[0]], lambda t: f"{self.name}.x[{t}, {index[0]}]", "x"))
        if key == "recurrent_weight":
            factors.insert(0, (self.earlier[:, index[0]], lambda t: f"{self.name}.h[{t - 1}, {index[0]}]", "before"))
        return factors

    def feeds(self, key: str, index: Index) -> Index:
        self.time = largest(np.prod([values for values, _, _ in self._factors(key, index)], axis=0))[0]
        return self._out(index[-1] % self.layer.units)

    def columns(self, key: str, out: Index) -> list[int]:
        return list(range(out[-1], self.array(key).shape[-1], self.layer.units))

    def _inside(self, d: int) -> Index:
        """The index of the d-th number of the shown step, in the layer's own input."""
        return (self.t, *(int(i) for i in np.unravel_index(d, self.array("x").shape[1:])))

    def _d(self, inside: Index) -> int:
        return int(np.ravel_multi_index(inside[1:], self.array("x").shape[1:]))

    def down(self, out: Index) -> Index:
        if self.layer.return_sequences:
            self.time = out[0]
        return self._inside(largest(self.x[self.t][:, None] * self.weight[:, self.columns("weight", out)])[0])

    def up(self, inside: Index) -> Index:
        self.time = inside[0]
        return self._out(largest(self.weight[self._d(inside)] * self.array("dgates")[self.t])[0] % self.layer.units)

    def input_of(self, key: str, index: Index, out: Index) -> Index:
        return self._inside(index[0]) if key == "weight" else self.down(out)

    # ---------------------------------------------------------------- forward

    def before(self, what: str, t: int, u: int, key: str) -> Number:
        """The state, or the cell, one step before t: 0 before the first."""
        return self.named(what, (t - 1, u), self.array(what)[t - 1, u] if t else 0.0, key)

    @abstractmethod
    def gates_forward(self, t: int, u: int) -> Explained:
        """The gates of a step."""

    def forward(self, inside: Index, out: Index, key: str | None, index: Index | None) -> list[Step]:
        t, u, last = self.t, out[-1], len(self.x) - 1
        gate = index[-1] // self.layer.units if index and key in ("weight", "recurrent_weight", "bias") else 0
        letter, column = self.gates[gate], self.column(u, gate)
        name, sources = f"{letter}.into", [line_of(self.functions[0], "gates", 0)]
        text = mark("{kind}: unit {unit} at step {step} of 0…{last}; the input of gate {gate}")
        title = tr(text, kind=self.kind, unit=u, step=t, last=last, gate=letter)
        inputs: Factor = self.x[t], lambda d: f"{self.name}.x[{t}, {d}]", "x"
        must = self._d(inside) if inside[0] == t else None
        numbers: dict[str, Number | Parts] = {
            "into": self.number(name, (t, u), "into"),
            "sum": self.total(f"{name}[{t}, {u}].x", (), inputs, self.along("weight", np.s_[:, column], "w"), must=must),
            "b": self.number("bias", (column,), "b"),
        }
        equation, written = "{into} = {x}·{w} + {b}", "{into} = {sum} + {b}"
        if letter != "n":  # the candidate of a GRU, which adds the state's part behind its reset gate
            states: Factor = self.earlier[t], lambda k: f"{self.name}.h[{t - 1}, {k}]", "before"
            numbers["state_sum"] = self.total(f"{name}[{t}, {u}].h", (), states,
                                              self.along("recurrent_weight", np.s_[:, column], "u"))  # fmt: skip
            equation, written = "{into} = {x}·{w} + {before}·{u} + {b}", "{into} = {sum} + {state_sum} + {b}"
            sources.append(line_of(self.functions[0], self.second))
        signs, note = SUM | {"into": SUM["into"]._replace(text=f"z_{letter}")}, tr("Step t reads row t of the image.")
        steps = [self.step("forward", title, equation, numbers, sources, written, signs, note=note)]
        gates = self.gates_forward(t, u)
        title = tr("{kind}: the gates of step {step}", kind=self.kind, step=t)
        steps.append(self.step("forward", title, gates.equation, gates.numbers, gates.sources, gates.template))
        if not self.layer.return_sequences:
            title = tr("{kind}: the last state is the output", kind=self.kind)
            state = {"y": self.number("y", out), "h": self.number("h", (last, u))}
            sources, signs = [line_of(type(self.layer).forward, "y")], LAST | {"h": LAST["h"]._replace(text=f"h{sub(last)}")}
            done = None if t == last else tr("Steps left after this one: {left}.", left=last - t)
            steps.append(self.step("forward", title, "{y} = {h}", state, sources, signs=signs, note=done))
        return steps

    # ---------------------------------------------------------------- backward

    @abstractmethod
    def gates_backward(self, t: int, u: int) -> Explained:
        """The gates' gradients of a step."""

    def _back_steps(self, u: int) -> list[Step]:
        """∂C/∂hₜ, from the output and from the next step, and back through the gates."""
        t, equation, written = self.t, "{dh} = {dy} + {u}·{dz}", "{dh} = {dy}"
        numbers: dict[str, Number | Parts] = {"dh": self.number("dh", (t, u)), "dy": self.number("dstates", (t, u), "dy")}
        if self.kind == "GRU":
            equation += " + {later}"
        if t + 1 < len(self.x):
            weights, slopes = self.along("recurrent_weight", np.s_[u, :], "u"), self.along("dsteps", np.s_[t + 1, :], "dz")
            numbers["sum"] = self.total("dh", (t, u), weights, slopes)
            written += " + {sum}"
            if self.kind == "GRU":
                numbers |= {"later": self.number("dh", (t + 1, u), "later"), "z": self.number("z", (t + 1, u), "later")}
                written += " + {later}·{z}"
        title, sources = tr("back through time to step {step}", step=t), [line_of(self.functions[1], "by_state")]
        first = self.step("backward", title, equation, numbers, sources, written, THROUGH_TIME, tag="BP2")
        gates, title = self.gates_backward(t, u), tr("back through the gates of step {step}", step=t)
        return [first, self.step("backward", title, gates.equation, gates.numbers, gates.sources, gates.template,
                                 self.backward_signs, tag="BP2")]  # fmt: skip

    def backward(self, inside: Index, out: Index) -> list[Step]:
        self.time = t = inside[0]
        d = self._d(inside)
        factors = self.along("weight", np.s_[d, :], "w"), self.along("dgates", np.s_[t, :], "dz")
        numbers: Values = {"dx": self.number("dx", inside), "sum": self.total("dx", inside, *factors)}
        title, sources = tr("back to input {place}", place=at(inside)), [line_of(recurrent.inputs_backward, "dx")]
        step = self.step("backward", title, "{dx} = Σ {w}·{dz}", numbers, sources, "{dx} = {sum}", TO_INPUT, tag="BP2")
        return [*self._back_steps(out[-1]), step]

    def gradient(self, key: str, index: Index, inside: Index, out: Index) -> list[Step]:
        factors = self._factors(key, index)
        terms = self.total(f"d{key}", index, *factors, must=self.t)
        numbers: Values = {"dw": self.number(f"d{key}", index, "dw"), "sum": terms}
        equation = "{dw} = Σₜ " + "·".join(f"{{{symbol}}}" for _, _, symbol in factors)
        of_state = key == "recurrent_weight"
        sources = [line_of(type(self.layer).forward, "drecurrent") if of_state else line_of(recurrent.inputs_backward)]
        title = tr("the gradient of the weight: a sum over {steps} steps", steps=len(self.x))
        tag = "BP3" if key.endswith("bias") else "BP4"
        step = self.step("backward", title, equation, numbers, sources, "{dw} = {sum}", TO_WEIGHT, tag=tag)
        return [*self._back_steps(out[-1]), step]
