"""The gates of SimpleRNN, LSTM and GRU, forward and backward."""

from __future__ import annotations

from glassnet.analysis.trace.document import Number, Parts, Source, Symbol
from glassnet.analysis.trace.lens import symbol
from glassnet.analysis.trace.lenses.recurrent import EARLIER, INTO, STATE, RecurrentLens
from glassnet.analysis.trace.sources import line_of
from glassnet.nn import recurrent
from glassnet.support.i18n import tr

Told = tuple[str, list[Symbol], list[Parts], list[Source]]


def _dh() -> Symbol:
    return symbol("dh", "∂C/∂h", "dh", meaning=tr("how the loss changes with the state"))


class SimpleRNNLens(RecurrentLens):
    gates = ("a",)

    def unroll(self) -> None:
        arguments = (self.weight, self.recurrent, self.array("bias"), self.layer.activation)
        h = recurrent.simple_rnn(self.x[None], *arguments)
        dgates, dh = recurrent.simple_rnn_through_time(self.dstates[None], h, self.recurrent, self.layer.activation)
        self.h, self.dgates, self.dh = h[0], dgates[:, 0], dh[:, 0]
        self.dsteps = self.dgates

    def gate_lines(self, t: int, u: int) -> Told:
        f = self.layer.activation
        symbols = [symbol("h", "hₜ", "states", "h", meaning=tr(STATE)), symbol("into", "z_a", "gate", meaning=tr(INTO))]
        into = self.of("a.into", t, u, self.into[t, u], "into")
        right: Parts = ["tanh(", into, ")"] if f == "tanh" else ["max(", into, ", 0)"]
        equation = "{h} = tanh {into}" if f == "tanh" else "{h} = max({into}, 0)"
        return equation, symbols, [[self.state(t, u), " = ", *right]], [line_of(recurrent.simple_rnn, "states")]

    def gate_back(self, t: int, u: int) -> Told:
        da = self.of("dgates", t, u, self.dgates[t, u], "dz")
        dh, h = self.of("dh", t, u, self.dh[t, u], "dh"), self.state(t, u)
        symbols = [
            symbol("dz", "∂C/∂z", "dgates", meaning=tr("how the loss changes with what goes in")),
            _dh(),
            symbol("h", "hₜ", "states", meaning=tr(STATE)),
        ]
        if self.layer.activation == "tanh":
            equation = "{dz} = {dh}·(1 − {h}²)"
            right: Parts = [dh, "·(1 − (", h, ")²)"]
        else:
            equation, right = "{dz} = {dh}·[{h} > 0]", [dh, "·[", h, " > 0]"]
        return equation, symbols, [[da, " = ", *right]], [line_of(recurrent.simple_rnn_through_time, "dgates")]


