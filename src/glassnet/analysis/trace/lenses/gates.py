"""The gates of SimpleRNN, LSTM and GRU, forward and backward."""

from __future__ import annotations

from typing import ClassVar

from glassnet.analysis.trace.document import Number
from glassnet.analysis.trace.lenses.recurrent import BY_STATE, EARLIER, INTO, STATE, Explained, RecurrentLens
from glassnet.analysis.trace.notation import Sign, Values
from glassnet.analysis.trace.sources import line_of
from glassnet.nn import recurrent
from glassnet.support.arrays import Array
from glassnet.support.i18n import mark

DH = {"dh": Sign("∂C/∂h", "dh", BY_STATE)}
BY_GATES = mark("the gradient with respect to each gate's input")


class SimpleRNNLens(RecurrentLens):
    gates = ("a",)
    functions = recurrent.simple_rnn, recurrent.simple_rnn_through_time
    second = "h"
    signs: ClassVar = {"h": Sign("hₜ", "states h", STATE), "into": Sign("z_a", "gate", INTO)}
    backward_signs: ClassVar = {
        "dz": Sign("∂C/∂z", "dgates", mark("the gradient with respect to the gate's input")),
        **DH,
        "h": Sign("hₜ", "states", STATE),
    }

    def unroll(self, dstates: Array) -> dict[str, Array]:
        arguments = (self.weight, self.recurrent, self.array("bias"), self.layer.activation)
        h = recurrent.simple_rnn(self.x[None], *arguments)
        dgates, dh = recurrent.simple_rnn_through_time(dstates[None], h, self.recurrent, self.layer.activation)
        return {"h": h[0], "dgates": dgates[:, 0], "dsteps": dgates[:, 0], "dh": dh[:, 0]}

    def gates_forward(self, t: int, u: int) -> Explained:
        numbers: Values = {"h": self.number("h", (t, u)), "into": self.number("a.into", (t, u), "into")}
        tanh = self.layer.activation == "tanh"
        equation, written = ("{h} = tanh {into}", "{h} = tanh({into})") if tanh else ("{h} = max({into}, 0)",) * 2
        return Explained(equation, written, numbers, [line_of(self.functions[0], "states")])

    def gates_backward(self, t: int, u: int) -> Explained:
        numbers: Values = {**self.numbers((t, u), "dh", "h"), "dz": self.number("dgates", (t, u), "dz")}
        equation = written = "{dz} = {dh}·[{h} > 0]"
        if self.layer.activation == "tanh":
            equation, written = "{dz} = {dh}·(1 − {h}²)", "{dz} = {dh}·(1 − ({h})²)"
        return Explained(equation, written, numbers, [line_of(self.functions[1], "dgates")])


class LSTMLens(RecurrentLens):
    gates = ("i", "f", "g", "o")
    functions = recurrent.lstm, recurrent.lstm_through_time
    second = "gate"
    signs: ClassVar = {
        "i": Sign("i", "i", mark("input gate")),
        "f": Sign("f", "f", mark("forget gate")),
        "g": Sign("g", "g", mark("candidate")),
        "o": Sign("o", "o", mark("output gate")),
        "c": Sign("cₜ", "c cells", mark("the cell")),
        "earlier": Sign("cₜ₋₁", "c earlier", mark("the cell of the previous step")),
        "h": Sign("hₜ", "h states", STATE),
    }
    backward_signs: ClassVar = {
        "dc": Sign("∂C/∂c", "dc by_cell", mark("the gradient with respect to the cell")),
        **DH,
        "dz": Sign("∂C/∂z", "parts dgates", BY_GATES),
        **signs,
    }

    def unroll(self, dstates: Array) -> dict[str, Array]:
        h, cells, gates = recurrent.lstm(self.x[None], self.weight, self.recurrent, self.array("bias"))
        dgates, dh, dc = recurrent.lstm_through_time(dstates[None], cells, gates, self.recurrent)
        return {
            "h": h[0], "c": cells[:, 0], **self.by_gate(gates[:, 0]), "dh": dh[:, 0], "dc": dc[:, 0],
            "dgates": dgates[:, 0], "dsteps": dgates[:, 0],
        }  # fmt: skip

    def gates_forward(self, t: int, u: int) -> Explained:
        numbers: Values = {
            **self.numbers((t, u), *self.gates, "c", "h"),
            **{f"into_{letter}": self.number(f"{letter}.into", (t, u), letter) for letter in self.gates},
            "earlier": self.before("c", t, u, "earlier"),
        }
        equation = "{i}, {f}, {o} = σ(z)   {g} = tanh z   {c} = {f}·{earlier} + {i}·{g}   {h} = {o}·tanh {c}"
        written = (
            "i = {i} = σ({into_i})   f = {f} = σ({into_f})   g = {g} = tanh({into_g})   o = {o} = σ({into_o})   "
            "c = {c} = {f}·{earlier} + {i}·{g}   h = {h} = {o}·tanh({c})"
        )
        sources = [line_of(self.functions[0], name) for name in ("i", "cells", "states")]
        return Explained(equation, written, numbers, sources)

    def gates_backward(self, t: int, u: int) -> Explained:
        numbers = {
            **self.numbers((t, u), *self.gates, "c", "dh", "dc"),
            **{f"dz_{letter}": self.number("dgates", (t, self.column(u, k)), "dz") for k, letter in enumerate(self.gates)},
            "earlier": self.before("c", t, u, "earlier"),
        }
        cell = "∂C/∂c = {dc} = {dh}·{o}·(1 − tanh²({c}))"
        if t + 1 < len(self.x):
            later = self.numbers((t + 1, u), "dc", "f")
            numbers |= {f"{key}_later": number for key, number in later.items()}
            cell += " + {dc_later}·{f_later}"
        written = (
            "   ∂C/∂z_i = {dz_i} = {dc}·{g}·{i}·(1 − {i})   ∂C/∂z_f = {dz_f} = {dc}·{earlier}·{f}·(1 − {f})   "
            "∂C/∂z_g = {dz_g} = {dc}·{i}·(1 − ({g})²)   ∂C/∂z_o = {dz_o} = {dh}·tanh({c})·{o}·(1 − {o})"
        )
        equation = (
            "{dc} = {dh}·{o}·(1 − tanh² {c}) + ∂C/∂cₜ₊₁·fₜ₊₁   {dz} = {dc}·{g}·{i}·(1 − {i}), "
            "{dc}·{earlier}·{f}·(1 − {f}), {dc}·{i}·(1 − {g}²), {dh}·tanh {c}·{o}·(1 − {o})"
        )
        sources = [line_of(self.functions[1], name) for name in ("by_cell", "parts", "dgates")]
        return Explained(equation, cell + written, numbers, sources)


