"""Recurrent layers, lowered."""

from __future__ import annotations

from glassnet.compiler.algorithms import prefers_recurrent_pairs, recurrent_partitions
from glassnet.compiler.program_builder import Back, ParamOffsets, ProgramBuilder, Value, lower
from glassnet.kernels import kinds, opcodes as op
from glassnet.kernels.sizes import COLUMNS, LANES
from glassnet.nn import GRU, LSTM, SimpleRNN

RNN_KINDS = {"tanh": kinds.RNN_TANH, "relu": kinds.RNN_RELU}


@lower.register
def _(layer: SimpleRNN | LSTM | GRU, x: Value, offsets: ParamOffsets, out: ProgramBuilder) -> tuple[Value, Back]:
    kind = kinds.LSTM if isinstance(layer, LSTM) else kinds.GRU if isinstance(layer, GRU) else RNN_KINDS[layer.activation]
    steps, features = layer.sequence(x.shape)
    units, wide = layer.units, layer.gates * layer.units
    rows, is_gru = steps * out.capacity, kind == kinds.GRU
    out.longest = max(out.longest, rows)
    shape = (steps, units) if layer.return_sequences else (units,)
    y = Value(out.rows(steps * units if layer.return_sequences else units), shape)
    partitions = recurrent_partitions(out.capacity, (features + units) * wide, out.training) if not out.forward_only else 1
    pairs = out.bfloat16 and prefers_recurrent_pairs(units)
    common = {
        "kind": kind, "steps": steps, "features": features, "units": units, "gates": layer.gates,
        "all_states": layer.return_sequences, "partitions": partitions,
    }  # fmt: skip
    weight, recurrent_weight = offsets["weight"], offsets["recurrent_weight"]
    biases = {"bias": offsets["bias"], "recurrent_bias": offsets.get("recurrent_bias", -1)}
    register = 2 * LANES if pairs else LANES  # of inputs
    inputs_row = -(-features // register) * register
    states = {
        "pairs": pairs, "x": x.at, "scale": x.scale, "inputs": out.reserve(rows * inputs_row), "inputs_row": inputs_row,
        "z": out.reserve(rows * wide), "h": out.reserve((rows + out.capacity) * units),
        "c": out.reserve((rows + out.capacity) * units) if kind == kinds.LSTM else -1,
        "inner": out.reserve(rows * units) if is_gru else -1,
    }  # fmt: skip
    panels = _panels(units, wide, False, recurrent_weight, pairs, out) if out.capacity > 1 else -1
    out.emit(
        op.RECURRENT, **common, **states, weight=weight, recurrent_weight=recurrent_weight, panels=panels, **biases,
        product=out.rows(wide) if is_gru else -1, out=y.at,
    )  # fmt: skip

    def back(dy: int, needs_dx: bool) -> int:
        dx_steps, dx = -1, -1
        panels = _panels(wide, units, True, recurrent_weight, pairs, out)
        if needs_dx:
            dx_steps, dx = out.reserve(rows * features), out.rows(steps * features)
        partial = out.reserve(partitions * ((features + units + 1) * wide + units))
        out.emit(
            op.RECURRENT_BACKWARD, **common, **states, dout=dy, dproduct=out.reserve(rows * wide) if is_gru else -1,
            dh=out.rows(units), dc=out.rows(units), weight=weight, panels=panels, dx_steps=dx_steps,
            dx=dx, partial=partial,
        )  # fmt: skip
        out.emit(
            op.RECURRENT_GRADIENTS, **common, weight=weight, recurrent_weight=recurrent_weight, **biases, partial=partial
        )
        return dx if needs_dx else dy

    return y, back


def _panels(inner: int, width: int, transposed: bool, weight: int, pairs: bool, out: ProgramBuilder) -> int:
    """Where the panels lie of weights (inner, width), or of the transpose of weights (width, inner)."""
    apart = COLUMNS * ((inner // 2 if pairs else inner) + LANES)
    panels = out.reserve(-(-width // COLUMNS) * apart)
    out.emit(
        op.RECURRENT_PAIRS if pairs else op.RECURRENT_PANELS, inner=inner, width=width, transposed=transposed, weight=weight,
        panels=panels, apart=apart,
    )  # fmt: skip
    return panels