class LSTMLens(RecurrentLens):
    gates = ("i", "f", "g", "o")

    def unroll(self) -> None:
        h, cells, gates = recurrent.lstm(self.x[None], self.weight, self.recurrent, self.array("bias"))
        dgates, dh, dc = recurrent.lstm_through_time(self.dstates[None], cells, gates, self.recurrent)
        self.h, self.cells, self.values = h[0], cells[:, 0], gates[:, 0]
        self.dgates, self.dh, self.dc = dgates[:, 0], dh[:, 0], dc[:, 0]
        self.dsteps = self.dgates

    def gates_of(self, t: int, u: int) -> list[float]:
        return [float(self.values[t, self.column(u, gate)]) for gate in range(4)]

    def _gate(self, letter: str, t: int, u: int) -> Number:
        return self.of(letter, t, u, self.gates_of(t, u)[self.gates.index(letter)], letter)

    def cell(self, t: int, u: int, key: str = "c") -> Number:
        return self.of("c", t, u, self.cells[t, u] if t >= 0 else 0.0, key)

    def _symbols(self) -> list[Symbol]:
        names = {"i": tr("input gate"), "f": tr("forget gate"),
                 "g": tr("candidate"), "o": tr("output gate")}  # fmt: skip
        return [
            *(symbol(letter, letter, letter, meaning=meaning) for letter, meaning in names.items()),
            symbol("c", "cₜ", "c", "cells", meaning=tr("the cell")),
            symbol("earlier", "cₜ₋₁", "c", "earlier", meaning=tr("the cell one step earlier")),
            symbol("h", "hₜ", "h", "states", meaning=tr(STATE)),
        ]

    def gate_lines(self, t: int, u: int) -> Told:
        lines: list[Parts] = []
        for number, letter in enumerate(self.gates):
            into = self.of(f"{letter}.into", t, u, self.into[t, self.column(u, number)], letter)
            bend: Parts = ["tanh(", into, ")"] if letter == "g" else ["σ(", into, ")"]
            told: Parts = [f"{letter} = ", self._gate(letter, t, u), " = "]
            lines.append(told + bend)
        i, f, g, o = (self._gate(letter, t, u) for letter in self.gates)
        lines.append(["c = ", self.cell(t, u), " = ", f, "·", self.cell(t - 1, u, "earlier"), " + ", i, "·", g])
        lines.append(["h = ", self.state(t, u), " = ", o, "·tanh(", self.cell(t, u), ")"])
        equation = "{i}, {f}, {o} = σ(z)   {g} = tanh z   {c} = {f}·{earlier} + {i}·{g}   {h} = {o}·tanh {c}"
        sources = [line_of(recurrent.lstm, "i", -1), line_of(recurrent.lstm, "cells"), line_of(recurrent.lstm, "states")]
        return equation, self._symbols(), lines, sources

    def gate_back(self, t: int, u: int) -> Told:
        i, f, g, o = (self._gate(letter, t, u) for letter in self.gates)
        c, earlier = self.cell(t, u), self.cell(t - 1, u, "earlier")
        dh, dc = self.of("dh", t, u, self.dh[t, u], "dh"), self.of("dc", t, u, self.dc[t, u], "dc")
        cell: Parts = ["∂C/∂c = ", dc, " = ", dh, "·", o, "·(1 − tanh²(", c, "))"]
        if t + 1 < len(self.x):
            cell += [" + ", self.of("dc", t + 1, u, self.dc[t + 1, u], "dc"), "·", self._gate("f", t + 1, u)]
        dz = [self.of("dgates", t, self.column(u, k), self.dgates[t, self.column(u, k)], "dz") for k in range(4)]
        lines: list[Parts] = [
            cell,
            ["∂C/∂z_i = ", dz[0], " = ", dc, "·", g, "·", i, "·(1 − ", i, ")"],
            ["∂C/∂z_f = ", dz[1], " = ", dc, "·", earlier, "·", f, "·(1 − ", f, ")"],
            ["∂C/∂z_g = ", dz[2], " = ", dc, "·", i, "·(1 − (", g, ")²)"],
            ["∂C/∂z_o = ", dz[3], " = ", dh, "·tanh(", c, ")·", o, "·(1 − ", o, ")"],
        ]
        symbols = [
            symbol("dc", "∂C/∂c", "dc", "by_cell", meaning=tr("by the cell")),
            _dh(),
            symbol("dz", "∂C/∂z", "parts", "dgates", meaning=tr("by what goes into each gate")),
            *self._symbols(),
        ]
        equation = (
            "{dc} = {dh}·{o}·(1 − tanh² {c}) + ∂C/∂cₜ₊₁·fₜ₊₁   {dz} = {dc}·{g}·{i}·(1 − {i}), "
            "{dc}·{earlier}·{f}·(1 − {f}), {dc}·{i}·(1 − {g}²), {dh}·tanh {c}·{o}·(1 − {o})"
        )
        function = recurrent.lstm_through_time
        sources = [line_of(function, "by_cell"), line_of(function, "parts"), line_of(function, "dgates")]
        return equation, [s for s in symbols if "{" + s.key + "}" in equation], lines, sources