class GRULens(RecurrentLens):
    gates = ("r", "z", "n")
    functions = recurrent.gru, recurrent.gru_through_time
    second = "step"
    signs: ClassVar = {
        "r": Sign("r", "r", mark("reset gate")),
        "z": Sign("z", "z", mark("update gate")),
        "n": Sign("n", "n", mark("candidate")),
        "m": Sign("m", "inner", mark("hₜ₋₁·Uₙ + b′, before the reset gate")),
        "h": Sign("hₜ", "h states", STATE),
        "before": Sign("hₜ₋₁", "h earlier", EARLIER),
    }
    backward_signs: ClassVar = {**DH, "dz": Sign("∂C/∂z", "dn dr dz", BY_GATES), **signs}

    def unroll(self, dstates: Array) -> dict[str, Array]:
        h, gates, inner = recurrent.gru(
            self.x[None], self.weight, self.recurrent, self.array("bias"), self.array("recurrent_bias")
        )
        dgates, dsteps, dh = recurrent.gru_through_time(dstates[None], h, gates, inner, self.recurrent)
        return {
            "h": h[0], "m": inner[:, 0], **self.by_gate(gates[:, 0]), "dh": dh[:, 0], "dgates": dgates[:, 0],
            "dsteps": dsteps[:, 0], "n.into": (self.x @ self.weight + self.array("bias"))[:, self.column(0, 2) :],
        }  # fmt: skip

    def _numbers(self, t: int, u: int) -> dict[str, Number]:
        return {**self.numbers((t, u), *self.gates, "m", "h"), "before": self.before("h", t, u, "before")}

    def gates_forward(self, t: int, u: int) -> Explained:
        intos = {f"into_{letter}": self.number(f"{letter}.into", (t, u), letter) for letter in self.gates}
        equation = "{r}, {z} = σ(z)   {n} = tanh(zₙ + {r}·{m})   {h} = (1 − {z})·{n} + {z}·{before}"
        written = (
            "r = {r} = σ({into_r})   z = {z} = σ({into_z})   n = {n} = tanh({into_n} + {r}·{m})   "
            "h = {h} = (1 − {z})·{n} + {z}·{before}"
        )
        sources = [line_of(self.functions[0], name) for name in ("r", "n", "states")]
        return Explained(equation, written, self._numbers(t, u) | intos, sources)

    def gates_backward(self, t: int, u: int) -> Explained:
        slopes = {f"dz_{letter}": self.number("dgates", (t, self.column(u, k)), "dz") for k, letter in enumerate(self.gates)}
        written = (
            "∂C/∂z_n = {dz_n} = {dh}·(1 − {z})·(1 − ({n})²)   ∂C/∂z_r = {dz_r} = {dz_n}·{m}·{r}·(1 − {r})   "
            "∂C/∂z_z = {dz_z} = {dh}·({before} − {n})·{z}·(1 − {z})"
        )
        equation = (
            "∂C/∂zₙ = {dh}·(1 − {z})·(1 − {n}²)   {dz} = ∂C/∂zₙ·{m}·{r}·(1 − {r}),  {dh}·({before} − {n})·{z}·(1 − {z})"
        )
        sources = [line_of(self.functions[1], name) for name in ("dn", "dr")]
        return Explained(equation, written, self._numbers(t, u) | slopes | {"dh": self.number("dh", (t, u))}, sources)
