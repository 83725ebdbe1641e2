"""Recurrent layers, lowered."""

from __future__ import annotations

from glassnet.compiler.algorithms import recurrent_partitions
from glassnet.compiler.program_builder import Back, ParamOffsets, ProgramBuilder, Value, lower
from glassnet.kernels import kinds, opcodes as op
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
    partitions = recurrent_partitions(out.capacity, (features + units) * wide, out.training)
    common = {
        "kind": kind, "steps": steps, "features": features, "units": units, "gates": layer.gates,
        "all_states": layer.return_sequences, "partitions": partitions,
    }  # fmt: skip
    weight, recurrent_weight = offsets["weight"], offsets["recurrent_weight"]
    biases = {"bias": offsets["bias"], "recurrent_bias": offsets.get("recurrent_bias", -1)}
    states = {
        "x": x.at, "scale": x.scale, "row_index": out.reserve(2 * rows), "z": out.reserve(rows * wide),
        "h": out.reserve((rows + out.capacity) * units),
        "c": out.reserve((rows + out.capacity) * units) if kind == kinds.LSTM else -1,
        "inner": out.reserve(rows * units) if is_gru else -1,
    }  # fmt: skip
    out.emit(
        op.RECURRENT, **common, **states, weight=weight, recurrent_weight=recurrent_weight, **biases,
        product=out.rows(wide) if is_gru else -1, out=y.at,
    )  # fmt: skip

    def back(dy: int, needs_dx: bool) -> int:
        weight_t, dx_steps, dx = -1, -1, -1
        recurrent_weight_t = _transposed(units, wide, recurrent_weight, out)
        if needs_dx:
            weight_t = _transposed(features, wide, weight, out)
            dx_steps, dx = out.reserve(rows * features), out.rows(steps * features)
        partial = out.reserve(partitions * ((features + units + 1) * wide + units))
        out.emit(
            op.RECURRENT_BACKWARD, **common, **states, dout=dy, dproduct=out.reserve(rows * wide) if is_gru else -1,
            dh=out.rows(units), dc=out.rows(units), recurrent_weight_t=recurrent_weight_t, weight_t=weight_t,
            dx_steps=dx_steps, dx=dx, partial=partial,
        )  # fmt: skip
        out.emit(
            op.RECURRENT_GRADIENTS, **common, weight=weight, recurrent_weight=recurrent_weight, **biases, partial=partial
        )
        return dx if needs_dx else dy

    return y, back


def _transposed(inputs: int, outputs: int, weight: int, out: ProgramBuilder) -> int:
    """Where the transposed weights lie."""
    weight_t = out.reserve(inputs * outputs)
    out.emit(op.DENSE_TRANSPOSE, inputs=inputs, outputs=outputs, weight=weight, weight_t=weight_t, weight_t_row=inputs)
    return weight_t