class GRULens(RecurrentLens):
    gates = ("r", "z", "n")

    def unroll(self) -> None:
        arguments = self.weight, self.recurrent, self.array("bias"), self.array("recurrent_bias")
        h, gates, inner = recurrent.gru(self.x[None], *arguments)
        dgates, dsteps, dh = recurrent.gru_through_time(self.dstates[None], h, gates, inner, self.recurrent)
        self.h, self.values, self.inner = h[0], gates[:, 0], inner[:, 0]
        self.dgates, self.dsteps, self.dh = dgates[:, 0], dsteps[:, 0], dh[:, 0]

    def gates_of(self, t: int, u: int) -> list[float]:
        return [float(self.values[t, self.column(u, gate)]) for gate in range(3)]

    def _symbols(self) -> list[Symbol]:
        return [
            symbol("r", "r", "r", meaning=tr("reset gate")),
            symbol("z", "z", "z", meaning=tr("update gate")),
            symbol("n", "n", "n", meaning=tr("candidate")),
            symbol("m", "m", "inner", meaning=tr("hₜ₋₁·Uₙ + b′, before the reset gate")),
            symbol("h", "hₜ", "h", "states", meaning=tr(STATE)),
            symbol("before", "hₜ₋₁", "h", "earlier", meaning=tr(EARLIER)),
        ]

    def _numbers(self, t: int, u: int) -> tuple[list[Number], Number, Number, Number]:
        gates = [self.of(letter, t, u, value, letter) for letter, value in zip(self.gates, self.gates_of(t, u), strict=True)]
        m = self.of("m", t, u, self.inner[t, u], "m")
        return gates, m, self.state(t, u), self.state(t - 1, u, "before")

    def gate_lines(self, t: int, u: int) -> Told:
        (r, z, n), m, h, before = self._numbers(t, u)
        own = (self.x[t] @ self.weight + self.array("bias"))[self.column(u, 2)]
        into = [self.of(f"{letter}.into", t, u, self.into[t, self.column(u, k)], letter) for k, letter in enumerate("rz")]
        lines: list[Parts] = [
            ["r = ", r, " = σ(", into[0], ")"],
            ["z = ", z, " = σ(", into[1], ")"],
            ["n = ", n, " = tanh(", self.of("n.into", t, u, own, "n"), " + ", r, "·", m, ")"],
            ["h = ", h, " = (1 − ", z, ")·", n, " + ", z, "·", before],
        ]
        equation = "{r}, {z} = σ(z)   {n} = tanh(zₙ + {r}·{m})   {h} = (1 − {z})·{n} + {z}·{before}"
        sources = [line_of(recurrent.gru, "r"), line_of(recurrent.gru, "n"), line_of(recurrent.gru, "states")]
        return equation, self._symbols(), lines, sources

    def gate_back(self, t: int, u: int) -> Told:
        (r, z, n), m, _, before = self._numbers(t, u)
        dh = self.of("dh", t, u, self.dh[t, u], "dh")
        dr, dz, dn = (self.of("dgates", t, self.column(u, k), self.dgates[t, self.column(u, k)], "dz") for k in range(3))
        lines: list[Parts] = [
            ["∂C/∂z_n = ", dn, " = ", dh, "·(1 − ", z, ")·(1 − (", n, ")²)"],
            ["∂C/∂z_r = ", dr, " = ", dn, "·", m, "·", r, "·(1 − ", r, ")"],
            ["∂C/∂z_z = ", dz, " = ", dh, "·(", before, " − ", n, ")·", z, "·(1 − ", z, ")"],
        ]
        symbols = [_dh(), symbol("dz", "∂C/∂z", "dn", "dr", "dz", meaning=tr("by what goes into each gate"))]
        equation = (
            "∂C/∂zₙ = {dh}·(1 − {z})·(1 − {n}²)   {dz} = ∂C/∂zₙ·{m}·{r}·(1 − {r}),  {dh}·({before} − {n})·{z}·(1 − {z})"
        )
        function = recurrent.gru_through_time
        sources = [line_of(function, "dn"), line_of(function, "dr")]
        symbols += [s for s in self._symbols() if "{" + s.key + "}" in equation]
        return equation, symbols, lines, sources
