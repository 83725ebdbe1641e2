"""Lenses on recurrent layers: one unit at one time step, its gates, and what comes back through time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from glassnet.analysis.trace.document import Index, Number, Parts, Source, Step, Symbol
from glassnet.analysis.trace.lens import Lens, largest, symbol
from glassnet.analysis.trace.notation import at, sub, sum_of_products
from glassnet.analysis.trace.sources import line_of
from glassnet.nn import recurrent
from glassnet.support.arrays import Array
from glassnet.support.i18n import Message, mark, tr

INTO = mark("what goes into the gate")
STATE = mark("the state")
EARLIER = mark("the state one step earlier")


class RecurrentLens(Lens, ABC):
    """`time`: the step that is shown. Arrays are (T, …): x, h, and by the subclass the gates and their gradients."""

    parts = ("unit",)
    gates: ClassVar[tuple[str, ...]] = ()
    time: int | None = None
    into: Array  # (T, gates·units): what the gates take, where it is one sum
    dgates: Array  # (T, gates·units): the gradients by xₜ·W + b
    dsteps: Array  # by hₜ₋₁·U: the same, but for GRU
    dh: Array  # (T, units)
    h: Array  # (T, units)

    def look(self) -> None:
        """Read sequence, states and gates from the record."""
        x = self.array("x")
        self.x = x.reshape(len(x), -1)
        self.weight, self.recurrent = self.array("weight"), self.array("recurrent_weight")
        dy = self.array("dy")
        self.dstates = np.zeros((len(x), self.layer.units))
        if self.layer.return_sequences:
            self.dstates = dy
        else:
            self.dstates[-1] = dy
        self.unroll()
        self.into = self.x @ self.weight + self.before(self.h) @ self.recurrent + self.array("bias")

    @abstractmethod
    def unroll(self) -> None:
        """Run the layer forward and backward through time, and keep every gate and state."""

    @staticmethod
    def before(states: Array) -> Array:
        return np.concatenate([np.zeros_like(states[:1]), states[:-1]])

    # ---------------------------------------------------------------- the path

    @property
    def t(self) -> int:
        return len(self.x) - 1 if self.time is None else self.time

    def unit(self, out: Index) -> int:
        return out[-1]

    def column(self, u: int, gate: int) -> int:
        return gate * int(self.layer.units) + u

    def _out(self, u: int) -> Index:
        return (self.t, u) if self.layer.return_sequences else (u,)

    def _acting(self, key: str, index: Index) -> Array:
        """For each time step, what it adds to the gradient of a parameter."""
        if key == "recurrent_bias":
            return self.dsteps[:, 2 * self.layer.units + index[0]]
        if key == "bias":
            return self.dgates[:, index[0]]
        if key == "weight":
            return self.x[:, index[0]] * self.dgates[:, index[1]]
        return self.before(self.h)[:, index[0]] * self.dsteps[:, index[1]]

    def feeds(self, key: str, index: Index) -> Index:
        self.look()
        self.time = largest(self._acting(key, index))[0]
        return self._out(index[-1] % self.layer.units)

    def belongs(self, key: str, index: Index, out: Index) -> bool:
        return bool(index[-1] % self.layer.units == self.unit(out))

    def of_unit(self, key: str, out: Index) -> list[Index]:
        shape = self.array(key).shape
        columns = [c for c in range(shape[-1]) if c % self.layer.units == self.unit(out)]
        return [(*index, c) for index in np.ndindex(*shape[:-1]) for c in columns]

    def _inside(self, d: int) -> Index:
        """The index of the d-th number of the shown step, in the layer's own input."""
        shape = self.array("x").shape
        return (self.t, *(int(i) for i in np.unravel_index(d, shape[1:])))

    def _d(self, inside: Index) -> int:
        return int(np.ravel_multi_index(inside[1:], self.array("x").shape[1:]))

    def down(self, out: Index) -> Index:
        self.look()
        if self.layer.return_sequences:
            self.time = out[0]
        columns = [self.column(self.unit(out), gate) for gate in range(len(self.gates))]
        return self._inside(largest(self.x[self.t][:, None] * self.weight[:, columns])[0])

    def up(self, inside: Index) -> Index:
        self.look()
        self.time = inside[0]
        return self._out(largest(self.weight[self._d(inside)] * self.dgates[self.t])[0] % self.layer.units)

    def input_of(self, key: str, index: Index, out: Index) -> Index:
        return self._inside(index[0]) if key == "weight" else self.down(out)

    # ---------------------------------------------------------------- the numbers

    def of(self, what: str, t: int, u: int, value: float, key: str, form: str = ".6g") -> Number:
        return Number(f"{self.name}.{what}[{t}, {u}]", float(value), key, form)

    def state(self, t: int, u: int, key: str = "h") -> Number:
        return self.of("h", t, u, self.h[t, u] if t >= 0 else 0.0, key)

    def sum_into(self, u: int, gate: int, t: int, with_state: bool = True, must: int | None = None) -> Parts:
        """xₜ·W + hₜ₋₁·U + b of one gate of one unit."""
        column, earlier = self.column(u, gate), self.before(self.h)[t]
        name = f"{self.name}.{self.gates[gate]}.into[{t}, {u}]"
        parts = sum_of_products(
            [
                (self.x[t], lambda d: f"{self.name}.x[{t}, {d}]", "x"),
                (self.weight[:, column], lambda d: f"{self.name}.weight[{d}, {column}]", "w"),
            ],
            f"{name}.x",
            must,
        )
        if with_state:
            parts += [" + "]
            parts += sum_of_products(
                [
                    (earlier, lambda k: f"{self.name}.h[{t - 1}, {k}]", "before"),
                    (self.recurrent[:, column], lambda k: f"{self.name}.recurrent_weight[{k}, {column}]", "u"),
                ],
                f"{name}.h",
            )
        return [*parts, " + ", Number(f"{self.name}.bias[{column}]", float(self.array("bias")[column]), "b")]

    def sum_symbols(self, key: str, sign: str) -> list[Symbol]:
        return [
            symbol(key, sign, "gates", "gate", meaning=tr(INTO)),
            symbol("x", "xₜ", "x"),
            symbol("w", "W", "weight"),
            symbol("before", "hₜ₋₁", "h", meaning=tr(EARLIER)),
            symbol("u", "U", "recurrent", meaning=tr("the weights of the earlier state")),
            symbol("b", "b", "bias"),
        ]

    @abstractmethod
    def gate_lines(self, t: int, u: int) -> tuple[str, list[Symbol], list[Parts], list[Source]]:
        """The gates of a step: equation, symbols, lines, and where they are computed."""

    def forward(self, inside: Index, out: Index, key: str | None, index: Index | None) -> list[Step]:
        self.look()
        t, u, kind, last = self.t, self.unit(out), type(self.layer).__name__, len(self.x) - 1
        gate = 0 if index is None else index[-1] // self.layer.units
        gate = gate if key in ("weight", "recurrent_weight", "bias") else 0
        letter = self.gates[gate]
        with_state = not (kind == "GRU" and letter == "n")
        into = self.into[t, self.column(u, gate)] if with_state else (self.x[t] @ self.weight + self.array("bias"))[
            self.column(u, gate)
        ]  # fmt: skip
        must = self._d(inside) if inside[0] == t else None
        line = [self.of(f"{letter}.into", t, u, into, "into"), " = ", *self.sum_into(u, gate, t, with_state, must)]
        equation = "{into} = {x}·{w} + {before}·{u} + {b}" if with_state else "{into} = {x}·{w} + {b}"
        symbols = self.sum_symbols("into", f"z_{letter}")
        symbols = [s for s in symbols if "{" + s.key + "}" in equation]
        title = tr(
            "{kind}: unit {unit} at step {step} of 0…{last}; what goes into gate {gate}",
            kind=kind,
            unit=u,
            step=t,
            last=last,
            gate=letter,
        )
        note: Message | None = tr("Step t reads row t of the image.")
        function = getattr(recurrent, {"LSTM": "lstm", "GRU": "gru", "SimpleRNN": "simple_rnn"}[kind])
        second = {"LSTM": "gate", "GRU": "step", "SimpleRNN": "h"}[kind]
        sources = [line_of(function, "gates", 0), *([line_of(function, second)] if with_state else [])]
        steps = [self.step("forward", title, equation, symbols, [line], sources, note=note)]
        equation, symbols, lines, sources = self.gate_lines(t, u)
        title = tr("{kind}: the gates of step {step}", kind=kind, step=t)
        steps.append(self.step("forward", title, equation, symbols, lines, sources))
        if not self.layer.return_sequences:
            title = tr("{kind}: the last state is the output", kind=kind)
            symbols = [symbol("y", "y", "h"), symbol("h", f"h{sub(last)}", "h", meaning=tr(STATE))]
            lines = [[self.number("y", out), " = ", self.state(last, u)]]
            sources = [line_of(type(self.layer).forward, "y")]
            note = None if t == last else tr("Steps that follow before the last is done: {left}.", left=last - t)
            steps.append(self.step("forward", title, "{y} = {h}", symbols, lines, sources, note=note))
        return steps

    # ---------------------------------------------------------------- back

    def state_line(self, t: int, u: int) -> Parts:
        """∂C/∂hₜ: what comes from the output, and from the next step."""
        parts: Parts = [self.of("dh", t, u, self.dh[t, u], "dh"), " = "]
        parts.append(self.of("dstates", t, u, self.dstates[t, u], "dy"))
        if t + 1 < len(self.x):
            parts += [" + "]
            parts += sum_of_products(
                [
                    (self.recurrent[u], lambda k: f"{self.name}.recurrent_weight[{u}, {k}]", "u"),
                    (self.dsteps[t + 1], lambda k: f"{self.name}.dsteps[{t + 1}, {k}]", "dz"),
                ],
                f"{self.name}.dh[{t}, {u}]",
            )
        return parts

    @abstractmethod
    def gate_back(self, t: int, u: int) -> tuple[str, list[Symbol], list[Parts], list[Source]]:
        """The gates' gradients of a step: equation, symbols, lines, and where they are computed."""

    def _back_steps(self, u: int) -> list[Step]:
        t, kind = self.t, type(self.layer).__name__
        function = getattr(recurrent, {"LSTM": "lstm", "GRU": "gru", "SimpleRNN": "simple_rnn"}[kind] + "_through_time")
        symbols = [
            symbol("dh", "∂C/∂hₜ", "dh", "by_state", meaning=tr("how the loss changes with the state")),
            symbol("dy", "∂C/∂yₜ", "dstates"),
            symbol("u", "U", "recurrent", meaning=tr("the weights of the earlier state")),
            symbol("dz", "∂C/∂zₜ₊₁", "dgates", "dsteps", meaning=tr("those of the gates, a step later")),
        ]
        equation = "{dh} = {dy} + {u}·{dz}"
        lines = [self.state_line(t, u)]
        if kind == "GRU":
            equation += " + {later}"
            symbols.append(symbol("later", "∂C/∂hₜ₊₁·zₜ₊₁", "z", meaning=tr("kept by the gate z")))
            if t + 1 < len(self.x):
                z = self.gates_of(t + 1, u)[1]
                lines[0] += [
                    " + ",
                    self.of("dh", t + 1, u, self.dh[t + 1, u], "later"),
                    "·",
                    self.of("z", t + 1, u, z, "later"),
                ]
        title = tr("back through time to step {step}", step=t)
        steps = [self.step("backward", title, equation, symbols, lines, [line_of(function, "by_state")], tag="BP2")]
        equation, symbols, lines, sources = self.gate_back(t, u)
        title = tr("back through the gates of step {step}", step=t)
        return [*steps, self.step("backward", title, equation, symbols, lines, sources, tag="BP2")]

    def gates_of(self, t: int, u: int) -> list[float]:
        """The values of the gates of unit u at step t; a SimpleRNN has none."""
        return []

    def backward(self, inside: Index, out: Index) -> list[Step]:
        self.look()
        t, d = inside[0], self._d(inside)
        self.time = t
        line: Parts = [Number(f"{self.name}.dx[{at(inside)}]", float(self.array("dx")[inside]), "dx"), " = "]
        line += sum_of_products(
            [
                (self.weight[d], lambda k: f"{self.name}.weight[{d}, {k}]", "w"),
                (self.dgates[t], lambda k: f"{self.name}.dgates[{t}, {k}]", "dz"),
            ],
            f"{self.name}.dx[{at(inside)}]",
        )
        symbols = [
            symbol("dx", "∂C/∂xₜ", "dx"),
            symbol("w", "W", "weight"),
            symbol("dz", "∂C/∂zₜ", "flat", "dgates", meaning=tr("the gates' gradients")),
        ]
        title = tr("back to input {place}", place=at(inside))
        sources = [line_of(recurrent.inputs_backward, "dx")]
        step = self.step("backward", title, "{dx} = Σ {w}·{dz}", symbols, [line], sources, tag="BP2")
        return [*self._back_steps(self.unit(out)), step]

    def gradient(self, key: str, index: Index, inside: Index, out: Index) -> list[Step]:
        self.look()
        column, steps = index[-1], self._back_steps(self.unit(out))
        dz, what = (self.dsteps, "dsteps") if key.startswith("recurrent") else (self.dgates, "dgates")
        wide = column + 2 * self.layer.units if key == "recurrent_bias" else column
        gradients = (dz[:, wide], lambda t: f"{self.name}.{what}[{t}, {wide}]", "dz")
        line: Parts = [self.number(f"d{key}", index, "dw"), " = "]
        symbols = [symbol("dw", "∂C/∂w", "_product", "dweight", "flat"), symbol("dz", "∂C/∂zₜ", "dgates", "flat", "dsteps",
                   meaning=tr("the gate's gradient at step t"))]  # fmt: skip
        source = line_of(recurrent.inputs_backward)
        if key == "weight":
            factors = [(self.x[:, index[0]], lambda t: f"{self.name}.x[{t}, {index[0]}]", "x"), gradients]
            symbols.append(symbol("x", "xₜ", "x"))
            equation = "{dw} = Σₜ {x}·{dz}"
        elif key == "recurrent_weight":
            factors = [
                (self.before(self.h)[:, index[0]], lambda t: f"{self.name}.h[{t - 1}, {index[0]}]", "before"),
                gradients,
            ]
            symbols.append(symbol("before", "hₜ₋₁", "h", meaning=tr(EARLIER)))
            equation = "{dw} = Σₜ {before}·{dz}"
            source = line_of(type(self.layer).forward, "drecurrent")
        else:
            factors, equation = [gradients], "{dw} = Σₜ {dz}"
        line += sum_of_products(factors, f"{self.name}.d{key}[{at(index)}]", must=self.t)
        title = tr("the gradient of the weight: a sum over {steps} steps", steps=len(self.x))
        tag = "BP3" if key.endswith("bias") else "BP4"
        return [*steps, self.step("backward", title, equation, symbols, [line], [source], tag=tag)]
